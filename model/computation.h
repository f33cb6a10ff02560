#ifndef CHARRNN_MODEL_COMPUTATION_H_
#define CHARRNN_MODEL_COMPUTATION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/grains.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/loss.h"
#include "model/rnn_state.h"

namespace charrnn {

// A grain whose loss and gradient are asked for.
struct GrainResult {
  IndexRange rows;      // of the text that it is part of
  at::Tensor gradient;  // float32, [layout().flat_size()], overwritten; what is
                        // no parameter there is left as it is, or zero
  double loss = 0;      // nats, summed over targets
};

// How a model's losses and gradients are computed: by fused kernels, on a CPU,
// or by LibTorch's operators (model/loss.h), on any device. Both give the same
// numbers within float tolerance, and each one the same bits whatever else is
// computed beside it.
//
//   Computation computation(&model, Arithmetic{BestIsa()});
//   computation.TakeWeights(pool);  // whenever they have changed
//   absl::StatusOr<double> loss = computation.Loss(text, &state);
class Computation {
 public:
  // `model` is not owned and outlives it. `kernels`: how fused kernels compute,
  // which the CPU supports; none: LibTorch's operators.
  Computation(const CharRnn* model, const std::optional<Arithmetic>& kernels);

  const CharRnn& model() const { return model_; }

  // Computes with the model's weights as they are now from here on. Nothing
  // else may be computed meanwhile; the other functions are safe to be called
  // by several threads at once.
  void TakeWeights(ThreadPool& pool);

  // The cross entropy of the model's predictions, in nats, summed over all
  // targets, as charrnn::Loss() has it. A `state` that is not null is
  // contiguous, and its tensors may be written to. Possible errors: those of
  // CatchTorch.
  absl::StatusOr<double> Loss(const TextRows& text, RnnState* state) const;

  // The losses and gradients of `grains`, which are neighbours and make up all
  // rows of `text`, as charrnn::LossAndGradient() has them. Computing several
  // together, at most 16, is faster where they are small.
  absl::Status LossesAndGradients(const TextRows& text,
                                  const DropoutKey& dropout,
                                  absl::Span<GrainResult> grains,
                                  RnnState* state) const;

  // How many grains of `rows` rows each it is good to compute together, where
  // `count` of them are to keep `threads` threads busy.
  int64_t GrainsTogether(int64_t rows, int64_t count, int threads) const;

 private:
  // A pass's work space, lent to a thread.
  class Lent;

  absl::Status PlainGradients(const TextRows& text, const DropoutKey& dropout,
                              absl::Span<GrainResult> grains,
                              RnnState* state) const;

  const CharRnn& model_;
  std::unique_ptr<NetworkWeights> weights_;  // null: LibTorch's operators
  mutable std::mutex mutex_;
  // Those that no thread computes with; guarded by mutex_.
  mutable std::vector<std::unique_ptr<NetworkPass>> idle_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_COMPUTATION_H_
