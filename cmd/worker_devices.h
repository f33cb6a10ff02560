#ifndef CHARRNN_CMD_WORKER_DEVICES_H_
#define CHARRNN_CMD_WORKER_DEVICES_H_

#include <string>

#include "absl/status/status.h"

namespace charrnn {

// On what the workers of a host compute.
struct WorkerDevices {
  std::string first = "cpu";  // "cpu", or "cuda:N" of the host's first worker
  int num_gpus = 0;           // that the host has
  // How workers exchange gradients: "gloo", "nccl", or "auto": NCCL on GPUs.
  std::string backend = "auto";

  // The device of the worker that is the host's `local_rank`'th: a GPU each,
  // or, where gloo allows it, GPUs in turn.
  std::string Of(int local_rank) const;

  // How many GPUs there are from the first worker's on.
  int NumGpus() const;

  // The backend, "gloo" or "nccl".
  std::string Backend() const;

  // InvalidArgument, naming the flag, if they cannot be those of `num_workers`
  // workers, the first of which is the host's `first_rank`'th.
  absl::Status Check(int first_rank, int num_workers) const;
};

}  // namespace charrnn

#endif  // CHARRNN_CMD_WORKER_DEVICES_H_
