#ifndef CHARRNN_MODEL_CHAR_RNN_H_
#define CHARRNN_MODEL_CHAR_RNN_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"

namespace charrnn {

// The network: Embedding -> GRU or LSTM -> Dropout -> Linear, computed by
// LibTorch's own operators on the device that its memory is on; on a GPU, by
// cuDNN.
//
// The weights live in one flat array that the caller shares, so that what
// changes there (an optimizer's update) is what the next call computes with.
// Functions are const and may run on several threads at once. They throw what
// LibTorch throws: call them inside CatchTorch.
//
//   const ParameterLayout layout(config);
//   at::Tensor flat = at::empty({layout.flat_size()});
//   InitializeParameters(layout, seed, {flat.data_ptr<float>(), ...});
//   const CharRnn model(config, flat);
//   at::Tensor logits = model.Forward(model.Weights(), ids, nullptr, &state);
class CharRnn {
 public:
  // `config` must be valid; `flat` is float32, [ParameterLayout::flat_size()].
  // `precision`, fp32 or bf16, is what layers compute in: in bf16 weights and
  // states are rounded on their way into a layer, and gradients come back to
  // float32.
  CharRnn(const ModelConfig& config, at::Tensor flat,
          Precision precision = Precision::kFp32);

  const ModelConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  const at::Tensor& flat() const { return flat_; }
  at::Device device() const { return flat_.device(); }

  // The parameters, in the layout's order, as views of the flat array.
  std::vector<at::Tensor> Weights() const;

  // The same as leaves of a graph of their own: gradients can be asked for,
  // and threads that each take a set do not meet.
  std::vector<at::Tensor> Leaves() const;

  // The state before the first character: zeros for `rows` rows.
  RnnState ZeroState(int64_t rows) const;

  // Logits [B, T, V] for ids [B, T] (int64) of `weights`, from Weights() or
  // Leaves(). `dropout` is applied to every layer's output, the last one
  // included, as in the notebook's module; null while a model is not being
  // trained. `state` is read before and written after; null stands for zeros
  // that nobody wants back.
  at::Tensor Forward(const std::vector<at::Tensor>& weights,
                     const at::Tensor& ids, const DropoutKey* dropout,
                     RnnState* state) const;

 private:
  // Output [B, T, H] of layer `layer` for `input` [B, T, E or H].
  at::Tensor RunLayer(int layer, const std::vector<at::Tensor>& weights,
                      const at::Tensor& input, RnnState* state) const;

  // `activations` [B, T, H] times a mask.
  at::Tensor Drop(const DropoutKey& key, int layer,
                  const at::Tensor& activations) const;

  ModelConfig config_;
  ParameterLayout layout_;
  at::Tensor flat_;
  at::ScalarType type_;  // what layers compute in
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_CHAR_RNN_H_
