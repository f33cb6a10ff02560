#include "model/kernels/step_network.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "model/config.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/amx_tile.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"
#include "model/kernels/quantized_product.h"
#include "model/kernels/recurrence.h"

namespace charrnn {
namespace {

// Symbols of a prompt that go through a layer before the next one reads what
// has come out, so that its weights are read once for all of them.
constexpr int64_t kPromptTimes = 32;

// In which precision the matrices are packed.
Arithmetic PackedArithmetic(const Arithmetic& arithmetic) {
  return {arithmetic.isa, arithmetic.precision == Precision::kInt8
                              ? Precision::kFp32
                              : arithmetic.precision};
}

}  // namespace

StepWeights::StepWeights(const ModelConfig& config,
                         const Arithmetic& arithmetic, const float* flat)
    : arithmetic_(arithmetic), network_(config, PackedArithmetic(arithmetic)) {
  ThreadPool alone(1);
  network_.Take(flat, /*backward=*/false, alone);
  for (int i = 0; i < config.num_layers; ++i) {
    const LayerWeights& layer = network_.layer(i);
    hidden_.push_back(MakeFactor(layer.hidden_forward));
    if (i > 0) input_.push_back(MakeFactor(layer.input_forward.front()));
  }
  output_ = MakeFactor(network_.output_forward());
}

StepWeights::Factor StepWeights::MakeFactor(const PackedMatrix& matrix) const {
  Factor factor = {&matrix, {}};
  if (arithmetic_.precision == Precision::kInt8) {
    factor.quantized.emplace_back(matrix);
  }
  return factor;
}

StepNetwork::StepNetwork(const StepWeights* weights, int64_t rows)
    : weights_(*weights),
      rows_(rows),
      units_(weights->network_.units()),
      factor_size_(units_ / NumbersPerElement(weights->arithmetic_.precision)),
      layers_(weights->config().num_layers) {
  const int64_t at_once = std::max(rows, kPromptTimes);
  for (Layer& layer : layers_) {
    layer.hidden.Resize(rows * units_);
    if (weights_.config().rnn_type == RnnType::kLstm) {
      layer.cell.Resize(rows * units_);
    }
    layer.factors.Resize(rows * factor_size_);
    layer.scales.Resize(rows);
  }
  inputs_.resize(at_once);
  gates_.Resize(at_once * 4 * units_);
  sums_.Resize(rows * weights_.network_.gates().gates * units_);
  outputs_.Resize(at_once * factor_size_);
  output_scales_.Resize(at_once);
  logits_.Resize(rows * logits_stride());
  Begin({});
}

void StepNetwork::Begin(absl::Span<const int32_t> prompt) {
  const AmxScope tiles;
  for (Layer& layer : layers_) {
    std::memset(layer.hidden.data(), 0, layer.hidden.size() * sizeof(float));
    if (layer.cell.size() > 0) {
      std::memset(layer.cell.data(), 0, layer.cell.size() * sizeof(float));
    }
    MakeFactors(layer, rows_);
  }
  const auto size = static_cast<int64_t>(prompt.size());
  for (int64_t begin = 0; begin < size; begin += kPromptTimes) {
    Advance(prompt.data() + begin, std::min(kPromptTimes, size - begin), 1);
  }
  // What the first row has read, all have.
  for (Layer& layer : layers_) {
    const auto spread = [&](AlignedArray<float>& array) {
      if (array.size() == 0) return;
      const int64_t width = array.size() / rows_;
      for (int64_t row = 1; row < rows_; ++row) {
        std::memcpy(array.data() + row * width, array.data(),
                    width * sizeof(float));
      }
    };
    spread(layer.hidden);
    spread(layer.cell);
    spread(layer.factors);
    spread(layer.scales);
  }
}

const float* StepNetwork::Step(absl::Span<const int32_t> symbols) {
  CHARRNN_CHECK(static_cast<int64_t>(symbols.size()) == rows_)
      << symbols.size() << " symbols for " << rows_ << " rows";
  const AmxScope tiles;
  Advance(symbols.data(), 1, rows_);
  const Layer& last = layers_.back();
  Multiply(weights_.output_, rows_, Factors(last), last.scales.data(),
           weights_.network_.output_bias().data(), logits_.data(),
           logits_stride());
  return logits_.data();
}

void StepNetwork::Advance(const int32_t* symbols, int64_t times, int64_t rows) {
  for (int64_t i = 0; i < times * rows; ++i) {
    inputs_[i] = weights_.network_.InputOf(symbols[i]);
  }
  AdvanceLayer(0, times, rows);
  for (int layer = 1; layer < weights_.config().num_layers; ++layer) {
    Multiply(weights_.input_[layer - 1], times * rows, outputs_.data(),
             output_scales_.data(),
             weights_.network_.layer(layer).input_bias.data(), gates_.data(),
             4 * units_);
    for (int64_t i = 0; i < times * rows; ++i) {
      inputs_[i] = gates_.data() + 4 * i * units_;
    }
    AdvanceLayer(layer, times, rows);
  }
}

void StepNetwork::AdvanceLayer(int layer, int64_t times, int64_t rows) {
  Layer& it = layers_[layer];
  ForwardStep step;
  step.rows = rows;
  step.units = units_;
  step.padding = units_ - weights_.config().hidden_dim;
  step.bias = weights_.network_.layer(layer).hidden_bias.data();
  step.sums = sums_.data();
  step.hidden = step.next_hidden = it.hidden.data();
  step.cell = step.next_cell = it.cell.data();
  const bool last = layer + 1 == weights_.config().num_layers;
  for (int64_t time = 0; time < times; ++time) {
    Multiply(weights_.hidden_[layer], rows, Factors(it), it.scales.data(),
             nullptr, sums_.data(), weights_.network_.gates().gates * units_);
    step.inputs = inputs_.data() + time * rows;
    step.gates = gates_.data() + 4 * time * rows * units_;
    if (weights_.config().rnn_type == RnnType::kLstm) {
      LstmCells(weights_.arithmetic_, step);
    } else {
      GruCells(weights_.arithmetic_, step);
    }
    MakeFactors(it, rows);
    if (last) continue;
    std::memcpy(outputs_.data() + time * rows * factor_size_, Factors(it),
                rows * factor_size_ * sizeof(float));
    std::memcpy(output_scales_.data() + time * rows, it.scales.data(),
                rows * sizeof(float));
  }
}

void StepNetwork::MakeFactors(Layer& layer, int64_t rows) const {
  const Arithmetic& arithmetic = weights_.arithmetic_;
  if (arithmetic.precision == Precision::kBf16) {
    ToFactor(arithmetic, layer.hidden.data(), rows * units_,
             layer.factors.data());
  } else if (arithmetic.precision == Precision::kInt8) {
    ToQuantizedFactor(arithmetic.isa, layer.hidden.data(), rows, units_,
                      layer.factors.data(), layer.scales.data());
  }
}

void StepNetwork::Multiply(const StepWeights::Factor& right, int64_t rows,
                           const float* left, const float* scales,
                           const float* bias, float* output,
                           int64_t output_stride) const {
  if (!right.quantized.empty()) {
    QuantizedArguments product;
    product.rows = rows;
    product.left = left;
    product.scales = scales;
    product.right = &right.quantized.front();
    product.bias = bias;
    product.output = output;
    product.output_stride = output_stride;
    QuantizedProduct(weights_.arithmetic_.isa, product);
    return;
  }
  ProductArguments product;
  product.rows = rows;
  product.left = {left, factor_size_};
  product.right = right.packed;
  product.bias = bias;
  product.output = output;
  product.output_stride = output_stride;
  Product(weights_.arithmetic_, product);
}

}  // namespace charrnn
