#include "model/metrics/append_log.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace charrnn {

absl::StatusOr<AppendLog> AppendLog::Open(FileSystem& files,
                                          const std::string& path,
                                          int64_t keep) {
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
  return AppendLog(std::move(file), size);
}

void AppendLog::Append(absl::string_view record) {
  if (status_.ok()) status_ = file_->Append(record);
  if (status_.ok()) size_ += static_cast<int64_t>(record.size());
}

absl::Status AppendLog::Sync() { return file_->Sync(); }

}  // namespace charrnn
