#include "model/optimizer.h"

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
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

absl::StatusOr<double> SquaredNorm(const at::Tensor& array, ThreadPool& pool) {
  double total = 0;
  if (!array.is_cpu()) {
    CHARRNN_RETURN_IF_ERROR(CatchTorch("measuring the gradient",
                                       [&] { total = SumOfSquares(array); }));
    return total;
  }
  std::vector<double> sums(NumFlatBlocks(array.numel()));
  ForEachBlock(pool, array.numel(), [&](int64_t begin, int64_t end) {
    sums[begin / kFlatBlock] = SumOfSquares(Block(array, begin, end));
  });
  for (const double sum : sums) total += sum;
  return total;
}

void UpdateOnCpu(const AdamStep& step, float scale, const at::Tensor& gradient,
                 TrainState& state, ThreadPool& pool) {
  ForEachBlock(pool, gradient.numel(), [&](int64_t begin, int64_t end) {
    AdamUpdate(step, scale, Block(gradient, begin, end),
               Block(state.parameters, begin, end),
               Block(state.exp_avg, begin, end),
               Block(state.exp_avg_sq, begin, end));
  });
}

}  // namespace

absl::StatusOr<double> Optimizer::Update(const at::Tensor& gradient_sum,
                                         int64_t targets, double learning_rate,
                                         TrainState& state) const {
  CHARRNN_ASSIGN_OR_RETURN(const double squared_norm,
                           SquaredNorm(gradient_sum, *pool_));
  const double norm = std::sqrt(squared_norm) / static_cast<double>(targets);
  if (!std::isfinite(norm)) {
    return absl::DataLossError("the gradient");
  }
  AdamStep step;
  step.learning_rate = learning_rate;
  step.step = state.progress.step + 1;
  const double scale =
      ClipFactor(norm, grad_clip_) / static_cast<double>(targets);
  if (gradient_sum.is_cpu()) {
    UpdateOnCpu(step, static_cast<float>(scale), gradient_sum, state, *pool_);
  } else {
    CHARRNN_RETURN_IF_ERROR(CatchTorch("updating the weights", [&] {
      AdamUpdate(step, scale, gradient_sum, state.parameters, state.exp_avg,
                 state.exp_avg_sq);
    }));
  }
  CHARRNN_ASSIGN_OR_RETURN(const double weights,
                           SquaredNorm(state.parameters, *pool_));
  if (!std::isfinite(weights)) return absl::DataLossError("a weight");
  return norm;
}

}  // namespace charrnn
