#ifndef CHARRNN_MODEL_DEVICE_MATH_H_
#define CHARRNN_MODEL_DEVICE_MATH_H_

#include <ATen/core/Tensor.h>

#include "model/adam.h"

// What adam.h computes over arrays, as LibTorch's operators over tensors: for a
// GPU, whose memory only these reach. Any device will do. The results are those
// of the arrays within float tolerance. Nothing waits for the device. All of it
// throws what LibTorch throws: call it inside CatchTorch.

namespace charrnn {

// The sum of squares of `values`, a float64 scalar.
at::Tensor SumOfSquares(const at::Tensor& values);

// ClipFactor() of a scalar.
at::Tensor ClipFactor(const at::Tensor& norm, double max_norm);

// AdamUpdate() of whole tensors of equal shape; `scale` is a scalar.
void AdamUpdate(const AdamStep& step, const at::Tensor& scale,
                const at::Tensor& gradient_sum, const at::Tensor& parameters,
                const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_DEVICE_MATH_H_
