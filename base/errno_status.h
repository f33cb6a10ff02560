#ifndef CHARRNN_BASE_ERRNO_STATUS_H_
#define CHARRNN_BASE_ERRNO_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// The error of the last system call, by errno, which was to do `what` to
// `path`: "a/b: cannot open: No such file or directory", its code as
// absl::ErrnoToStatusCode has it.
absl::Status ErrnoStatus(absl::string_view path, absl::string_view what);

}  // namespace charrnn

#endif  // CHARRNN_BASE_ERRNO_STATUS_H_
