#ifndef CHARRNN_MODEL_DETERMINISM_H_
#define CHARRNN_MODEL_DETERMINISM_H_

namespace charrnn {

// Lets LibTorch and the libraries below it choose algorithms that compute the
// same bits each time on GPUs of the same model, even where others are faster;
// those of CPUs are so anyway. To be called before anything is computed.
// Sources: "Reproducibility" in PyTorch's documentation; cuBLAS's of
// CUBLAS_WORKSPACE_CONFIG.
void ComputeDeterministically();

}  // namespace charrnn

#endif  // CHARRNN_MODEL_DETERMINISM_H_
