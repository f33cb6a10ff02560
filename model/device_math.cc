#include "model/device_math.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones_like.h>

#include <cmath>

#include "model/adam.h"

namespace charrnn {

at::Tensor SumOfSquares(const at::Tensor& values) {
  return values.to(at::kDouble).square().sum();
}

at::Tensor ClipFactor(const at::Tensor& norm, double max_norm) {
  if (max_norm == 0) return at::ones_like(norm);
  return norm.add(1e-6).reciprocal_().mul_(max_norm).clamp_max_(1);
}

void AdamUpdate(const AdamStep& step, const at::Tensor& scale,
                const at::Tensor& gradient_sum, const at::Tensor& parameters,
                const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq) {
  const at::Tensor gradient = gradient_sum.mul(scale);
  exp_avg.mul_(step.beta1).add_(gradient, 1 - step.beta1);
  exp_avg_sq.mul_(step.beta2).addcmul_(gradient, gradient, 1 - step.beta2);
  const double correction1 = 1 - std::pow(step.beta1, step.step);
  const double correction2 = 1 - std::pow(step.beta2, step.step);
  const at::Tensor spread =
      exp_avg_sq.sqrt().div_(std::sqrt(correction2)).add_(step.epsilon);
  parameters.addcdiv_(exp_avg, spread, -step.learning_rate / correction1);
}

}  // namespace charrnn
