#ifndef CHARRNN_MODEL_OPTIMIZER_H_
#define CHARRNN_MODEL_OPTIMIZER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "model/adam.h"
#include "model/train_state.h"

namespace charrnn {

// Clips a gradient by its norm and applies Adam to a TrainState: in blocks on
// the CPU, with the same bits for any number of threads, and by LibTorch's
// operators on other devices.
class Optimizer {
 public:
  // `grad_clip` is the largest norm, 0 for none. `pool` is not owned and
  // outlives the optimizer.
  Optimizer(double grad_clip, ThreadPool* pool)
      : grad_clip_(grad_clip), pool_(pool) {}

  // Updates the state's parameters and moments from gradient_sum / targets and
  // returns the norm of that gradient, before clipping. The
  // state's step counts the steps before this one and is left to the caller.
  //
  // Possible errors: DataLoss, with nothing changed, naming what, if the
  // gradient is not finite, and, after the update, if a weight is not; those of
  // CatchTorch.
  absl::StatusOr<double> Update(const at::Tensor& gradient_sum, int64_t targets,
                                double learning_rate, TrainState& state);

  // The same by LibTorch's operators, on any device and without waiting for it:
  // returns, there, the norm and the sum of the squares of the new weights,
  // float64, [2]. Where one is not finite, Update would have returned an error,
  // and the state is of no use any more. Possible errors: those of CatchTorch.
  absl::StatusOr<at::Tensor> Launch(const at::Tensor& gradient_sum,
                                    int64_t targets, double learning_rate,
                                    TrainState& state);

 private:
  // The sum of what `f` returns for the blocks of `size` elements, always in
  // the same order.
  double SumOverBlocks(int64_t size,
                       absl::FunctionRef<double(int64_t, int64_t)> f);
  absl::StatusOr<double> UpdateOnCpu(const at::Tensor& gradient_sum,
                                     int64_t targets, const AdamStep& step,
                                     TrainState& state);
  // What Launch() does and returns, given the norm.
  at::Tensor UpdateByOperators(const at::Tensor& gradient_sum,
                               const at::Tensor& norm, int64_t targets,
                               const AdamStep& step, TrainState& state);

  double grad_clip_;
  ThreadPool* pool_;
  std::vector<double> block_sums_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_OPTIMIZER_H_
