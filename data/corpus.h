// A text as a sequence of ids, wherever it is stored.

#ifndef CHARRNN_DATA_CORPUS_H_
#define CHARRNN_DATA_CORPUS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {

// A sequence of ids with their vocabulary. Immutable, and safe to read from
// any number of threads.
//
//   CHARRNN_ASSIGN_OR_RETURN(
//       std::unique_ptr<Corpus> corpus,
//       OpenTextCorpus(*FileSystem::Real(), "my.txt", Encoding::kUtf8));
//   std::vector<int32_t> ids(100);
//   corpus->Read(0, absl::MakeSpan(ids));
class Corpus {
 public:
  virtual ~Corpus() = default;

  // The number of ids, which is the number of the text's symbols.
  virtual int64_t size() const = 0;

  virtual const Vocab& vocab() const = 0;

  // Fills `ids` with ids [offset, offset + ids.size()), which must lie within
  // [0, size()).
  //
  // Possible errors, all naming the file; a text in memory has none:
  //   kDataLoss: what is read is damaged.
  //   kNotFound: that part of the corpus is not on this host.
  //   kUnavailable: the disk does not give it.
  virtual absl::Status Read(int64_t offset, absl::Span<int32_t> ids) const = 0;

  // Says that ids [offset, offset + count) will be read soon, so that a disk
  // may fetch several such pieces at once.
  virtual void WillRead(int64_t /*offset*/, int64_t /*count*/) const {}

  // Whether ids [begin, end) are on this host. kNotFound names what is missing;
  // kDataLoss, naming the file, if what is there is not what it should be, as
  // far as that can be seen without reading all of it; kUnavailable likewise,
  // if the disk does not give what there is to see.
  virtual absl::Status CheckPresent(int64_t, int64_t) const {
    return absl::OkStatus();
  }

  // How the corpus is split, where that was decided when it was prepared.
  virtual std::optional<SplitFractions> split_fractions() const {
    return std::nullopt;
  }

  // What messages call it: the path, or "built-in snippet".
  virtual std::string name() const = 0;

  // "<CRC32C of the ids>-<CRC32C of the vocabulary>-<size>" in hexadecimal:
  // equal for equal content, however and wherever that is stored. The ids are
  // summed as 32-bit little-endian words, the vocabulary as its JSON.
  std::string fingerprint() const;

 protected:
  // The CRC32C of all ids as 32-bit little-endian words.
  virtual uint32_t ids_crc32c() const = 0;
};

// Reads a text file into memory, one, two or four bytes a symbol, whichever
// suffices for its vocabulary.
//
// Possible errors, all naming `path`:
//   kInvalidArgument: empty, ill-formed UTF-8, or only one distinct symbol.
//   kResourceExhausted: it does not fit into memory; prepared it would.
//   Those of FileSystem::ReadFile.
absl::StatusOr<std::unique_ptr<Corpus>> OpenTextCorpus(FileSystem& files,
                                                       const std::string& path,
                                                       Encoding encoding);

// The same under a given vocabulary: a text to evaluate a checkpoint on. Under
// one that has an unknown_id(), characters that it lacks are read as that; how
// many is said aloud.
//
// Possible errors, all naming `path`:
//   kInvalidArgument: empty, ill-formed UTF-8, or a character that `vocab`
//     lacks, without an unknown_id(); the first one is named with its line and
//     column.
//   Those of FileSystem::ReadFile.
absl::StatusOr<std::unique_ptr<Corpus>> OpenTextCorpusWithVocab(
    FileSystem& files, const std::string& path, const Vocab& vocab);

// The text to train on where the user has none: the opening of the balcony
// scene, 347 characters, 45 of them distinct, all ASCII.
absl::string_view SnippetText();

// SnippetText() as a corpus.
std::unique_ptr<Corpus> SnippetCorpus(Encoding encoding);

}  // namespace charrnn

#endif  // CHARRNN_DATA_CORPUS_H_
