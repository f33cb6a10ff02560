#include "model/kernels/network_pass.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "absl/types/span.h"
#include "model/dropout.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/amx_tile.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/dropout_row.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/outer_product.h"
#include "model/kernels/product.h"
#include "model/kernels/recurrence.h"
#include "model/kernels/row_math.h"

namespace charrnn {
namespace {

// Rows of a block, times and rows of text together, in elements: an outer
// product's right factor, 64 columns of as many, takes 32 KiB of the first
// level cache.
constexpr int64_t kBlockElements = 128;

// How many times a block of `rows` rows has.
int64_t BlockTimes(int64_t rows, Precision precision) {
  const int64_t numbers = kBlockElements * NumbersPerElement(precision);
  return std::max<int64_t>(2, numbers / rows / 2 * 2);
}

// How many times as large a block may be for the sake of small grains. Each one
// has its own sums, which go through memory once a block: of few rows they
// would cost more than the products.
constexpr int64_t kMostBlocksTogether = 4;

// The same for rows that are these grains. Of each grain a block has as many
// rows as enter a sum at once, or a multiple of them, so that these are the
// same whichever grains go along.
int64_t BlockTimes(int64_t rows, absl::Span<const PassGrain> grains,
                   const Arithmetic& arithmetic) {
  int64_t multiple = 1;
  int64_t smallest = rows;
  const int64_t together = OuterProduct::RowsTogether(arithmetic);
  for (const PassGrain& grain : grains) {
    const int64_t size = grain.end - grain.begin;
    multiple = std::lcm(multiple, together / std::gcd(together, size));
    smallest = std::min(smallest, size);
  }
  const int64_t times =
      BlockTimes(std::max(smallest, (rows + kMostBlocksTogether - 1) /
                                        kMostBlocksTogether),
                 arithmetic.precision);
  return std::max(multiple, times / multiple * multiple);
}

}  // namespace

NetworkPass::NetworkPass(const NetworkWeights* weights)
    : weights_(*weights),
      arithmetic_(weights->arithmetic()),
      units_(weights->units()),
      gate_units_(weights->gates().gates * units_),
      layers_(weights->config().num_layers),
      outer_(arithmetic_),
      outer_fp32_({arithmetic_.isa, Precision::kFp32}) {
  mask_.Resize(units_);
  dropped_.Resize(units_);
}

double NetworkPass::Loss(const PassInput& input) {
  const AmxScope tiles;
  const int64_t step = BlockTimes(input.rows, arithmetic_.precision);
  Prepare(input, step);
  Forward();
  for (int64_t begin = 0; begin < input.seq_len; begin += step) {
    block_ = {begin, std::min(begin + step, input.seq_len)};
    ComputeLogits(block_, /*backward=*/false);
  }
  return SumOfLosses(0, input.rows);
}

void NetworkPass::LossAndGradient(const PassInput& input,
                                  absl::Span<PassGrain> grains) {
  const AmxScope tiles;
  const int64_t step = BlockTimes(input.rows, grains, arithmetic_);
  Prepare(input, step);
  Forward();
  sums_.resize(std::max(sums_.size(), grains.size()));
  for (size_t i = 0; i < grains.size(); ++i) BeginSums(grains[i], sums_[i]);
  for (int64_t end = input.seq_len; end > 0; end -= step) {
    block_ = {std::max<int64_t>(0, end - step), end};
    ComputeLogits(block_, /*backward=*/true);
    BackwardLogits(block_);
    for (size_t i = 0; i < grains.size(); ++i) {
      AddOutputGradients(block_, grains[i], sums_[i]);
    }
    for (int layer = last_layer(); layer >= 0; --layer) {
      BackwardLayer(layer, block_, grains);
      for (size_t i = 0; i < grains.size(); ++i) {
        AddLayerGradients(layer, block_, grains[i]);
      }
      if (layer > 0) BackwardInput(layer, block_);
    }
  }
  for (size_t i = 0; i < grains.size(); ++i) {
    FinishSums(grains[i], sums_[i]);
    grains[i].loss = SumOfLosses(grains[i].begin, grains[i].end);
  }
}

void NetworkPass::Prepare(const PassInput& input, int64_t block_times) {
  input_ = input;
  const int64_t block = std::min(input.seq_len, block_times);
  const int64_t block_rows = block * input.rows;
  losses_.Resize(input.seq_len * input.rows);
  inputs_.resize(input.rows);
  targets_.resize(block_rows);
  logits_.Resize(block_rows * weights_.classes());
  output_gradient_.Resize(block_rows * units_);
  if (Drops()) masks_.Resize(block_rows * units_);
  if (IsBf16()) {
    logit_factors_.Resize(FactorSize(logits_.size()));
    gate_gradients_.Resize(4 * input.rows * units_);
  }
  dropout_.clear();
  for (int layer = 0; layer <= last_layer(); ++layer) {
    if (Drops()) dropout_.emplace_back(*input.dropout, layer);
    Layer& it = At(layer);
    const int64_t step = input.rows * units_;
    it.hidden.Resize((input.seq_len + 1) * step);
    if (IsLstm()) it.cell.Resize((input.seq_len + 1) * step);
    it.gates.Resize(4 * input.seq_len * step);
    it.carried.Resize(step);
    if (IsBf16()) {
      it.factors.Resize(FactorSize(it.hidden.size()));
      it.gradient_factors.Resize(FactorSize(4 * (block + 1) * step));
    }
    if (Drops()) {
      const int64_t times = layer == last_layer() ? block : input.seq_len;
      it.output.Resize(FactorSize(times * step));
    }
  }
}

void NetworkPass::Forward() {
  for (int layer = 0; layer <= last_layer(); ++layer) {
    BeginLayer(layer);
    ForwardLayer(layer);
    EndLayer(layer);
  }
}

void NetworkPass::BeginLayer(int layer) {
  Layer& it = At(layer);
  const int64_t hidden = weights_.config().hidden_dim;
  const auto begin = [&](const float* state, AlignedArray<float>& to) {
    std::memset(to.data(), 0, input_.rows * units_ * sizeof(float));
    if (state == nullptr) return;
    for (int64_t row = 0; row < input_.rows; ++row) {
      std::memcpy(to.data() + row * units_,
                  state + (layer * input_.rows + row) * hidden,
                  hidden * sizeof(float));
    }
  };
  begin(input_.hidden, it.hidden);
  if (IsLstm()) begin(input_.cell, it.cell);
  if (IsBf16()) {
    ToFactor(arithmetic_, it.hidden.data(), input_.rows * units_,
             it.factors.data());
  }
  std::memset(it.carried.data(), 0, it.carried.size() * sizeof(float));
}

void NetworkPass::ForwardLayer(int layer) {
  Layer& it = At(layer);
  const LayerWeights& weights = weights_.layer(layer);
  const int64_t step_size = input_.rows * units_;
  ForwardStep step;
  step.rows = input_.rows;
  step.units = units_;
  step.padding = units_ - weights_.config().hidden_dim;
  step.weight = &weights.hidden_forward;
  step.bias = weights.hidden_bias.data();
  step.inputs = inputs_.data();
  for (int64_t time = 0; time < input_.seq_len; ++time) {
    step.gates = it.gates.data() + 4 * time * step_size;
    for (int64_t row = 0; row < input_.rows; ++row) {
      inputs_[row] =
          layer == 0
              ? weights_.InputOf(input_.inputs[row * input_.seq_len + time])
              : step.gates + 4 * row * units_;
    }
    step.hidden = it.hidden.data() + time * step_size;
    step.next_hidden = it.hidden.data() + (time + 1) * step_size;
    step.factor = HiddenFactors(layer, time);
    if (IsBf16()) {
      step.next_factor = it.factors.data() + (time + 1) * FactorSize(step_size);
    }
    if (IsLstm()) {
      step.cell = it.cell.data() + time * step_size;
      step.next_cell = it.cell.data() + (time + 1) * step_size;
      LstmForward(arithmetic_, step);
    } else {
      GruForward(arithmetic_, step);
    }
  }
}

void NetworkPass::EndLayer(int layer) {
  const Layer& it = At(layer);
  const int64_t hidden = weights_.config().hidden_dim;
  const auto end = [&](const AlignedArray<float>& from, float* state) {
    if (state == nullptr) return;
    const float* const last =
        from.data() + input_.seq_len * input_.rows * units_;
    for (int64_t row = 0; row < input_.rows; ++row) {
      std::memcpy(state + (layer * input_.rows + row) * hidden,
                  last + row * units_, hidden * sizeof(float));
    }
  };
  end(it.hidden, input_.hidden);
  if (IsLstm()) end(it.cell, input_.cell);
  if (layer == last_layer()) return;

  const Times all = {0, input_.seq_len};
  Drop(layer, all);
  const LayerWeights& above = weights_.layer(layer + 1);
  ProductArguments product;
  product.rows = input_.seq_len * input_.rows;
  product.left = OutputFactors(layer, 0);
  product.right = &above.input_forward.front();
  product.bias = above.input_bias.data();
  product.output = At(layer + 1).gates.data();
  product.output_stride = 4 * units_;
  Product(arithmetic_, product);
}

void NetworkPass::Drop(int layer, Times times) {
  if (!Drops()) return;
  Layer& it = At(layer);
  const int64_t rows = input_.rows;
  const float* hidden = it.hidden.data() + (times.begin + 1) * rows * units_;
  float* output = it.output.data();
  int64_t index = 0;
  for (int64_t time = times.begin; time < times.end; ++time) {
    for (int64_t row = 0; row < rows; ++row, ++index) {
      float* const mask = MaskRow(layer, index);
      FillMask(layer, time, row, mask);
      float* const numbers = IsBf16() ? dropped_.data() : output;
      MultiplyRow(arithmetic_, units_, hidden, mask, numbers);
      if (IsBf16()) ToFactor(arithmetic_, numbers, units_, output);
      hidden += units_;
      output += FactorSize(units_);
    }
  }
}

float* NetworkPass::MaskRow(int layer, int64_t index) {
  return layer == last_layer() ? masks_.data() + index * units_ : mask_.data();
}

void NetworkPass::FillMask(int layer, int64_t time, int64_t row, float* mask) {
  FillDropoutRow(arithmetic_, dropout_[layer], input_.dropout->first_row + row,
                 time, weights_.config().hidden_dim, mask);
}

FactorRows NetworkPass::HiddenFactors(int layer, int64_t time) const {
  const Layer& it = layers_[layer];
  const AlignedArray<float>& factors = IsBf16() ? it.factors : it.hidden;
  const int64_t stride = FactorSize(units_);
  return {factors.data() + time * input_.rows * stride, stride};
}

FactorRows NetworkPass::OutputFactors(int layer, int64_t time) const {
  if (!Drops()) return HiddenFactors(layer, time + 1);
  const int64_t stride = FactorSize(units_);
  const int64_t first = layer == last_layer() ? block_.begin : 0;
  return {layers_[layer].output.data() + (time - first) * input_.rows * stride,
          stride};
}

void NetworkPass::ComputeLogits(Times times, bool backward) {
  Drop(last_layer(), times);
  const int64_t rows = times.size() * input_.rows;
  ProductArguments product;
  product.rows = rows;
  product.left = OutputFactors(last_layer(), times.begin);
  product.right = &weights_.output_forward();
  product.bias = weights_.output_bias().data();
  product.output = logits_.data();
  product.output_stride = weights_.classes();
  Product(arithmetic_, product);
  int32_t* target = targets_.data();
  for (int64_t time = times.begin; time < times.end; ++time) {
    for (int64_t row = 0; row < input_.rows; ++row) {
      *target++ = input_.targets[row * input_.seq_len + time];
    }
  }
  CrossEntropy(arithmetic_,
               absl::MakeConstSpan(targets_.data(), static_cast<size_t>(rows)),
               weights_.config().vocab_size, weights_.classes(), backward,
               logits_.data(), losses_.data() + times.begin * input_.rows);
}

double NetworkPass::SumOfLosses(int64_t begin, int64_t end) const {
  double sum = 0;
  for (int64_t time = 0; time < input_.seq_len; ++time) {
    for (int64_t row = begin; row < end; ++row) {
      sum += losses_[time * input_.rows + row];
    }
  }
  return sum;
}

}  // namespace charrnn
