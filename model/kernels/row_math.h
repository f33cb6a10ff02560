#ifndef CHARRNN_MODEL_KERNELS_ROW_MATH_H_
#define CHARRNN_MODEL_KERNELS_ROW_MATH_H_

#include <cstdint>

#include "absl/types/span.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// What is done to rows of numbers one by one. Rows begin at multiples of 64
// bytes and their lengths are multiples of 16.

// to[i] += from[i] for i < n.
void AddRow(const Arithmetic& arithmetic, int64_t n, const float* from,
            float* to);

// to[i] = a[i] * b[i] for i < n; `to` may be one of them.
void MultiplyRow(const Arithmetic& arithmetic, int64_t n, const float* a,
                 const float* b, float* to);

// The softmax and the cross entropy, in nats, of rows of logits, as
// torch.nn.CrossEntropyLoss defines them.
//
// `logits` is [targets.size(), columns], of which the first `classes` numbers
// of a row count. With `gradient` they become the gradient of the sum of
// losses, the softmax less 1 for the target, and zeros behind. Loss r is
// written to losses[r].
void CrossEntropy(const Arithmetic& arithmetic,
                  absl::Span<const int32_t> targets, int64_t classes,
                  int64_t columns, bool gradient, float* logits,
                  double* losses);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_ROW_MATH_H_
