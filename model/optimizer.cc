#include "model/optimizer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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

AdamStep StepOf(double learning_rate, const TrainState& state) {
  AdamStep step;
  step.learning_rate = learning_rate;
  step.step = state.progress.step + 1;
  return step;
}

at::Tensor NormOf(const at::Tensor& gradient_sum, int64_t targets) {
  return SumOfSquares(gradient_sum).sqrt_().div_(static_cast<double>(targets));
}

// `norm` is of the array that `what` names, or its square.
absl::Status CheckFinite(double norm, absl::string_view what) {
  return std::isfinite(norm) ? absl::OkStatus() : absl::DataLossError(what);
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

absl::StatusOr<double> Optimizer::UpdateOnCpu(const at::Tensor& gradient_sum,
                                              int64_t targets,
                                              const AdamStep& step,
                                              TrainState& state) {
  const double squares =
      SumOverBlocks(gradient_sum.numel(), [&](int64_t begin, int64_t end) {
        return SumOfSquares(Block(gradient_sum, begin, end));
      });
  const double norm = std::sqrt(squares) / static_cast<double>(targets);
  CHARRNN_RETURN_IF_ERROR(CheckFinite(norm, "the gradient"));
  const auto scale = static_cast<float>(ClipFactor(norm, grad_clip_) /
                                        static_cast<double>(targets));
  // The new weights are still in cache.
  const double weights =
      SumOverBlocks(gradient_sum.numel(), [&](int64_t begin, int64_t end) {
        const absl::Span<float> block = Block(state.parameters, begin, end);
        AdamUpdate(step, scale, Block(gradient_sum, begin, end), block,
                   Block(state.exp_avg, begin, end),
                   Block(state.exp_avg_sq, begin, end));
        return SumOfSquares(block);
      });
  CHARRNN_RETURN_IF_ERROR(CheckFinite(weights, "a weight"));
  return norm;
}

at::Tensor Optimizer::UpdateByOperators(const at::Tensor& gradient_sum,
                                        const at::Tensor& norm, int64_t targets,
                                        const AdamStep& step,
                                        TrainState& state) {
  const at::Tensor scale =
      ClipFactor(norm, grad_clip_).div_(static_cast<double>(targets));
  AdamUpdate(step, scale, gradient_sum, state.parameters, state.exp_avg,
             state.exp_avg_sq);
  return at::stack({norm, SumOfSquares(state.parameters)});
}

absl::StatusOr<double> Optimizer::Update(const at::Tensor& gradient_sum,
                                         int64_t targets, double learning_rate,
                                         TrainState& state) {
  const AdamStep step = StepOf(learning_rate, state);
  if (gradient_sum.is_cpu()) {
    return UpdateOnCpu(gradient_sum, targets, step, state);
  }
  at::Tensor on_device;
  double norm = 0;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("measuring the gradient", [&] {
    on_device = NormOf(gradient_sum, targets);
    norm = on_device.item<double>();
  }));
  CHARRNN_RETURN_IF_ERROR(CheckFinite(norm, "the gradient"));
  double weights = 0;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("updating the weights", [&] {
    weights = UpdateByOperators(gradient_sum, on_device, targets, step, state)
                  .select(0, 1)
                  .item<double>();
  }));
  CHARRNN_RETURN_IF_ERROR(CheckFinite(weights, "a weight"));
  return norm;
}

absl::StatusOr<at::Tensor> Optimizer::Launch(const at::Tensor& gradient_sum,
                                             int64_t targets,
                                             double learning_rate,
                                             TrainState& state) {
  at::Tensor outcome;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("updating the weights", [&] {
    outcome = UpdateByOperators(gradient_sum, NormOf(gradient_sum, targets),
                                targets, StepOf(learning_rate, state), state);
  }));
  return outcome;
}

}  // namespace charrnn
