#include "dist/collective/nccl_backend.h"

#include <c10/util/Exception.h>
#include <c10/util/intrusive_ptr.h>

#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "absl/time/time.h"

#ifdef USE_C10D_NCCL
#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <utility>
#endif

namespace charrnn {

#ifdef USE_C10D_NCCL

c10::intrusive_ptr<c10d::Backend> MakeNcclBackend(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int world_size,
    absl::Duration timeout, const std::string& device) {
  // Left to itself NCCL's watchdog takes the process down on another one's
  // death; and wait() returns before the work is done, whether it succeeds or
  // not. Ours is a group that is given up and made anew.
  setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/1);
  setenv("TORCH_NCCL_ENABLE_MONITORING", "0", /*overwrite=*/1);
  setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*overwrite=*/1);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = absl::ToChronoMilliseconds(timeout);
  auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      store, rank, world_size, std::move(options));
  backend->setBoundDeviceId(at::Device(device));
  return backend;
}

#else

c10::intrusive_ptr<c10d::Backend> MakeNcclBackend(
    const c10::intrusive_ptr<c10d::Store>&, int, int, absl::Duration,
    const std::string& device) {
  C10_THROW_ERROR(NotImplementedError,
                  device + " needs a program built with --config=cuda");
}

#endif

}  // namespace charrnn
