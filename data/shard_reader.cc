#include "data/shard_reader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "data/corpus.h"
#include "data/corpus_error.h"
#include "data/shard_format.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

// Missing shards that are worth naming.
constexpr size_t kMaxMissingShown = 3;

absl::Status CorpusErrorIn(absl::string_view path, const absl::Status& status) {
  return CorpusError(Annotate(status, path));
}

// One shard's file. Thread-safe.
class Shard {
 public:
  Shard(const ShardManifest* manifest, int64_t index,
        std::unique_ptr<MappedFile> file)
      : manifest_(manifest), index_(index), file_(std::move(file)) {}

  // Whether it is on this host.
  bool present() const { return file_ != nullptr; }

  // Whether what stands behind the ids is what the manifest says; looked at
  // once. For a shard that is there, as Read() is.
  absl::Status CheckEnd() const;

  // Fills `ids` with those from `offset` on, counted in the shard.
  absl::Status Read(int64_t offset, absl::Span<int32_t> ids) const;
  void WillRead(int64_t offset, int64_t count) const;

 private:
  int64_t IdAreaBytes() const {
    return manifest_->shards[index_].num_ids * manifest_->id_bytes;
  }

  // CheckEnd(), each time anew.
  absl::Status ReadEnd() const;

  // Reads and checks block number `block`; `buffer` has room for it.
  absl::StatusOr<absl::string_view> ReadBlock(int64_t block,
                                              absl::Span<char> buffer) const;

  const ShardManifest* const manifest_;  // not owned
  const int64_t index_;
  const std::unique_ptr<MappedFile> file_;  // nullptr: not on this host
  mutable std::once_flag end_is_checked_;
  mutable absl::Status end_status_;
};

absl::Status Shard::CheckEnd() const {
  std::call_once(end_is_checked_, [this] { end_status_ = ReadEnd(); });
  return end_status_;
}

absl::Status Shard::ReadEnd() const {
  std::string end(file_->size() - IdAreaBytes(), '\0');
  CHARRNN_RETURN_IF_ERROR(
      file_->Read(IdAreaBytes(), absl::MakeSpan(&end[0], end.size())));
  const absl::Status status = CheckShardEnd(end, *manifest_, index_);
  return status.ok() ? status : CorpusErrorIn(file_->path(), status);
}

absl::StatusOr<absl::string_view> Shard::ReadBlock(
    int64_t block, absl::Span<char> buffer) const {
  const int64_t begin = block * kShardBlockBytes;
  const int64_t size = std::min(kShardBlockBytes, IdAreaBytes() - begin);
  std::array<char, sizeof(uint32_t)> crc32c;
  CHARRNN_RETURN_IF_ERROR(file_->Read(begin, buffer.subspan(0, size)));
  CHARRNN_RETURN_IF_ERROR(
      file_->Read(IdAreaBytes() + block * static_cast<int64_t>(crc32c.size()),
                  absl::MakeSpan(crc32c)));
  const absl::string_view bytes(buffer.data(), size);
  const absl::Status status =
      CheckShardBlock(bytes, absl::string_view(crc32c.data(), crc32c.size()));
  if (status.ok()) return bytes;
  return CorpusErrorIn(
      absl::StrCat(file_->path(), ": bytes ", begin, " to ", begin + size),
      status);
}

void Shard::WillRead(int64_t offset, int64_t count) const {
  const int64_t begin = offset * manifest_->id_bytes;
  file_->Prefetch(begin, count * manifest_->id_bytes);
  // And its checksums, which lie on a page of their own.
  const int64_t first = begin / kShardBlockBytes;
  file_->Prefetch(
      IdAreaBytes() + first * static_cast<int64_t>(sizeof(uint32_t)),
      sizeof(uint32_t));
}

absl::Status Shard::Read(int64_t offset, absl::Span<int32_t> ids) const {
  CHARRNN_RETURN_IF_ERROR(CheckEnd());
  const int id_bytes = manifest_->id_bytes;
  const int64_t ids_per_block = kShardBlockBytes / id_bytes;
  std::array<char, kShardBlockBytes> buffer;
  while (!ids.empty()) {
    const int64_t begin = offset % ids_per_block;
    CHARRNN_ASSIGN_OR_RETURN(
        const absl::string_view block,
        ReadBlock(offset / ids_per_block, absl::MakeSpan(buffer)));
    const absl::Span<int32_t> piece = ids.subspan(0, ids_per_block - begin);
    const absl::Status status =
        UnpackIds(block.substr(begin * id_bytes, piece.size() * id_bytes),
                  id_bytes, manifest_->vocab.size(), piece);
    if (!status.ok()) return CorpusErrorIn(file_->path(), status);
    offset += static_cast<int64_t>(piece.size());
    ids.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

class ShardCorpus : public Corpus {
 public:
  ShardCorpus(std::string folder, ShardManifest manifest)
      : folder_(std::move(folder)), manifest_(std::move(manifest)) {}

  // Maps the shards that are there.
  absl::Status Open();

  int64_t size() const override { return manifest_.num_ids; }
  const Vocab& vocab() const override { return manifest_.vocab; }
  std::string name() const override { return folder_; }
  std::optional<SplitFractions> split_fractions() const override {
    return manifest_.fractions;
  }

  absl::Status Read(int64_t offset, absl::Span<int32_t> ids) const override;
  void WillRead(int64_t offset, int64_t count) const override;
  absl::Status CheckPresent(int64_t begin, int64_t end) const override;

 protected:
  uint32_t ids_crc32c() const override { return manifest_.ids_crc32c; }

 private:
  // What `status`, of a shard that finds no place in memory, means to users.
  absl::Status NoMoreMappings(const absl::Status& status) const;

  // The shard that holds id number `offset`, which is below size().
  size_t ShardOf(int64_t offset) const {
    return std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin();
  }

  int64_t Begin(size_t shard) const {
    return shard == 0 ? 0 : ends_[shard - 1];
  }

  const std::string folder_;
  const ShardManifest manifest_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<int64_t> ends_;  // of the shards, in ids of the corpus
};

absl::Status ShardCorpus::NoMoreMappings(const absl::Status& status) const {
  return CorpusError(absl::Status(
      status.code(),
      absl::StrCat(status.message(), ": the system lets this process map ",
                   shards_.size(), " of ", manifest_.shards.size(),
                   " shards: prepare the set again with larger "
                   "--shard_bytes")));
}

absl::Status ShardCorpus::Open() {
  int64_t end = 0;
  for (const ShardEntry& entry : manifest_.shards) {
    const auto index = static_cast<int64_t>(shards_.size());
    const std::string path = JoinPath(folder_, ShardFileName(index));
    auto file = MappedFile::Open(path);
    if (absl::IsNotFound(file.status())) {
      file = nullptr;
    } else if (absl::IsResourceExhausted(file.status())) {
      return NoMoreMappings(file.status());
    } else if (!file.ok()) {
      return file.status();
    }
    const int64_t expected = ShardFileBytes(manifest_.id_bytes, entry.num_ids);
    if (*file != nullptr && (*file)->size() != expected) {
      return CorpusErrorIn(
          path, absl::DataLossError(absl::StrCat(
                    "has ", (*file)->size(), " bytes where ",
                    kShardManifestFileName, " says ", expected,
                    ": it is cut off, or of another set: copy it again")));
    }
    end += entry.num_ids;
    ends_.push_back(end);
    shards_.push_back(
        std::make_unique<Shard>(&manifest_, index, *std::move(file)));
  }
  return absl::OkStatus();
}

absl::Status ShardCorpus::Read(int64_t offset, absl::Span<int32_t> ids) const {
  const auto count = static_cast<int64_t>(ids.size());
  CHARRNN_CHECK(offset >= 0 && count <= size() && offset <= size() - count)
      << folder_ << ": " << count << " ids at " << offset << " of " << size();
  while (!ids.empty()) {
    const size_t shard = ShardOf(offset);
    if (!shards_[shard]->present()) return CheckPresent(offset, ends_[shard]);
    const absl::Span<int32_t> piece = ids.subspan(0, ends_[shard] - offset);
    CHARRNN_RETURN_IF_ERROR(shards_[shard]->Read(offset - Begin(shard), piece));
    offset += static_cast<int64_t>(piece.size());
    ids.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

void ShardCorpus::WillRead(int64_t offset, int64_t count) const {
  while (count > 0) {
    const size_t shard = ShardOf(offset);
    const int64_t piece = std::min(count, ends_[shard] - offset);
    if (shards_[shard]->present()) {
      shards_[shard]->WillRead(offset - Begin(shard), piece);
    }
    offset += piece;
    count -= piece;
  }
}

absl::Status ShardCorpus::CheckPresent(int64_t begin, int64_t end) const {
  absl::Status status;  // the first error of one that is there
  std::vector<std::string> shown;
  size_t missing = 0;
  for (size_t i = begin < end ? ShardOf(begin) : shards_.size();
       i < shards_.size() && Begin(i) < end; ++i) {
    if (shards_[i]->present()) {
      if (status.ok()) status = shards_[i]->CheckEnd();
    } else if (++missing <= kMaxMissingShown) {
      shown.push_back(ShardFileName(static_cast<int64_t>(i)));
    }
  }
  if (missing == 0) return status;
  return CorpusErrorIn(
      folder_, absl::NotFoundError(absl::StrCat(
                   "of its ", shards_.size(), " shards this host lacks ",
                   absl::StrJoin(shown, ", "),
                   missing > shown.size()
                       ? absl::StrCat(" and ", missing - shown.size(), " more")
                       : "",
                   ": copy what is missing, or prepare the set again")));
}

// What is in a folder that has no manifest.
absl::Status NoManifest(FileSystem& files, const std::string& folder) {
  const bool begun = files.Exists(JoinPath(folder, ShardFileName(0))) ||
                     absl::EndsWith(Basename(folder), ".unfinished");
  return absl::NotFoundError(absl::StrCat(
      folder, ": has no ", kShardManifestFileName,
      begun ? ", so `prepare` has not finished it: run it again"
            : ", so it is no shard set: make one of the texts in it with "
              "`prepare --output=FOLDER`, and name that"));
}

}  // namespace

absl::StatusOr<ShardManifest> ReadShardManifest(FileSystem& files,
                                                const std::string& folder) {
  const std::string path = JoinPath(folder, kShardManifestFileName);
  const auto text = files.ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    return CorpusError(NoManifest(files, folder));
  }
  CHARRNN_RETURN_IF_ERROR(text.status());
  auto manifest = DecodeShardManifest(*text);
  if (!manifest.ok()) return CorpusErrorIn(folder, manifest.status());
  return manifest;
}

absl::StatusOr<std::unique_ptr<Corpus>> OpenShards(FileSystem& files,
                                                   const std::string& folder) {
  CHARRNN_ASSIGN_OR_RETURN(ShardManifest manifest,
                           ReadShardManifest(files, folder));
  auto corpus = std::make_unique<ShardCorpus>(folder, std::move(manifest));
  CHARRNN_RETURN_IF_ERROR(corpus->Open());
  return corpus;
}

}  // namespace charrnn
