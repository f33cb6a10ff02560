// The way back through a network: gradients of what it has computed on its way
// forward, and their sums.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "model/config.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/product.h"
#include "model/kernels/recurrence.h"
#include "model/kernels/row_math.h"

namespace charrnn {
namespace {

const float* Row(const FactorRows& rows, int64_t row) {
  return rows.data + row * rows.stride;
}

}  // namespace

template <typename F>
void NetworkPass::ForEachRow(Times times, const PassGrain& grain,
                             const F& f) const {
  for (int64_t time = times.end - 1; time >= times.begin; --time) {
    for (int64_t row = grain.begin; row < grain.end; ++row) f(time, row);
  }
}

void NetworkPass::BeginSums(PassGrain& grain, Sums& sums) {
  std::memset(grain.gradient, 0, weights_.layout().flat_size() * sizeof(float));
  ReserveForSymbols(grain, sums);
  sums.symbols.clear();
  sums.slots.assign(weights_.config().vocab_size, -1);
  for (int64_t i = grain.begin * input_.seq_len; i < grain.end * input_.seq_len;
       ++i) {
    int32_t& slot = sums.slots[input_.inputs[i]];
    if (slot >= 0) continue;
    slot = static_cast<int32_t>(sums.symbols.size());
    sums.symbols.push_back(input_.inputs[i]);
  }
  const auto clear = [](AlignedArray<float>& array, int64_t size) {
    array.Resize(size);
    std::memset(array.data(), 0, size * sizeof(float));
  };
  clear(sums.table, static_cast<int64_t>(sums.symbols.size()) * gate_units_);
  clear(sums.biases, 4 * units_ * weights_.config().num_layers);
  clear(sums.output_bias, weights_.classes());
}

// How many symbols a grain has depends on its text; what is allocated does not.
void NetworkPass::ReserveForSymbols(const PassGrain& grain, Sums& sums) {
  const ModelConfig& config = weights_.config();
  const int64_t most = std::min<int64_t>(
      config.vocab_size, (grain.end - grain.begin) * input_.seq_len);
  sums.symbols.reserve(most);
  sums.table.Resize(most * gate_units_);
  embedding_gradient_.Resize(most * weights_.embedding_units());
  outer_fp32_.Reserve(most, config.hidden_dim, config.embedding_dim);
  left_rows_.reserve(most);
  right_rows_.reserve(most);
}

FactorRows NetworkPass::LogitFactors() const {
  const AlignedArray<float>& factors = IsBf16() ? logit_factors_ : logits_;
  return {factors.data(), FactorSize(weights_.classes())};
}

void NetworkPass::BackwardLogits(Times times) {
  const int64_t rows = times.size() * input_.rows;
  ProductArguments product;
  product.rows = rows;
  if (IsBf16()) {
    ToFactor(arithmetic_, logits_.data(), rows * weights_.classes(),
             logit_factors_.data());
  }
  product.left = LogitFactors();
  product.right = &weights_.output_backward();
  product.output = output_gradient_.data();
  product.output_stride = units_;
  Product(arithmetic_, product);
  MultiplyByMask(last_layer(), times, output_gradient_.data());
}

void NetworkPass::MultiplyByMask(int layer, Times times, float* rows) {
  if (!Drops()) return;
  int64_t index = 0;
  for (int64_t time = times.begin; time < times.end; ++time) {
    for (int64_t row = 0; row < input_.rows; ++row, ++index, rows += units_) {
      float* const mask = MaskRow(layer, index);
      if (layer != last_layer()) FillMask(layer, time, row, mask);
      MultiplyRow(arithmetic_, units_, rows, mask, rows);
    }
  }
}

void NetworkPass::AddOutputGradients(Times times, const PassGrain& grain,
                                     Sums& sums) {
  left_rows_.clear();
  right_rows_.clear();
  ForEachRow(times, grain, [&](int64_t time, int64_t row) {
    const int64_t index = (time - times.begin) * input_.rows + row;
    const float* const logits = logits_.data() + index * weights_.classes();
    left_rows_.push_back(Row(LogitFactors(), index));
    right_rows_.push_back(Row(OutputFactors(last_layer(), time), row));
    AddRow(arithmetic_, weights_.classes(), logits, sums.output_bias.data());
  });
  outer_.SetRight(right_rows_, weights_.config().hidden_dim);
  outer_.Add(left_rows_, /*offset=*/0, weights_.config().vocab_size,
             grain.gradient + weights_.OutputOffset(0));
}

FactorRows NetworkPass::GateGradientFactors(int layer, int64_t time,
                                            int slot) const {
  const Layer& it = layers_[layer];
  const int64_t stride = FactorSize(4 * units_);
  const float* const rows =
      IsBf16() ? it.gradient_factors.data() +
                     (time - block_.begin) * input_.rows * stride
               : it.gates.data() + time * input_.rows * stride;
  return {rows + FactorSize(slot * units_), stride};
}

void NetworkPass::BackwardLayer(int layer, Times times,
                                absl::Span<const PassGrain> grains) {
  Layer& it = At(layer);
  const int64_t step_size = input_.rows * units_;
  const int64_t factor_size = FactorSize(4 * step_size);
  float* const factors = it.gradient_factors.data();
  if (IsBf16() && times.end < input_.seq_len) {
    // The block that was computed before begins with the time after this one's.
    std::memcpy(factors + times.size() * factor_size, factors,
                factor_size * sizeof(float));
  }
  BackwardStep step;
  step.rows = input_.rows;
  step.units = units_;
  step.padding = units_ - weights_.config().hidden_dim;
  step.weight = &weights_.layer(layer).hidden_backward;
  step.carried = it.carried.data();
  for (int64_t time = times.end - 1; time >= times.begin; --time) {
    float* const gates = it.gates.data() + 4 * time * step_size;
    step.gates = gates;
    step.gradients = IsBf16() ? gate_gradients_.data() : gates;
    if (IsBf16()) step.factor = factors + (time - times.begin) * factor_size;
    if (time + 1 < input_.seq_len) {
      step.later = GateGradientFactors(layer, time + 1,
                                       weights_.gates().backward_hidden);
    }
    step.output = output_gradient_.data() + (time - times.begin) * step_size;
    step.hidden = it.hidden.data() + time * step_size;
    if (time > 0) {
      step.gates_ahead = gates - 4 * step_size;
      step.state_ahead =
          (IsLstm() ? it.cell : it.hidden).data() + (time - 1) * step_size;
    } else {
      step.gates_ahead = step.state_ahead = nullptr;
    }
    if (IsLstm()) {
      step.cell = it.cell.data() + time * step_size;
      step.next_cell = step.cell + step_size;
      LstmBackward(arithmetic_, step);
    } else {
      GruBackward(arithmetic_, step);
    }
    for (size_t i = 0; i < grains.size(); ++i) {
      AddGateGradients(layer, time, step.gradients, grains[i], sums_[i]);
    }
  }
}

void NetworkPass::AddGateGradients(int layer, int64_t time,
                                   const float* gradients,
                                   const PassGrain& grain, Sums& sums) {
  const int64_t input = weights_.gates().backward_input * units_;
  // In the first layer the table's rows add up to biases of the input's part.
  const int64_t biases = layer == 0 ? input : 4 * units_;
  for (int64_t row = grain.begin; row < grain.end; ++row) {
    const float* const of_row = gradients + 4 * row * units_;
    if (biases > 0) {
      AddRow(arithmetic_, biases, of_row,
             sums.biases.data() + 4 * units_ * layer);
    }
    if (layer > 0) continue;
    const int32_t symbol = input_.inputs[row * input_.seq_len + time];
    AddRow(arithmetic_, gate_units_, of_row + input,
           sums.table.data() + sums.slots[symbol] * gate_units_);
  }
}

void NetworkPass::BackwardInput(int layer, Times times) {
  ProductArguments product;
  product.rows = times.size() * input_.rows;
  product.left =
      GateGradientFactors(layer, times.begin, weights_.gates().backward_input);
  product.right = &weights_.layer(layer).input_backward.front();
  product.output = output_gradient_.data();
  product.output_stride = units_;
  Product(arithmetic_, product);
  MultiplyByMask(layer - 1, times, output_gradient_.data());
}

void NetworkPass::AddLayerGradients(int layer, Times times,
                                    const PassGrain& grain) {
  const GateLayout& gates = weights_.gates();
  const int64_t hidden = weights_.config().hidden_dim;
  left_rows_.clear();
  right_rows_.clear();
  ForEachRow(times, grain, [&](int64_t time, int64_t row) {
    left_rows_.push_back(Row(GateGradientFactors(layer, time, 0), row));
    right_rows_.push_back(Row(HiddenFactors(layer, time), row));
  });
  outer_.SetRight(right_rows_, hidden);
  for (int i = 0; i < gates.gates; ++i) {
    outer_.Add(left_rows_, (gates.backward_hidden + i) * units_, hidden,
               grain.gradient + weights_.LayerOffset(layer, 1) +
                   gates.order_hidden[i] * hidden * hidden);
  }
  if (layer == 0) return;
  right_rows_.clear();
  ForEachRow(times, grain, [&](int64_t time, int64_t row) {
    right_rows_.push_back(Row(OutputFactors(layer - 1, time), row));
  });
  outer_.SetRight(right_rows_, hidden);
  for (int i = 0; i < gates.gates; ++i) {
    outer_.Add(
        left_rows_, (gates.backward_input + i) * units_, hidden,
        grain.gradient + weights_.LayerOffset(layer, 0) + i * hidden * hidden);
  }
}

void NetworkPass::FinishSums(const PassGrain& grain, Sums& sums) {
  const ModelConfig& config = weights_.config();
  const auto symbols = static_cast<int64_t>(sums.symbols.size());
  // The table is the embedding times weight_ih.
  embedding_gradient_.Resize(symbols * weights_.embedding_units());
  ProductArguments product;
  product.rows = symbols;
  product.left = {sums.table.data(), gate_units_};
  product.right = &weights_.embedding_backward();
  product.output = embedding_gradient_.data();
  product.output_stride = weights_.embedding_units();
  Product({arithmetic_.isa, Precision::kFp32}, product);
  left_rows_.clear();
  right_rows_.clear();
  for (int64_t i = 0; i < symbols; ++i) {
    const int32_t symbol = sums.symbols[i];
    std::memcpy(grain.gradient + weights_.EmbeddingOffset() +
                    int64_t{symbol} * config.embedding_dim,
                embedding_gradient_.data() + i * weights_.embedding_units(),
                config.embedding_dim * sizeof(float));
    left_rows_.push_back(sums.table.data() + i * gate_units_);
    right_rows_.push_back(weights_.EmbeddingOf(symbol));
    AddRow(arithmetic_, gate_units_, left_rows_.back(),
           sums.biases.data() + weights_.gates().backward_input * units_);
  }
  outer_fp32_.SetRight(right_rows_, config.embedding_dim);
  for (int gate = 0; gate < weights_.gates().gates; ++gate) {
    outer_fp32_.Add(
        left_rows_, gate * units_, config.hidden_dim,
        grain.gradient + weights_.LayerOffset(0, 0) +
            int64_t{gate} * config.hidden_dim * config.embedding_dim);
  }
  for (int layer = 0; layer < config.num_layers; ++layer) {
    FinishBiases(layer, grain, sums);
  }
  std::memcpy(grain.gradient + weights_.OutputOffset(1),
              sums.output_bias.data(), config.vocab_size * sizeof(float));
}

void NetworkPass::FinishBiases(int layer, const PassGrain& grain,
                               const Sums& sums) {
  const GateLayout& gates = weights_.gates();
  const int64_t hidden = weights_.config().hidden_dim;
  const float* const from = sums.biases.data() + 4 * units_ * layer;
  const auto copy = [&](int slot, int64_t offset, int gate) {
    std::memcpy(grain.gradient + offset + gate * hidden, from + slot * units_,
                hidden * sizeof(float));
  };
  for (int i = 0; i < gates.gates; ++i) {
    copy(gates.backward_input + i, weights_.LayerOffset(layer, 2), i);
    copy(gates.backward_hidden + i, weights_.LayerOffset(layer, 3),
         gates.order_hidden[i]);
  }
}

}  // namespace charrnn
