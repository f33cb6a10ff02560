#ifndef CHARRNN_MODEL_METRICS_APPEND_LOG_H_
#define CHARRNN_MODEL_METRICS_APPEND_LOG_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace charrnn {

// A file of records on the side of a run, such as its metrics. A full disk
// must not interrupt training in the middle of a step, so a failure is kept
// instead of returned: whoever owns the log asks for status() when it suits.
// What could not be written is written with the next record, once there is
// room. One thread at a time, but for Sync().
class AppendLog {
 public:
  // Keeps all of an old file.
  static constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

  // Opens the file at `path`, new or to be continued. Of an old one the first
  // `keep` bytes stay: a run that goes on from a checkpoint keeps what was
  // written before it and writes the rest anew. `files` outlives the log.
  static absl::StatusOr<std::unique_ptr<AppendLog>> Open(
      FileSystem& files, const std::string& path, int64_t keep = kAll);

  // Writes a whole record at once, so that readers do not meet half of it.
  void Append(absl::string_view record);

  // Returns once all that was written would survive a power cut. Another
  // thread may call it while this one appends.
  absl::Status Sync();

  // The file's length in bytes once it holds every record.
  int64_t size() const { return size_ + static_cast<int64_t>(pending_.size()); }

  // Why records are missing from the file; OK if none is.
  const absl::Status& status() const { return status_; }

 private:
  AppendLog(FileSystem* files, std::string path,
            std::shared_ptr<WritableFile> file, int64_t size)
      : files_(files),
        path_(std::move(path)),
        file_(std::move(file)),
        size_(size) {}

  // Cuts off what a failure has left of a record, and opens the file again.
  absl::Status Reopen();

  FileSystem* const files_;
  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<WritableFile> file_;  // replaced under mutex_
  int64_t size_;                        // of the file, whole records
  std::string pending_;                 // records that are not in the file yet
  absl::Status status_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_APPEND_LOG_H_
