#include "model/device.h"

#include <ATen/Context.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#ifdef CHARRNN_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

namespace charrnn {
namespace {

// CUDA's encoding of versions: 13000 is 13.0.
std::string VersionText(int version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

// Why no GPU can be used; empty if one can.
std::string WhyNoGpu(const CudaSupport& cuda) {
  if (!cuda.built) {
    return "this program was built without --config=cuda";
  }
  if (cuda.driver_version == 0) return "no NVIDIA driver was found";
  // Within a major version older drivers run newer programs.
  if (cuda.driver_version / 1000 < cuda.runtime_version / 1000) {
    return absl::StrCat("the NVIDIA driver is too old: it supports CUDA ",
                        VersionText(cuda.driver_version),
                        ", this program needs ",
                        VersionText(cuda.runtime_version));
  }
  if (!cuda.error.empty()) return absl::StrCat("CUDA says: ", cuda.error);
  if (cuda.num_devices == 0) return "no GPU was found";
  return "";
}

}  // namespace

CudaSupport ProbeCuda() {
  CudaSupport cuda;
#ifdef CHARRNN_WITH_CUDA
  cuda.built = true;
  cudaDriverGetVersion(&cuda.driver_version);
  cudaRuntimeGetVersion(&cuda.runtime_version);
  const cudaError_t result = cudaGetDeviceCount(&cuda.num_devices);
  if (result != cudaSuccess) {
    cuda.num_devices = 0;
    if (result != cudaErrorNoDevice) cuda.error = cudaGetErrorString(result);
  }
#endif
  return cuda;
}

void AllowTensorFloat32(const std::string& device) {
  if (device == "cpu") return;
  // Of cuBLAS alone: setFloat32MatmulPrecision() would reach CPUs too.
  at::globalContext().setAllowTF32CuBLAS(true);
}

absl::StatusOr<DeviceChoice> ChooseDevice(absl::string_view flag,
                                          const CudaSupport& cuda) {
  if (flag == "cpu") return DeviceChoice{"cpu", ""};
  const std::string obstacle = WhyNoGpu(cuda);
  if (flag == "auto") {
    if (!obstacle.empty()) return DeviceChoice{"cpu", obstacle};
    return DeviceChoice{"cuda:0",
                        absl::StrCat("found ", cuda.num_devices, " GPU",
                                     cuda.num_devices == 1 ? "" : "s")};
  }
  int index = 0;
  if (flag != "cuda" &&
      (!absl::SimpleAtoi(absl::StripPrefix(flag, "cuda:"), &index) ||
       // Neither blanks nor signs nor a missing prefix.
       flag != absl::StrCat("cuda:", index) || index < 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--device=", flag, ": must be auto, cpu, cuda or cuda:N"));
  }
  if (!obstacle.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("--device=", flag, ": ", obstacle, ": use --device=cpu"));
  }
  if (index >= cuda.num_devices) {
    return absl::InvalidArgumentError(
        absl::StrCat("--device=", flag, ": this machine has ", cuda.num_devices,
                     " GPUs, counted from 0"));
  }
  return DeviceChoice{absl::StrCat("cuda:", index), ""};
}

}  // namespace charrnn
