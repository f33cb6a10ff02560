#include "model/determinism.h"

#include <ATen/Context.h>
#include <stdlib.h>

namespace charrnn {

void ComputeDeterministically() {
  // cuBLAS takes its workspace in turns otherwise, and sums depend on which.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::Context& context = at::globalContext();
  // Only a warning where there is none: it is better to train than not to.
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  // Nothing here reads memory that was not written, which this would fill.
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(true);
  // It would choose by how long each one takes.
  context.setBenchmarkCuDNN(false);
}

}  // namespace charrnn
