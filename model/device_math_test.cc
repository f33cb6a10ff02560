#include "model/device_math.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/adam.h"

namespace charrnn {
namespace {

constexpr int64_t kSize = 1000;

absl::Span<float> Array(const at::Tensor& tensor) {
  return absl::MakeSpan(tensor.mutable_data_ptr<float>(),
                        static_cast<size_t>(tensor.numel()));
}

TEST(DeviceMathTest, SquaresAreSummedAsOverAnArray) {
  at::Tensor values = at::linspace(-3, 5, kSize);
  EXPECT_NEAR(SumOfSquares(values).item<double>(), SumOfSquares(Array(values)),
              1e-9);
  values[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(SumOfSquares(values).item<double>(),
            std::numeric_limits<double>::infinity());
}

TEST(DeviceMathTest, ClipsANormAsANumberIsClipped) {
  for (const double max_norm : {0.0, 1.0, 2.5}) {
    for (const double norm : {0.0, 0.5, 1.0, 7.0}) {
      EXPECT_NEAR(
          ClipFactor(at::full({}, norm, at::kDouble), max_norm).item<double>(),
          ClipFactor(norm, max_norm), 1e-12)
          << norm << " of " << max_norm;
    }
  }
}

TEST(DeviceMathTest, AdamMovesTensorsAsItMovesArrays) {
  const at::Tensor parameters = at::linspace(-1, 1, kSize);
  const at::Tensor exp_avg = at::zeros({kSize});
  const at::Tensor exp_avg_sq = at::zeros({kSize});
  const at::Tensor expected = parameters.clone();
  const at::Tensor expected_avg = at::zeros({kSize});
  const at::Tensor expected_avg_sq = at::zeros({kSize});
  AdamStep step;
  step.learning_rate = 0.1;
  for (step.step = 1; step.step <= 3; ++step.step) {
    const at::Tensor gradient = at::linspace(-3, 5, kSize).sin() * step.step;
    AdamUpdate(step, at::full({}, 0.25, at::kDouble), gradient, parameters,
               exp_avg, exp_avg_sq);
    AdamUpdate(step, 0.25F, Array(gradient), Array(expected),
               Array(expected_avg), Array(expected_avg_sq));
  }
  EXPECT_TRUE(at::allclose(parameters, expected, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(exp_avg, expected_avg, 1e-5, 1e-7));
  EXPECT_TRUE(at::allclose(exp_avg_sq, expected_avg_sq, 1e-5, 1e-9));
}

}  // namespace
}  // namespace charrnn
