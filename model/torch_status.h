#ifndef CHARRNN_MODEL_TORCH_STATUS_H_
#define CHARRNN_MODEL_TORCH_STATUS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// Runs `f`, which calls LibTorch, and turns an exception that leaves it into a
// Status of one line: "<what>: <LibTorch's first line>", without a stack
// trace. A warning of LibTorch's becomes a line of our log, once and not each
// time: it knows nothing of steps.
//
// Possible errors: ResourceExhausted where memory ran out, else Internal.
absl::Status CatchTorch(absl::string_view what, absl::FunctionRef<void()> f);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TORCH_STATUS_H_
