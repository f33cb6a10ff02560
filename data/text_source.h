#ifndef CHARRNN_DATA_TEXT_SOURCE_H_
#define CHARRNN_DATA_TEXT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "data/shard_format.h"
#include "data/vocab.h"

namespace charrnn {

// A piece of a text. Its memory is kept for the piece that is read next.
struct TextBlock {
  int64_t offset = 0;  // in the whole text, bytes
  size_t size = 0;
  std::vector<char> buffer;  // of at least `size`

  absl::string_view text() const { return {buffer.data(), size}; }
};

// A text in files, one behind the other as cat(1) joins them, read once from
// its beginning to its end in the memory of a block. A character of UTF-8 is
// never cut, not even where one file ends and the next begins. One thread at a
// time.
//
//   TextSource source(files, {"a.txt", "b.txt"}, Encoding::kUtf8, 1 << 20);
//   TextBlock block;
//   while (true) {
//     CHARRNN_ASSIGN_OR_RETURN(const bool more, source.Next(&block));
//     if (!more) break;
//     Use(block.text());
//   }
class TextSource {
 public:
  // `files` is not owned and outlives the source. `block_bytes` is at least 4,
  // a character's length.
  TextSource(FileSystem* files, std::vector<std::string> paths,
             Encoding encoding, size_t block_bytes);

  // Reads the next `block_bytes` of the text, fewer if a character would be
  // cut or at its end. False, and an empty block, behind it. Ill-formed UTF-8
  // is handed out as it is. Possible errors: those of FileSystem.
  absl::StatusOr<bool> Next(TextBlock* block);

  // The files that have been read to their ends, in their order.
  const std::vector<SourceFile>& finished() const { return finished_; }

  // Where a byte of the whole text, which has been read, lies.
  struct Place {
    std::string path;
    int64_t offset = 0;
  };
  Place Find(int64_t offset) const;

 private:
  // Reads on, in one file or the next, and sums what it reads. 0 bytes at the
  // end of the last file.
  absl::StatusOr<size_t> ReadSome(absl::Span<char> buffer);

  FileSystem* const files_;
  const std::vector<std::string> paths_;
  const Encoding encoding_;
  const size_t block_bytes_;

  std::unique_ptr<ReadableFile> file_;  // null: none is open
  SourceFile current_;                  // what is known of it
  std::vector<SourceFile> finished_;
  std::vector<int64_t> begins_;  // of files, the open one included
  int64_t position_ = 0;         // bytes read from files
  std::string unfinished_;       // the end of the last block that was cut off
};

// How many bytes the files at `paths` have together. Possible errors: those of
// FileSystem::OpenForRead, for the first that cannot be read.
absl::StatusOr<int64_t> TotalSize(FileSystem& files,
                                  const std::vector<std::string>& paths);

}  // namespace charrnn

#endif  // CHARRNN_DATA_TEXT_SOURCE_H_
