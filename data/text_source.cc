#include "data/text_source.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/shard_format.h"
#include "data/utf8.h"
#include "data/vocab.h"

namespace charrnn {

TextSource::TextSource(FileSystem* files, std::vector<std::string> paths,
                       Encoding encoding, size_t block_bytes)
    : files_(files),
      paths_(std::move(paths)),
      encoding_(encoding),
      block_bytes_(block_bytes) {
  CHARRNN_CHECK(block_bytes >= 4) << "blocks of " << block_bytes << " bytes";
}

absl::StatusOr<size_t> TextSource::ReadSome(absl::Span<char> buffer) {
  while (file_ != nullptr || finished_.size() < paths_.size()) {
    if (file_ == nullptr) {
      current_ = {paths_[finished_.size()]};
      CHARRNN_ASSIGN_OR_RETURN(file_, files_->OpenForRead(current_.name));
      begins_.push_back(position_);
    }
    CHARRNN_ASSIGN_OR_RETURN(const size_t got, file_->Read(buffer));
    current_.crc32c = ExtendCrc32c(current_.crc32c, {buffer.data(), got});
    current_.bytes += static_cast<int64_t>(got);
    position_ += static_cast<int64_t>(got);
    if (got < buffer.size()) {
      finished_.push_back(std::move(current_));
      file_ = nullptr;
    }
    if (got > 0) return got;
  }
  return size_t{0};
}

absl::StatusOr<bool> TextSource::Next(TextBlock* block) {
  block->offset = position_ - static_cast<int64_t>(unfinished_.size());
  block->buffer.resize(block_bytes_);
  std::copy(unfinished_.begin(), unfinished_.end(), block->buffer.begin());
  block->size = unfinished_.size();
  unfinished_.clear();
  while (block->size < block_bytes_) {
    CHARRNN_ASSIGN_OR_RETURN(
        const size_t got,
        ReadSome(absl::MakeSpan(block->buffer).subspan(block->size)));
    if (got == 0) return block->size > 0;
    block->size += got;
  }
  if (encoding_ == Encoding::kUtf8) {
    const size_t cut = UnfinishedUtf8Suffix(block->text());
    block->size -= cut;
    unfinished_.assign(block->buffer.data() + block->size, cut);
  }
  return true;
}

TextSource::Place TextSource::Find(int64_t offset) const {
  CHARRNN_CHECK(0 <= offset && offset < position_) << "offset " << offset;
  // The last file that begins there or before; empty ones hold no byte.
  const auto next = std::upper_bound(begins_.begin(), begins_.end(), offset);
  const size_t index = next - begins_.begin() - 1;
  return {paths_[index], offset - begins_[index]};
}

absl::StatusOr<int64_t> TotalSize(FileSystem& files,
                                  const std::vector<std::string>& paths) {
  int64_t total = 0;
  for (const std::string& path : paths) {
    CHARRNN_ASSIGN_OR_RETURN(const auto file, files.OpenForRead(path));
    total += file->size();
  }
  return total;
}

}  // namespace charrnn
