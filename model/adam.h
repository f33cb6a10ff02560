#ifndef CHARRNN_MODEL_ADAM_H_
#define CHARRNN_MODEL_ADAM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace charrnn {

// One update of Adam: Kingma and Ba, "Adam: a method for stochastic
// optimization" (2015), with the constants that torch.optim.Adam defaults to.
struct AdamStep {
  double learning_rate = 0;
  int64_t step = 0;  // counted from 1
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

// Updates `parameters` and both moments in place, from the gradient
// `scale` * gradient_sum. All spans have the same length. Elements do not
// depend on each other, so an array may be updated in blocks, in any order.
void AdamUpdate(const AdamStep& step, float scale,
                absl::Span<const float> gradient_sum,
                absl::Span<float> parameters, absl::Span<float> exp_avg,
                absl::Span<float> exp_avg_sq);

// The sum of squares, in an order fixed by the length alone. Not finite if and
// only if an element is not.
double SumOfSquares(absl::Span<const float> values);

// What a gradient of norm `norm` is multiplied with so that its norm is at
// most `max_norm` (0: no limit), as torch.nn.utils.clip_grad_norm_ does it.
double ClipFactor(double norm, double max_norm);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_ADAM_H_
