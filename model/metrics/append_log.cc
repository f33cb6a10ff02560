#include "model/metrics/append_log.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// What a run that outlives its disk may take of memory for its records.
constexpr size_t kMaxPending = 64 << 20;

// The file at `path`, cut to at most `keep` bytes, and its length then.
absl::StatusOr<std::pair<std::unique_ptr<WritableFile>, int64_t>> OpenCut(
    FileSystem& files, const std::string& path, int64_t keep) {
  int64_t size = 0;
  if (files.Exists(path)) {
    CHARRNN_ASSIGN_OR_RETURN(const std::string old, files.ReadFile(path));
    size = std::min(keep, static_cast<int64_t>(old.size()));
    if (size < static_cast<int64_t>(old.size())) {
      CHARRNN_RETURN_IF_ERROR(WriteFileAtomically(
          files, path, absl::string_view(old).substr(0, size)));
    }
  }
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                           files.OpenForWrite(path, WriteMode::kAppend));
  return std::make_pair(std::move(file), size);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AppendLog>> AppendLog::Open(
    FileSystem& files, const std::string& path, int64_t keep) {
  CHARRNN_ASSIGN_OR_RETURN(auto opened, OpenCut(files, path, keep));
  return absl::WrapUnique(
      new AppendLog(&files, path, std::move(opened.first), opened.second));
}

absl::Status AppendLog::Reopen() {
  CHARRNN_ASSIGN_OR_RETURN(auto opened, OpenCut(*files_, path_, size_));
  const std::lock_guard<std::mutex> lock(mutex_);
  file_ = std::move(opened.first);
  return absl::OkStatus();
}

void AppendLog::Append(absl::string_view record) {
  // More than that is lost, and status() never says otherwise again.
  if (pending_.size() > kMaxPending) return;
  pending_.append(record.data(), record.size());
  if (!status_.ok()) status_ = Reopen();
  if (status_.ok()) status_ = file_->Append(pending_);
  if (!status_.ok()) return;
  size_ += static_cast<int64_t>(pending_.size());
  pending_.clear();
}

absl::Status AppendLog::Sync() {
  std::unique_lock<std::mutex> lock(mutex_);
  const std::shared_ptr<WritableFile> file = file_;
  lock.unlock();
  return file->Sync();
}

}  // namespace charrnn
