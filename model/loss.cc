#include "model/loss.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// Ids as LibTorch's operators want them: int64, [B, T], on the device.
at::Tensor IdTensor(absl::Span<const int32_t> ids, const TextRows& text,
                    at::Device device) {
  // from_blob takes no const pointer; the tensor is only read from.
  at::Tensor borrowed = at::from_blob(const_cast<int32_t*>(ids.data()),
                                      {text.rows, text.seq_len}, at::kInt);
  return borrowed.to(device, at::kLong);
}

// The inputs and targets of `text` as these.
std::pair<at::Tensor, at::Tensor> IdTensors(const TextRows& text,
                                            at::Device device) {
  if (!text.on_device.defined()) {
    return {IdTensor(text.inputs, text, device),
            IdTensor(text.targets, text, device)};
  }
  const at::Tensor ids = text.on_device.to(at::kLong);
  return {ids.select(0, 0), ids.select(0, 1)};
}

}  // namespace

at::Tensor SummedLoss(const CharRnn& model,
                      const std::vector<at::Tensor>& weights,
                      const TextRows& text, const DropoutKey* dropout,
                      RnnState* state) {
  const auto [inputs, targets] = IdTensors(text, model.device());
  const at::Tensor logits = model.Forward(weights, inputs, dropout, state);
  if (state != nullptr) {
    state->hidden = state->hidden.detach();
    if (state->cell.defined()) state->cell = state->cell.detach();
  }
  return at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten(),
                                /*weight=*/{}, at::Reduction::Sum);
}

absl::StatusOr<double> Loss(const CharRnn& model, const TextRows& text,
                            RnnState* state) {
  double loss = 0;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("computing the loss", [&] {
    const c10::InferenceMode no_gradients;
    loss =
        SummedLoss(model, model.Weights(), text, nullptr, state).item<double>();
  }));
  return loss;
}

absl::StatusOr<double> LossAndGradient(const CharRnn& model,
                                       const TextRows& text,
                                       const DropoutKey& dropout,
                                       const at::Tensor& gradient,
                                       RnnState* state) {
  CHARRNN_ASSIGN_OR_RETURN(
      const at::Tensor on_device,
      LossOnDeviceAndGradient(model, text, dropout, gradient, state));
  double loss = 0;
  CHARRNN_RETURN_IF_ERROR(
      CatchTorch("reading the loss", [&] { loss = on_device.item<double>(); }));
  return loss;
}

absl::StatusOr<at::Tensor> LossOnDeviceAndGradient(const CharRnn& model,
                                                   const TextRows& text,
                                                   const DropoutKey& dropout,
                                                   const at::Tensor& gradient,
                                                   RnnState* state) {
  at::Tensor loss;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("computing the gradient", [&] {
    const std::vector<at::Tensor> leaves = model.Leaves();
    const at::Tensor sum = SummedLoss(model, leaves, text, &dropout, state);
    const std::vector<at::Tensor> gradients =
        torch::autograd::grad({sum}, leaves);
    const absl::Span<const ParameterSpec> specs = model.layout().parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      gradient.narrow(0, specs[i].offset, specs[i].size)
          .copy_(gradients[i].reshape({-1}));
    }
    loss = sum.detach();
  }));
  return loss;
}

}  // namespace charrnn
