#include "data/corpus.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/packed_ids.h"
#include "data/unknown_characters.h"
#include "data/utf8.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

// Ids in memory, as the unsigned type `Id`.
template <typename Id>
class MemoryCorpus : public Corpus {
 public:
  MemoryCorpus(std::string name, Vocab vocab, std::vector<Id> ids)
      : name_(std::move(name)),
        vocab_(std::move(vocab)),
        ids_(std::move(ids)) {}

  int64_t size() const override { return static_cast<int64_t>(ids_.size()); }
  const Vocab& vocab() const override { return vocab_; }
  std::string name() const override { return name_; }

  absl::Status Read(int64_t offset, absl::Span<int32_t> ids) const override {
    const auto count = static_cast<int64_t>(ids.size());
    CHARRNN_CHECK(offset >= 0 && count <= size() && offset <= size() - count)
        << name_ << ": " << count << " ids at " << offset << " of " << size();
    std::copy_n(ids_.begin() + offset, count, ids.begin());
    return absl::OkStatus();
  }

 protected:
  uint32_t ids_crc32c() const override {
    // In memory as they are packed: x86-64 is little-endian.
    return ExtendIdsCrc32c(
        0,
        absl::string_view(reinterpret_cast<const char*>(ids_.data()),
                          ids_.size() * sizeof(Id)),
        sizeof(Id));
  }

 private:
  const std::string name_;
  const Vocab vocab_;
  const std::vector<Id> ids_;
};

// Where symbol number `index` of `text` stands: "line 3, column 14".
std::string LineAndColumn(absl::string_view text, Encoding encoding,
                          int64_t index) {
  int64_t line = 1;
  int64_t column = 1;
  int64_t seen = 0;
  // The text has been decoded before, up to `index` at least.
  ForEachSymbol(text, encoding, [&](char32_t symbol) {
    if (seen++ >= index) return;
    line += symbol == '\n';
    column = symbol == '\n' ? 1 : column + 1;
  }).IgnoreError();
  return absl::StrFormat("line %d, column %d", line, column);
}

template <typename Id>
absl::StatusOr<std::unique_ptr<Corpus>> Encode(std::string name,
                                               const std::string& text,
                                               const Vocab& vocab) {
  std::vector<Id> ids;
  ids.reserve(text.size());  // A symbol has at least one byte.
  const int32_t stand_in = vocab.unknown_id();
  UnknownCharacters unknown;
  char32_t first_unknown = 0;
  int64_t first_unknown_at = -1;
  int64_t num_symbols = 0;
  CHARRNN_RETURN_IF_ERROR(
      ForEachSymbol(text, vocab.encoding(), [&](char32_t symbol) {
        int32_t id = vocab.Find(symbol);
        if (id < 0) {
          if (first_unknown_at < 0) {
            first_unknown = symbol;
            first_unknown_at = num_symbols;
          }
          unknown.Add(symbol);
          id = stand_in;
        }
        ids.push_back(static_cast<Id>(id));
        ++num_symbols;
      }));
  if (first_unknown_at >= 0 && stand_in < 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the character %s at %s is not among the %d of the model; remove it, "
        "or begin a model with a text that has it",
        PrintableCharacter(first_unknown),
        LineAndColumn(text, vocab.encoding(), first_unknown_at), vocab.size()));
  }
  if (unknown.count() > 0) {
    CHARRNN_LOG(WARNING) << name << ": " << unknown.count() << " of "
                         << num_symbols
                         << " characters are not in the vocabulary ("
                         << unknown.Shown() << ") and are read as U+FFFD";
  }
  ids.shrink_to_fit();  // A text that is not ASCII has fewer ids than bytes.
  return std::make_unique<MemoryCorpus<Id>>(std::move(name), vocab,
                                            std::move(ids));
}

// `text` under `vocab`, in the smallest type. Errors do not name `name`.
absl::StatusOr<std::unique_ptr<Corpus>> EncodeSmallest(const std::string& name,
                                                       const std::string& text,
                                                       const Vocab& vocab) {
  switch (IdBytes(vocab.size())) {
    case sizeof(uint8_t):
      return Encode<uint8_t>(name, text, vocab);
    case sizeof(uint16_t):
      return Encode<uint16_t>(name, text, vocab);
    default:
      return Encode<uint32_t>(name, text, vocab);
  }
}

absl::StatusOr<std::unique_ptr<Corpus>> CorpusFromText(const std::string& name,
                                                       const std::string& text,
                                                       Encoding encoding) {
  const absl::StatusOr<Vocab> vocab = Vocab::FromText(text, encoding);
  if (!vocab.ok()) {  // It is not UTF-8, for it is not empty.
    return absl::InvalidArgumentError(
        absl::StrCat(vocab.status().message(),
                     ", or read it byte by byte with --encoding=bytes"));
  }
  // The vocabulary of bytes is always full, so the text itself is looked at.
  const bool constant =
      encoding == Encoding::kUtf8
          ? vocab->size() == 1
          : text.find_first_not_of(text.front()) == std::string::npos;
  if (constant) return OneSymbolError();
  return EncodeSmallest(name, text, *vocab);
}

// Reads `path` and applies `encode`; the path is named in every error.
template <typename Function>
absl::StatusOr<std::unique_ptr<Corpus>> OpenWith(FileSystem& files,
                                                 const std::string& path,
                                                 Function encode) {
  const absl::StatusOr<std::string> read = files.ReadFile(path);
  if (absl::IsResourceExhausted(read.status())) {
    return absl::ResourceExhaustedError(
        absl::StrCat(read.status().message(),
                     ": make a shard set of it with `prepare "
                     "--output=FOLDER`, and name that"));
  }
  CHARRNN_RETURN_IF_ERROR(read.status());
  const std::string& text = *read;
  if (text.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": the file is empty; use a text of some thousand "
                     "characters at least"));
  }
  absl::StatusOr<std::unique_ptr<Corpus>> corpus = encode(text);
  if (!corpus.ok()) return Annotate(corpus.status(), path);
  return corpus;
}

}  // namespace

std::string Corpus::fingerprint() const {
  return absl::StrFormat("%08x-%08x-%x", ids_crc32c(), Crc32c(vocab().ToJson()),
                         size());
}

absl::StatusOr<std::unique_ptr<Corpus>> OpenTextCorpus(FileSystem& files,
                                                       const std::string& path,
                                                       Encoding encoding) {
  return OpenWith(files, path, [&](const std::string& text) {
    return CorpusFromText(path, text, encoding);
  });
}

absl::StatusOr<std::unique_ptr<Corpus>> OpenTextCorpusWithVocab(
    FileSystem& files, const std::string& path, const Vocab& vocab) {
  return OpenWith(files, path, [&](const std::string& text) {
    return EncodeSmallest(path, text, vocab);
  });
}

absl::string_view SnippetText() {
  return "ROMEO:\n"
         "But soft, what light through yonder window breaks?\n"
         "It is the east, and Juliet is the sun.\n"
         "Arise, fair sun, and kill the envious moon,\n"
         "Who is already sick and pale with grief.\n"
         "\n"
         "JULIET:\n"
         "O Romeo, Romeo! wherefore art thou Romeo?\n"
         "Deny thy father and refuse thy name;\n"
         "Or, if thou wilt not, be but sworn my love,\n"
         "And I'll no longer be a Capulet.\n";
}

std::unique_ptr<Corpus> SnippetCorpus(Encoding encoding) {
  auto corpus =
      CorpusFromText("built-in snippet", std::string(SnippetText()), encoding);
  CHARRNN_CHECK(corpus.ok()) << corpus.status();
  return *std::move(corpus);
}

}  // namespace charrnn
