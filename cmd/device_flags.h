#ifndef CHARRNN_CMD_DEVICE_FLAGS_H_
#define CHARRNN_CMD_DEVICE_FLAGS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// What a model is computed with.
struct Compute {
  std::string device;  // "cpu" or "cuda:N"
  int threads = 1;     // of the pool, also once that is gone
  std::unique_ptr<ThreadPool> pool;
  // What fused kernels compute with; none: LibTorch's operators compute.
  std::optional<Isa> isa;
  std::string why_device;  // --device=auto has chosen this one; else empty
};

// All this for a person, and what is computed in; to be shown once the rest of
// the input is known to be good.
std::string Describe(const Compute& compute, Precision precision);

// What --device, --threads, --kernels and --isa say, checked against this
// machine.
absl::StatusOr<Compute> ComputeFromFlags();

// What --kernels and --isa come to on `device`.
absl::StatusOr<std::optional<Isa>> IsaFromFlags(const std::string& device);

// Which bits the fused kernels compute with --isa: "portable", or "avx", which
// all the others have, but for "amx" in bf16; empty where there are none. What
// IsaFromFlags refuses counts as empty.
std::string BitsOfKernels(const std::string& device, Precision precision);

// How fused kernels compute in `precision`, none standing for LibTorch's
// operators. InvalidArgument, naming --precision, if these cannot.
absl::StatusOr<std::optional<Arithmetic>> KernelsFor(
    const std::optional<Isa>& isa, Precision precision);

// The same for training, which LibTorch's operators do in each precision.
absl::StatusOr<std::optional<Arithmetic>> TrainingKernelsFor(
    const std::optional<Isa>& isa, Precision precision);

// Which kernels compute on `device` where --kernels is `kernels`: "fused" or
// "libtorch".
std::string ResolvedKernels(const std::string& kernels,
                            const std::string& device);

}  // namespace charrnn

#endif  // CHARRNN_CMD_DEVICE_FLAGS_H_
