#include "dist/coordinator/checkpoint_upload.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "model/manifest.h"

namespace charrnn {
namespace {

// The files that a checkpoint has, or may have.
constexpr const char* kFileNames[] = {
    "model.safetensors", "optimizer.safetensors", "streams.safetensors",
    "trainer.json", kManifestFileName};

// "model.safetensors at 1048576: <what>". A name from afar may be any bytes.
std::string At(absl::string_view file, int64_t offset, absl::string_view what) {
  constexpr size_t kMaxShown = 80;
  return absl::StrCat(absl::CHexEscape(file.substr(0, kMaxShown)), " at ",
                      offset, ": ", what);
}

absl::Status Wrong(const CheckpointChunk& chunk, absl::string_view what) {
  return absl::InvalidArgumentError(At(chunk.file, chunk.offset, what));
}

// What is wrong with a chunk whatever came before it.
absl::Status CheckByItself(const CheckpointChunk& chunk) {
  if (std::find(std::begin(kFileNames), std::end(kFileNames), chunk.file) ==
      std::end(kFileNames)) {
    return Wrong(chunk, "a checkpoint has no file of this name");
  }
  if (chunk.file_size < 0 || chunk.offset < 0 ||
      chunk.offset > chunk.file_size) {
    return Wrong(chunk,
                 absl::StrCat("no place in ", chunk.file_size, " bytes"));
  }
  if (chunk.data.size() > kMaxChunkBytes) {
    return Wrong(chunk, absl::StrCat("a chunk of ", chunk.data.size(),
                                     " bytes, over ", kMaxChunkBytes));
  }
  if (static_cast<int64_t>(chunk.data.size()) >
      chunk.file_size - chunk.offset) {
    return Wrong(chunk,
                 absl::StrCat("a chunk of ", chunk.data.size(),
                              " bytes goes over the end of ", chunk.file_size));
  }
  // Or there would be no end of them.
  if (chunk.data.empty() && chunk.file_size > 0) {
    return Wrong(chunk, "a chunk without data, and the file is not empty");
  }
  return absl::OkStatus();
}

absl::Status CheckData(const CheckpointChunk& chunk) {
  const uint32_t crc32c = Crc32c(chunk.data);
  if (crc32c == chunk.crc32c) return absl::OkStatus();
  return absl::DataLossError(
      At(chunk.file, chunk.offset,
         absl::StrFormat("its bytes are not those that were sent (their CRC32C "
                         "is %08x, the chunk says %08x): send it again",
                         crc32c, chunk.crc32c)));
}

}  // namespace

std::optional<CheckpointChunk> ChunkReader::Next() {
  if (files_.empty()) return std::nullopt;
  const CheckpointFile& file = files_.front();
  CheckpointChunk chunk;
  chunk.file = file.name;
  chunk.file_size = static_cast<int64_t>(file.bytes.size());
  chunk.offset = static_cast<int64_t>(offset_);
  chunk.data = file.bytes.substr(offset_, kMaxChunkBytes);
  chunk.crc32c = Crc32c(chunk.data);
  offset_ += chunk.data.size();
  if (offset_ == file.bytes.size()) {
    files_.remove_prefix(1);
    offset_ = 0;
  }
  return chunk;
}

bool CheckpointAssembler::InFile() const {
  return !files_.empty() &&
         static_cast<int64_t>(files_.back().bytes.size()) < file_size_;
}

absl::Status CheckpointAssembler::CheckBegin(
    const CheckpointChunk& chunk) const {
  for (const CheckpointFile& file : files_) {
    if (file.name == chunk.file) {
      return Wrong(chunk, "the file has come already");
    }
  }
  if (chunk.offset != 0) {
    return Wrong(chunk, "a file does not begin at its beginning");
  }
  if (chunk.file_size > limits_.total_bytes - announced_bytes_) {
    return absl::ResourceExhaustedError(
        At(chunk.file, chunk.offset,
           absl::StrCat("a file of ", chunk.file_size, " bytes behind ",
                        announced_bytes_, " of others: over the limit of ",
                        limits_.total_bytes, " for a checkpoint")));
  }
  return absl::OkStatus();
}

absl::Status CheckpointAssembler::CheckContinuation(
    const CheckpointChunk& chunk) const {
  const CheckpointFile& file = files_.back();
  if (chunk.file != file.name) {
    return Wrong(chunk, absl::StrCat("comes while ", file.name, " has ",
                                     file.bytes.size(), " of its ", file_size_,
                                     " bytes"));
  }
  if (chunk.file_size != file_size_) {
    return Wrong(chunk, absl::StrCat("a size of ", chunk.file_size,
                                     " bytes, and before it was ", file_size_));
  }
  if (chunk.offset != static_cast<int64_t>(file.bytes.size())) {
    return Wrong(chunk, absl::StrCat("the next chunk of the file would be at ",
                                     file.bytes.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckpointAssembler::Check(const CheckpointChunk& chunk) const {
  CHARRNN_RETURN_IF_ERROR(CheckByItself(chunk));
  CHARRNN_RETURN_IF_ERROR(InFile() ? CheckContinuation(chunk)
                                   : CheckBegin(chunk));
  return CheckData(chunk);
}

absl::Status CheckpointAssembler::Add(const CheckpointChunk& chunk) {
  if (!status_.ok()) return status_;
  status_ = Check(chunk);
  if (!status_.ok()) return status_;
  if (!InFile()) {
    files_.push_back({chunk.file, ""});
    file_size_ = chunk.file_size;
    announced_bytes_ += chunk.file_size;
  }
  std::string& bytes = files_.back().bytes;
  // Doubled when it is full, so that a byte is moved a few times at most, but
  // never beyond the file's end.
  const size_t needed = bytes.size() + chunk.data.size();
  if (needed > bytes.capacity()) {
    bytes.reserve(std::min(static_cast<size_t>(file_size_), 2 * needed));
  }
  bytes += chunk.data;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CheckpointFile>> CheckpointAssembler::Finish() && {
  CHARRNN_RETURN_IF_ERROR(status_);
  if (InFile()) {
    const CheckpointFile& file = files_.back();
    return absl::InvalidArgumentError(
        At(file.name, static_cast<int64_t>(file.bytes.size()),
           absl::StrCat("no more chunks came of a file of ", file_size_,
                        " bytes")));
  }
  const auto is_manifest = [](const CheckpointFile& file) {
    return file.name == kManifestFileName;
  };
  if (std::none_of(files_.begin(), files_.end(), is_manifest)) {
    return absl::InvalidArgumentError(
        At(kManifestFileName, 0, "the file has not come"));
  }
  return std::move(files_);
}

}  // namespace charrnn
