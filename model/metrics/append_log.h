#ifndef CHARRNN_MODEL_METRICS_APPEND_LOG_H_
#define CHARRNN_MODEL_METRICS_APPEND_LOG_H_

#include <cstdint>
#include <limits>
#include <memory>
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
// One thread at a time.
class AppendLog {
 public:
  // Keeps all of an old file.
  static constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

  // Opens the file at `path`, new or to be continued. Of an old one the first
  // `keep` bytes stay: a run that goes on from a checkpoint keeps what was
  // written before it and writes the rest anew.
  static absl::StatusOr<AppendLog> Open(FileSystem& files,
                                        const std::string& path,
                                        int64_t keep = kAll);

  // Writes a whole record at once, so that readers do not meet half of it. Does
  // nothing once a record has failed: the file may end within it.
  void Append(absl::string_view record);

  // Returns once all records would survive a power cut. Another thread may call
  // it while this one appends.
  absl::Status Sync();

  // The file's length in bytes, as far as whole records go.
  int64_t size() const { return size_; }

  // The first failure, or OK.
  const absl::Status& status() const { return status_; }

 private:
  AppendLog(std::unique_ptr<WritableFile> file, int64_t size)
      : file_(std::move(file)), size_(size) {}

  std::unique_ptr<WritableFile> file_;
  int64_t size_;
  absl::Status status_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_APPEND_LOG_H_
