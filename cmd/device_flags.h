#ifndef CHARRNN_CMD_DEVICE_FLAGS_H_
#define CHARRNN_CMD_DEVICE_FLAGS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/thread_pool.h"

namespace charrnn {

// What a model is computed with.
struct Compute {
  std::string device;  // "cpu" or "cuda:N"
  std::unique_ptr<ThreadPool> pool;

  // All this for a person, with what --device=auto has chosen and why; to be
  // shown once the rest of the input is known to be good.
  std::string description;
};

// What --device and --threads say, checked against this machine.
absl::StatusOr<Compute> ComputeFromFlags();

}  // namespace charrnn

#endif  // CHARRNN_CMD_DEVICE_FLAGS_H_
