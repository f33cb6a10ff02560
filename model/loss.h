#ifndef CHARRNN_MODEL_LOSS_H_
#define CHARRNN_MODEL_LOSS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/rnn_state.h"

namespace charrnn {

// Rows of text, each with the character that follows at every place.
struct TextRows {
  int64_t rows = 0;                   // B
  int64_t seq_len = 0;                // T
  absl::Span<const int32_t> inputs;   // [B, T]
  absl::Span<const int32_t> targets;  // [B, T]
  // Both where LibTorch's operators need them, [2, B, T], int32, on the model's
  // device. Undefined: they are copied there when they are needed.
  at::Tensor on_device = {};
};

// The cross entropy of the model's predictions, in nats, summed over all
// B * T targets. `state` is what the rows begin with, and afterwards what they
// end with; null stands for zeros that nobody wants back.
//
// Possible errors: those of CatchTorch. A loss that is not finite is returned
// as it is.
absl::StatusOr<double> Loss(const CharRnn& model, const TextRows& text,
                            RnnState* state = nullptr);

// The same as a scalar of autograd's, of the weights that are given, from
// model.Weights() or model.Leaves(); `dropout` null: none. No gradient goes
// through `state`. Throws: call it inside CatchTorch.
at::Tensor SummedLoss(const CharRnn& model,
                      const std::vector<at::Tensor>& weights,
                      const TextRows& text, const DropoutKey* dropout,
                      RnnState* state);

// The same with dropout, and its gradient with regard to every parameter,
// written to `gradient`, [layout().flat_size()] on the model's device; what is
// no parameter there is left as it is. Runs on the calling thread alone, and
// on the CPU its bits depend on the arguments only, if at::set_num_threads(1)
// holds there.
absl::StatusOr<double> LossAndGradient(const CharRnn& model,
                                       const TextRows& text,
                                       const DropoutKey& dropout,
                                       const at::Tensor& gradient,
                                       RnnState* state = nullptr);

// The same without waiting for the device: the loss is a scalar there.
absl::StatusOr<at::Tensor> LossOnDeviceAndGradient(const CharRnn& model,
                                                   const TextRows& text,
                                                   const DropoutKey& dropout,
                                                   const at::Tensor& gradient,
                                                   RnnState* state);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_LOSS_H_
