#include "model/adam.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "absl/types/span.h"

namespace charrnn {

void AdamUpdate(const AdamStep& step, float scale,
                absl::Span<const float> gradient_sum,
                absl::Span<float> parameters, absl::Span<float> exp_avg,
                absl::Span<float> exp_avg_sq) {
  const double correction1 = 1 - std::pow(step.beta1, step.step);
  const double correction2 = 1 - std::pow(step.beta2, step.step);
  const auto rate = static_cast<float>(step.learning_rate / correction1);
  const auto root = static_cast<float>(1 / std::sqrt(correction2));
  const auto beta1 = static_cast<float>(step.beta1);
  const auto beta2 = static_cast<float>(step.beta2);
  const auto gain1 = static_cast<float>(1 - step.beta1);
  const auto gain2 = static_cast<float>(1 - step.beta2);
  const auto epsilon = static_cast<float>(step.epsilon);
  // Plain pointers, so that the compiler sees one loop over arrays.
  const float* __restrict g_sum = gradient_sum.data();
  float* __restrict p = parameters.data();
  float* __restrict m = exp_avg.data();
  float* __restrict v = exp_avg_sq.data();
  const size_t n = parameters.size();
  for (size_t i = 0; i < n; ++i) {
    const float g = g_sum[i] * scale;
    m[i] = beta1 * m[i] + gain1 * g;
    v[i] = beta2 * v[i] + gain2 * g * g;
    p[i] -= rate * m[i] / (std::sqrt(v[i]) * root + epsilon);
  }
}

double SumOfSquares(absl::Span<const float> values) {
  // Independent lanes: the order of sums is written down, and still a vector
  // unit can work on several at once.
  constexpr size_t kLanes = 8;
  std::array<double, kLanes> sums = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  double total = 0;
  for (; i < values.size(); ++i) {
    const double value = values[i];
    total += value * value;
  }
  for (const double sum : sums) total += sum;
  return total;
}

double ClipFactor(double norm, double max_norm) {
  if (max_norm == 0) return 1;
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace charrnn
