#ifndef CHARRNN_DIST_COORDINATOR_CHECKPOINT_UPLOAD_H_
#define CHARRNN_DIST_COORDINATOR_CHECKPOINT_UPLOAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/manifest.h"

namespace charrnn {

// A checkpoint's way over a wire, at both ends: its files are cut into chunks,
// and put together again by somebody who believes nothing.
//
//   ChunkReader reader(files);
//   CheckpointAssembler assembler;
//   while (const auto chunk = reader.Next()) {
//     CHARRNN_RETURN_IF_ERROR(assembler.Add(*chunk));
//   }
//   CHARRNN_ASSIGN_OR_RETURN(const auto copy, std::move(assembler).Finish());

// A quarter of what gRPC takes for a message, unless told otherwise; and long
// enough that what it costs to send one is in its bytes.
inline constexpr size_t kMaxChunkBytes = 1 << 20;

// A piece of a file. A file's chunks follow one another in the order of their
// offsets, without a gap; an empty file is one chunk without data, and no other
// chunk is without.
struct CheckpointChunk {
  std::string file;       // its name
  int64_t file_size = 0;  // the whole file's, the same in all of its chunks
  int64_t offset = 0;     // where in the file the data begins
  std::string data;       // at most kMaxChunkBytes
  uint32_t crc32c = 0;    // of the data
};

// Cuts files into chunks, one at a time, so that there is never a second copy
// of it all. Not thread-safe.
class ChunkReader {
 public:
  // `files` are not owned, and stay as they are meanwhile.
  explicit ChunkReader(absl::Span<const CheckpointFile> files)
      : files_(files) {}

  // The next chunk, file after file in their order; none behind the last.
  std::optional<CheckpointChunk> Next();

 private:
  absl::Span<const CheckpointFile> files_;  // those that are not yet done
  size_t offset_ = 0;                       // within the first of them
};

// Puts files together of chunks that come from anywhere. It takes memory for
// what has come, never for what is only announced. Not thread-safe.
//
// What is wrong is told in a line that names file and offset:
//
//   InvalidArgument    a file that no checkpoint has, so that no name leads out
//                      of a folder; chunks that do not follow one another, or
//                      tell other sizes than before or impossible ones; a file
//                      that comes twice or while another one is not whole;
//                      at the end, a file that is not whole, or no
//                      MANIFEST.json
//   DataLoss           data of another checksum than its own
//   ResourceExhausted  more bytes in all than the limit, as soon as a file's
//                      size says so
//
// After an error all that follows is the same error.
class CheckpointAssembler {
 public:
  struct Limits {
    // Of the files' bytes: a model of 350 million parameters and its
    // optimizer's two moments.
    int64_t total_bytes = int64_t{4} << 30;
  };

  CheckpointAssembler() = default;
  explicit CheckpointAssembler(const Limits& limits) : limits_(limits) {}

  absl::Status Add(const CheckpointChunk& chunk);

  // The files, whole, in the order in which they came. That they are those that
  // MANIFEST.json lists is for who reads them to find out.
  absl::StatusOr<std::vector<CheckpointFile>> Finish() &&;

 private:
  // Whether `chunk` is one that may come now.
  absl::Status Check(const CheckpointChunk& chunk) const;
  // Likewise, if it is the first one of a file or one that goes on with it.
  absl::Status CheckBegin(const CheckpointChunk& chunk) const;
  absl::Status CheckContinuation(const CheckpointChunk& chunk) const;

  // Whether the last file is not whole.
  bool InFile() const;

  Limits limits_;
  absl::Status status_;
  std::vector<CheckpointFile> files_;
  int64_t file_size_ = 0;        // of the last of them, as announced
  int64_t announced_bytes_ = 0;  // of all of them
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_CHECKPOINT_UPLOAD_H_
