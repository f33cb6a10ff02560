#include "model/char_rnn.h"

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/log.h"
#include "base/random.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"

namespace charrnn {

CharRnn::CharRnn(const ModelConfig& config, at::Tensor flat,
                 Precision precision)
    : config_(config),
      layout_(config),
      flat_(std::move(flat)),
      type_(precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat) {
  CHARRNN_CHECK(flat_.numel() == layout_.flat_size())
      << flat_.numel() << " elements, layout needs " << layout_.flat_size();
}

std::vector<at::Tensor> CharRnn::Weights() const {
  std::vector<at::Tensor> weights;
  for (const ParameterSpec& spec : layout_.parameters()) {
    weights.push_back(flat_.narrow(0, spec.offset, spec.size).view(spec.shape));
  }
  return weights;
}

std::vector<at::Tensor> CharRnn::Leaves() const {
  std::vector<at::Tensor> leaves = Weights();
  for (at::Tensor& leaf : leaves) leaf = leaf.detach().requires_grad_();
  return leaves;
}

RnnState CharRnn::ZeroState(int64_t rows) const {
  const auto zeros = [&] {
    return at::zeros({config_.num_layers, rows, config_.hidden_dim},
                     flat_.options());
  };
  RnnState state;
  state.hidden = zeros();
  if (config_.rnn_type == RnnType::kLstm) state.cell = zeros();
  return state;
}

at::Tensor CharRnn::Forward(const std::vector<at::Tensor>& weights,
                            const at::Tensor& ids, const DropoutKey* dropout,
                            RnnState* state) const {
  RnnState zeros;
  if (state == nullptr) {
    zeros = ZeroState(ids.size(0));
    state = &zeros;
  }
  RnnState next;
  std::vector<at::Tensor> hidden;
  std::vector<at::Tensor> cell;
  at::Tensor activations = at::embedding(weights.front(), ids);
  for (int layer = 0; layer < config_.num_layers; ++layer) {
    RnnState slice;
    slice.hidden = state->hidden.narrow(0, layer, 1);
    if (state->cell.defined()) slice.cell = state->cell.narrow(0, layer, 1);
    activations = RunLayer(layer, weights, activations, &slice);
    hidden.push_back(slice.hidden.squeeze(0));
    if (slice.cell.defined()) cell.push_back(slice.cell.squeeze(0));
    if (dropout != nullptr && dropout->rate > 0) {
      activations = Drop(*dropout, layer, activations);
    }
  }
  state->hidden = at::stack(hidden).to(at::kFloat);
  if (!cell.empty()) state->cell = at::stack(cell).to(at::kFloat);
  return at::linear(activations.to(type_),
                    weights[weights.size() - 2].to(type_),
                    weights.back().to(type_))
      .to(at::kFloat);
}

at::Tensor CharRnn::RunLayer(int layer, const std::vector<at::Tensor>& weights,
                             const at::Tensor& input, RnnState* state) const {
  // weight_ih, weight_hh, bias_ih, bias_hh; the embedding comes first.
  std::vector<at::Tensor> parameters;
  for (int i = 1 + 4 * layer; i <= 4 + 4 * layer; ++i) {
    parameters.push_back(weights[i].to(type_));
  }
  // One layer a call, so that our own dropout can stand between layers.
  constexpr bool kHasBiases = true;
  constexpr int64_t kLayers = 1;
  constexpr double kDropout = 0;
  constexpr bool kBidirectional = false;
  constexpr bool kBatchFirst = true;
  const bool training = parameters[0].requires_grad();
  const at::Tensor activations = input.to(type_);
  const at::Tensor hidden = state->hidden.to(type_);
  at::Tensor output;
  if (config_.rnn_type == RnnType::kGru) {
    std::tie(output, state->hidden) =
        at::gru(activations, hidden, parameters, kHasBiases, kLayers, kDropout,
                training, kBidirectional, kBatchFirst);
  } else {
    std::tie(output, state->hidden, state->cell) = at::lstm(
        activations, {hidden, state->cell.to(type_)}, parameters, kHasBiases,
        kLayers, kDropout, training, kBidirectional, kBatchFirst);
  }
  return output;
}

at::Tensor CharRnn::Drop(const DropoutKey& key, int layer,
                         const at::Tensor& activations) const {
  if (device().is_cpu()) {
    const at::Tensor mask = at::empty(activations.sizes(), flat_.options());
    FillDropoutMask(key, layer, mask.size(0), mask.size(1), mask.size(2),
                    absl::MakeSpan(mask.mutable_data_ptr<float>(),
                                   static_cast<size_t>(mask.numel())));
    return activations.mul(mask);
  }
  at::Generator generator =
      at::globalContext().defaultGenerator(device()).clone();
  generator.set_current_seed(
      MixSeed(MixSeed(key.seed, static_cast<uint64_t>(key.step)),
              static_cast<uint64_t>(key.first_row) << 8 |
                  static_cast<uint64_t>(layer)));
  const at::Tensor mask = at::empty(activations.sizes(), activations.options());
  mask.bernoulli_(1 - key.rate, generator).mul_(1 / (1 - key.rate));
  return activations.mul(mask);
}

}  // namespace charrnn
