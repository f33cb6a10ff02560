#include "cmd/worker_devices.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace charrnn {
namespace {

// The number N of "cuda:N".
int Index(absl::string_view device) {
  int index = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(device, "cuda:"), &index)) return 0;
  return index;
}

}  // namespace

std::string WorkerDevices::Backend() const {
  if (backend != "auto") return backend;
  return first == "cpu" ? "gloo" : "nccl";
}

int WorkerDevices::NumGpus() const {
  return first == "cpu" ? 0 : std::max(0, num_gpus - Index(first));
}

std::string WorkerDevices::Of(int local_rank) const {
  if (first == "cpu") return first;
  const int index = Index(first) + local_rank;
  return absl::StrCat(
      "cuda:", Backend() == "gloo" ? index % std::max(1, num_gpus) : index);
}

absl::Status WorkerDevices::Check(int first_rank, int num_workers) const {
  if (Backend() == "gloo") return absl::OkStatus();
  if (first == "cpu") {
    return absl::InvalidArgumentError(
        "--backend=nccl: it is for GPUs, and this run computes on the CPU: use "
        "gloo, or --device=cuda");
  }
  if (first_rank + num_workers <= NumGpus()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--nproc_per_node: ", num_workers, " workers from ", Of(first_rank),
      " on are more than this host's ", num_gpus,
      num_gpus == 1 ? " GPU has" : " GPUs have",
      " room for, because NCCL wants one for each: lower it, or let them share "
      "with --backend=gloo"));
}

}  // namespace charrnn
