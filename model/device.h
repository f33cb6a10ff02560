#ifndef CHARRNN_MODEL_DEVICE_H_
#define CHARRNN_MODEL_DEVICE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// What this build and this machine offer in GPUs.
struct CudaSupport {
  bool built = false;      // the program was built with --config=cuda
  int num_devices = 0;     // GPUs that can be used
  int driver_version = 0;  // newest CUDA of the driver, 12040 for 12.4; 0: none
  int runtime_version = 0;  // the CUDA that this program was built for
  std::string error;        // what CUDA said when asked for its devices
};

// Asks the machine.
CudaSupport ProbeCuda();

// Where a model is computed, and why there.
struct DeviceChoice {
  std::string device;  // "cpu" or "cuda:N", as LibTorch names it
  std::string reason;  // for a person; empty if it is what was asked for
};

// Lets `device`, if it is a GPU, multiply float32 numbers in TensorFloat-32,
// which has 10 bits of mantissa. cuDNN's recurrent layers do so anyway, as in
// PyTorch; then the other products do too. CPUs have no part in it.
void AllowTensorFloat32(const std::string& device);

// Chooses for the flag --device: "cpu", "cuda" (the first GPU), "cuda:N", or
// "auto" (a GPU if there is one).
//
// Possible errors: InvalidArgument for another word or a GPU that is not
// there; FailedPrecondition if there is none to be used, saying why.
absl::StatusOr<DeviceChoice> ChooseDevice(absl::string_view flag,
                                          const CudaSupport& cuda);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_DEVICE_H_
