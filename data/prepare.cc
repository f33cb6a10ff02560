#include "data/prepare.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/block_pipeline.h"
#include "data/packed_ids.h"
#include "data/shard_format.h"
#include "data/shard_writer.h"
#include "data/split.h"
#include "data/symbol_counts.h"
#include "data/text_encoder.h"
#include "data/text_source.h"
#include "data/unfinished_folder.h"
#include "data/utf8.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

// No character of UTF-8 has more.
constexpr int64_t kMaxBytesOfCharacter = 4;

using Work = absl::FunctionRef<void(int worker, const TextBlock&)>;
using Finish = absl::FunctionRef<absl::Status(int worker, const TextBlock&)>;

// Whether a ShardWriter makes files of that name.
bool IsOfAShardSet(absl::string_view name) {
  if (absl::StartsWith(name, kShardManifestFileName)) {
    absl::ConsumePrefix(&name, kShardManifestFileName);
    return name.empty() || absl::StartsWith(name, ".tmp-");
  }
  const size_t begin = name.find_first_of("0123456789");
  const size_t end = name.find_first_not_of("0123456789", begin);
  int64_t index = 0;
  return begin != absl::string_view::npos &&
         absl::SimpleAtoi(name.substr(begin, end - begin), &index) &&
         name == ShardFileName(index);
}

// What is wrong at a byte of the text.
struct Flaw {
  EncodedText::Flaw kind = EncodedText::Flaw::kNone;
  int64_t offset = 0;  // in the whole text
  char byte = 0;       // that stands there
  char32_t character = 0;
};

Flaw FlawOf(EncodedText::Flaw kind, const TextBlock& block, size_t offset) {
  const absl::string_view rest = block.text().substr(offset);
  return {kind, block.offset + static_cast<int64_t>(offset), rest.front(),
          FirstUtf8Character(rest).code_point};
}

absl::Status HasChanged(absl::string_view path) {
  return absl::FailedPreconditionError(absl::StrCat(
      path,
      ": has changed while it was read: try again when nobody writes to it"));
}

// One call of Prepare().
class Preparation {
 public:
  Preparation(FileSystem* files, ThreadPool* pool,
              const PrepareOptions* options)
      : files_(*files),
        pool_(*pool),
        options_(*options),
        vocab_(options->vocab),
        unknown_(options->unknown),
        encoding_(vocab_ ? vocab_->encoding() : options->encoding),
        name_(options->inputs.size() == 1
                  ? options->inputs.front()
                  : absl::StrCat("these ", options->inputs.size(), " texts")),
        num_passes_(!vocab_ && encoding_ == Encoding::kUtf8 ? 2 : 1) {}

  absl::StatusOr<PrepareResult> Run();

 private:
  // Sees to it that there is a vocabulary, if need be by counting.
  absl::Status FindVocab();
  absl::Status MakeVocab(const SymbolCounts& counts);

  // Whether the ids can be split and stored, as far as it is known how many
  // there will be.
  absl::Status CheckSize(const std::string& folder) const;

  // Whether `num_ids`, or more, can be stored.
  absl::Status CheckRoom(int64_t num_ids, const std::string& folder) const;

  // How the ids that were written are split.
  absl::StatusOr<Split> SplitIds() const;

  // Encodes the text and gives it to `writer`.
  absl::Status Write(ShardWriter& writer);

  // Reads the text once. `finish` says what is wrong by SetFlaw().
  absl::StatusOr<std::vector<SourceFile>> ReadAll(int pass, Work work,
                                                  Finish finish);

  absl::Status SetFlaw(const Flaw& flaw);
  absl::Status Describe(const Flaw& flaw, const TextSource::Place& place) const;

  FileSystem& files_;
  ThreadPool& pool_;
  const PrepareOptions& options_;
  std::optional<Vocab> vocab_;
  UnknownPolicy unknown_;
  const Encoding encoding_;
  const std::string name_;  // of the text, for messages
  const int num_passes_;

  int64_t total_bytes_ = 0;
  int64_t counted_ = -1;             // characters; -1: not counted
  std::vector<SourceFile> sources_;  // as the first pass has read them
  Flaw flaw_;
  PrepareResult result_;
};

absl::StatusOr<PrepareResult> Preparation::Run() {
  CHARRNN_RETURN_IF_ERROR(CheckPrepareOptions(options_));
  CHARRNN_ASSIGN_OR_RETURN(total_bytes_, TotalSize(files_, options_.inputs));
  if (total_bytes_ == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        name_,
        options_.inputs.size() == 1 ? ": the file is empty" : " are empty",
        "; use a text of some thousand characters at least"));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      const auto folder,
      UnfinishedFolder::Begin(&files_, options_.output, IsOfAShardSet));
  CHARRNN_RETURN_IF_ERROR(FindVocab());
  CHARRNN_ASSIGN_OR_RETURN(const auto writer,
                           ShardWriter::Create(&files_, folder->path(), *vocab_,
                                               options_.shard_bytes));
  CHARRNN_RETURN_IF_ERROR(CheckSize(folder->path()));
  CHARRNN_RETURN_IF_ERROR(Write(*writer));
  CHARRNN_RETURN_IF_ERROR(folder->Commit());
  return std::move(result_);
}

absl::Status Preparation::FindVocab() {
  if (vocab_) return absl::OkStatus();
  if (encoding_ == Encoding::kBytes) {
    vocab_ = *Vocab::FromText("any", Encoding::kBytes);
    return absl::OkStatus();
  }
  std::vector<SymbolCounts> counts(pool_.num_threads());
  std::vector<size_t> well_formed(pool_.num_threads());
  CHARRNN_ASSIGN_OR_RETURN(
      sources_, ReadAll(
                    /*pass=*/1,
                    [&](int worker, const TextBlock& block) {
                      well_formed[worker] = counts[worker].Add(block.text());
                    },
                    [&](int worker, const TextBlock& block) {
                      if (well_formed[worker] == block.size)
                        return absl::OkStatus();
                      return SetFlaw(FlawOf(EncodedText::Flaw::kIllFormed,
                                            block, well_formed[worker]));
                    }));
  for (size_t worker = 1; worker < counts.size(); ++worker) {
    counts[0].Add(counts[worker]);
  }
  return MakeVocab(counts[0]);
}

absl::Status Preparation::MakeVocab(const SymbolCounts& counts) {
  counted_ = counts.total();
  std::vector<char32_t> symbols = counts.AtLeast(options_.min_count);
  const size_t num_different = counts.AtLeast(1).size();
  if (num_different == 1) return Annotate(OneSymbolError(), name_);
  if (symbols.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--min_count=%d: no character of %s occurs as often: use a smaller one",
        options_.min_count, name_));
  }
  if (symbols.size() < num_different) {
    // Rare ones are no fault: they are read as what stands for them.
    unknown_ = UnknownPolicy::kReplace;
    const auto place =
        std::lower_bound(symbols.begin(), symbols.end(), kReplacementCharacter);
    if (place == symbols.end() || *place != kReplacementCharacter) {
      symbols.insert(place, kReplacementCharacter);
    }
  }
  vocab_ = Vocab::FromSymbols(std::move(symbols));
  return absl::OkStatus();
}

absl::Status Preparation::CheckSize(const std::string& folder) const {
  const int64_t num_ids =
      encoding_ == Encoding::kBytes ? total_bytes_ : counted_;
  if (num_ids >= 0) {
    const auto split = SplitCorpus(num_ids, options_.fractions);
    if (!split.ok()) return Annotate(split.status(), name_);
    return CheckRoom(num_ids, folder);
  }
  // Of what is dropped there may be any number.
  if (unknown_ == UnknownPolicy::kDrop) return absl::OkStatus();
  return CheckRoom(total_bytes_ / kMaxBytesOfCharacter, folder);
}

absl::Status Preparation::CheckRoom(int64_t num_ids,
                                    const std::string& folder) const {
  const int id_bytes = IdBytes(vocab_->size());
  const int64_t most_ids =
      options_.shard_bytes / id_bytes * ShardWriter::kMaxShards;
  if (num_ids > most_ids) {
    return Annotate(ShardWriter::TooManyShards(options_.shard_bytes), name_);
  }
  CHARRNN_ASSIGN_OR_RETURN(const int64_t free, files_.FreeSpace(folder));
  const int64_t needed = ShardFileBytes(id_bytes, num_ids);
  if (free >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "%s: %.1f MB are free where %.1f MB are to be written: make room, or "
      "name another place with --output",
      options_.output, static_cast<double>(free) / 1e6,
      static_cast<double>(needed) / 1e6));
}

absl::Status Preparation::Write(ShardWriter& writer) {
  const TextEncoder encoder(&*vocab_, unknown_);
  std::vector<EncodedText> encoded(pool_.num_threads());
  int64_t dropped_bytes = 0;
  std::optional<char> only;  // the byte that all of the text so far is
  bool constant = true;
  CHARRNN_ASSIGN_OR_RETURN(
      std::vector<SourceFile> sources,
      ReadAll(
          num_passes_,
          [&](int worker, const TextBlock& block) {
            encoder.Encode(block.text(), &encoded[worker]);
          },
          [&](int worker, const TextBlock& block) {
            const EncodedText& part = encoded[worker];
            if (part.flaw() != EncodedText::Flaw::kNone) {
              return SetFlaw(FlawOf(part.flaw(), block, part.flaw_offset()));
            }
            if (!only) only = block.text().front();
            constant = constant && block.text().find_first_not_of(*only) ==
                                       absl::string_view::npos;
            result_.num_ids +=
                static_cast<int64_t>(part.packed().size()) / writer.id_bytes();
            result_.text_bytes += static_cast<int64_t>(block.size);
            result_.unknown.Append(part.unknown());
            dropped_bytes += part.dropped_bytes();
            return writer.Append(part.packed());
          }));
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].bytes != sources[i].bytes ||
        sources_[i].crc32c != sources[i].crc32c) {
      return HasChanged(sources[i].name);
    }
  }
  if (constant && !options_.vocab) return Annotate(OneSymbolError(), name_);
  result_.text_bytes -= dropped_bytes;
  CHARRNN_ASSIGN_OR_RETURN(result_.split, SplitIds());
  const int64_t ids_of_shard = options_.shard_bytes / writer.id_bytes();
  result_.num_shards = (result_.num_ids + ids_of_shard - 1) / ids_of_shard;
  result_.vocab_size = vocab_->size();
  result_.vocab_has_unknown = vocab_->unknown_id() >= 0;
  return writer.Finish(options_.fractions, std::move(sources),
                       result_.text_bytes);
}

absl::StatusOr<Split> Preparation::SplitIds() const {
  absl::StatusOr<Split> split =
      SplitCorpus(result_.num_ids, options_.fractions);
  if (split.ok()) return split;
  const UnknownCharacters& unknown = result_.unknown;
  if (unknown_ != UnknownPolicy::kDrop || unknown.count() == 0) {
    return Annotate(split.status(), name_);
  }
  if (result_.num_ids == 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: all %d characters were dropped, since the vocabulary lacks them "
        "(%s): use another --vocab_from",
        name_, unknown.count(), unknown.Shown()));
  }
  return Annotate(split.status(),
                  absl::StrFormat("%s: without the %d characters that the "
                                  "vocabulary lacks (%s)",
                                  name_, unknown.count(), unknown.Shown()));
}

absl::StatusOr<std::vector<SourceFile>> Preparation::ReadAll(int pass,
                                                             Work work,
                                                             Finish finish) {
  TextSource source(&files_, options_.inputs, encoding_, options_.block_bytes);
  PrepareOptions::Progress progress = {pass, num_passes_, 0, total_bytes_};
  const absl::Status status = RunBlockPipeline(
      pool_, {[&](TextBlock* block) { return source.Next(block); }, work,
              [&](int worker, const TextBlock& block) {
                if (options_.stop()) {
                  return absl::CancelledError(absl::StrCat(
                      options_.output, ": stopped before it was whole"));
                }
                CHARRNN_RETURN_IF_ERROR(finish(worker, block));
                progress.bytes += static_cast<int64_t>(block.size);
                options_.progress(progress);
                return absl::OkStatus();
              }});
  if (flaw_.kind != EncodedText::Flaw::kNone) {
    return Describe(flaw_, source.Find(flaw_.offset));
  }
  CHARRNN_RETURN_IF_ERROR(status);
  return source.finished();
}

absl::Status Preparation::SetFlaw(const Flaw& flaw) {
  flaw_ = flaw;
  // Where it stands is known when nobody reads any more.
  return absl::InvalidArgumentError("the text has a flaw");
}

absl::Status Preparation::Describe(const Flaw& flaw,
                                   const TextSource::Place& place) const {
  // The first pass has found none.
  if (!sources_.empty()) return HasChanged(place.path);
  if (flaw.kind == EncodedText::Flaw::kIllFormed) {
    return absl::InvalidArgumentError(absl::StrCat(
        place.path, ": ", IllFormedUtf8(place.offset, flaw.byte).message(),
        options_.vocab ? ""
                       : ", or read it byte by byte with --encoding=bytes"));
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: the character %s at byte offset %d is not in the vocabulary of %d: "
      "remove it, or use --unknown=drop%s",
      place.path, PrintableCharacter(flaw.character), place.offset,
      vocab_->size(), vocab_->unknown_id() >= 0 ? " or replace" : ""));
}

}  // namespace

absl::Status CheckPrepareOptions(const PrepareOptions& options) {
  CHARRNN_RETURN_IF_ERROR(CheckSplitFractions(options.fractions));
  CHARRNN_RETURN_IF_ERROR(ShardWriter::CheckShardBytes(options.shard_bytes));
  if (options.min_count < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--min_count=", options.min_count, ": must be at least 1"));
  }
  if (options.unknown == UnknownPolicy::kError || !options.vocab) {
    return absl::OkStatus();
  }
  if (options.vocab->encoding() == Encoding::kBytes) {
    return absl::InvalidArgumentError(
        "--unknown: the vocabulary has all bytes, so that none is unknown: "
        "leave the flag out");
  }
  if (options.unknown == UnknownPolicy::kReplace &&
      options.vocab->unknown_id() < 0) {
    return absl::InvalidArgumentError(
        "--unknown=replace: the vocabulary lacks U+FFFD, which would stand for "
        "unknown characters: use --unknown=drop, or a vocabulary that was made "
        "with --min_count");
  }
  return absl::OkStatus();
}

absl::StatusOr<PrepareResult> Prepare(FileSystem& files, ThreadPool& pool,
                                      const PrepareOptions& options) {
  return Preparation(&files, &pool, &options).Run();
}

}  // namespace charrnn
