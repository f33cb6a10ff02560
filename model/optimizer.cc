#include "model/optimizer.h"

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "model/adam.h"
#include "model/device_math.h"
#include "model/flat_blocks.h"
#include "model/torch_status.h"
#include "model/train_state.h"

namespace charrnn {
namespace {

absl::Span<float> Block(const at::Tensor& array, int64_t begin, int64_t end) {
  return absl::MakeSpan(array.mutable_data_ptr<float>() + begin,
                        static_cast<size_t>(end - begin));
}

}  // namespace

double Optimizer::SumOverBlocks(int64_t size,
                                absl::FunctionRef<double(int64_t, int64_t)> f) {
  block_sums_.resize(NumFlatBlocks(size));
  ForEachBlock(*pool_, size, [&](int64_t begin, int64_t end) {
    block_sums_[begin / kFlatBlock] = f(begin, end);
  });
  double total = 0;
  for (const double sum : block_sums_) total += sum;
  return total;
}

absl::StatusOr<double> Optimizer::SquaredNorm(const at::Tensor& array) {
  if (array.is_cpu()) {
    return SumOverBlocks(array.numel(), [&](int64_t begin, int64_t end) {
      return SumOfSquares(Block(array, begin, end));
    });
  }
  double total = 0;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("measuring the gradient",
                                     [&] { total = SumOfSquares(array); }));
  return total;
}

double Optimizer::UpdateOnCpu(const AdamStep& step, float scale,
                              const at::Tensor& gradient, TrainState& state) {
  return SumOverBlocks(gradient.numel(), [&](int64_t begin, int64_t end) {
    const absl::Span<float> weights = Block(state.parameters, begin, end);
    AdamUpdate(step, scale, Block(gradient, begin, end), weights,
               Block(state.exp_avg, begin, end),
               Block(state.exp_avg_sq, begin, end));
    return SumOfSquares(weights);
  });
}

absl::StatusOr<double> Optimizer::Update(const at::Tensor& gradient_sum,
                                         int64_t targets, double learning_rate,
                                         TrainState& state) {
  CHARRNN_ASSIGN_OR_RETURN(const double squared_norm,
                           SquaredNorm(gradient_sum));
  const double norm = std::sqrt(squared_norm) / static_cast<double>(targets);
  if (!std::isfinite(norm)) {
    return absl::DataLossError("the gradient");
  }
  AdamStep step;
  step.learning_rate = learning_rate;
  step.step = state.progress.step + 1;
  const double scale =
      ClipFactor(norm, grad_clip_) / static_cast<double>(targets);
  double weights = 0;
  if (gradient_sum.is_cpu()) {
    weights = UpdateOnCpu(step, static_cast<float>(scale), gradient_sum, state);
  } else {
    CHARRNN_RETURN_IF_ERROR(CatchTorch("updating the weights", [&] {
      AdamUpdate(step, scale, gradient_sum, state.parameters, state.exp_avg,
                 state.exp_avg_sq);
    }));
    CHARRNN_ASSIGN_OR_RETURN(weights, SquaredNorm(state.parameters));
  }
  if (!std::isfinite(weights)) return absl::DataLossError("a weight");
  return norm;
}

}  // namespace charrnn
