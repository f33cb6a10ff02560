#ifndef CHARRNN_MODEL_METRICS_APPEND_LOG_H_
#define CHARRNN_MODEL_METRICS_APPEND_LOG_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace charrnn {

// A file of records on the side of a run, such as its metrics. A full disk
// must not interrupt training in the middle of a step, so a failure is kept
// instead of returned: whoever owns the log asks for status() when it suits.
// One thread at a time.
class AppendLog {
 public:
  explicit AppendLog(std::unique_ptr<WritableFile> file)
      : file_(std::move(file)) {}

  // Writes a whole record at once, so that readers do not meet half of it. Does
  // nothing once a record has failed: the file may end within it.
  void Append(absl::string_view record);

  // Returns once all records would survive a power cut.
  absl::Status Sync();

  // The first failure, or OK.
  const absl::Status& status() const { return status_; }

 private:
  const std::unique_ptr<WritableFile> file_;
  absl::Status status_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_APPEND_LOG_H_
