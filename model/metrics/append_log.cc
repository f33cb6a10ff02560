#include "model/metrics/append_log.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace charrnn {

void AppendLog::Append(absl::string_view record) {
  if (status_.ok()) status_ = file_->Append(record);
}

absl::Status AppendLog::Sync() {
  if (status_.ok()) status_ = file_->Sync();
  return status_;
}

}  // namespace charrnn
