#include "cmd/device_flags.h"

#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/device.h"
#include "model/metrics/display.h"
#include "model/torch_threads.h"

ABSL_FLAG(std::string, device, "auto",
          "Where to compute: auto (a GPU if there is one), cpu, cuda or "
          "cuda:N.");
ABSL_FLAG(int, threads, 0, "CPU threads to compute with; 0: all cores.");

namespace charrnn {
namespace {

// More than any machine has; keeps a slip of the finger from starting a
// million threads.
constexpr int kMaxThreads = 4096;

}  // namespace

absl::StatusOr<Compute> ComputeFromFlags() {
  const int threads = absl::GetFlag(FLAGS_threads);
  if (threads < 0 || threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads=", threads, ": must be at least 0 and at most ",
                     kMaxThreads));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      const DeviceChoice choice,
      ChooseDevice(absl::GetFlag(FLAGS_device), ProbeCuda()));
  Compute compute = {choice.device, MakeTorchThreadPool(threads),
                     choice.device};
  if (choice.device == "cpu") {
    absl::StrAppend(&compute.description, ", ",
                    Counted(compute.pool->num_threads(), "thread"));
  }
  if (!choice.reason.empty()) {
    absl::StrAppend(&compute.description, " (auto: ", choice.reason, ")");
  }
  return compute;
}

}  // namespace charrnn
