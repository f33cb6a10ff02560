#include "model/kernels/reference_pass.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/parameter_layout.h"

namespace charrnn {
namespace {

// The place of a number on a tape.
using Number = int64_t;
using Numbers = std::vector<Number>;

// Numbers in the order in which they are computed, each with the derivatives by
// those that it is computed from.
class Tape {
 public:
  // A new number, whose edges are those that are no other's yet.
  Number Leaf(double value) {
    values_.push_back(value);
    ends_.push_back(Size(edges_));
    return Size(values_) - 1;
  }

  double operator[](Number x) const { return values_[x]; }

  Number Add(Number a, Number b) {
    return Of(values_[a] + values_[b], {{a, 1}, {b, 1}});
  }
  Number Subtract(Number a, Number b) {
    return Of(values_[a] - values_[b], {{a, 1}, {b, -1}});
  }
  Number Multiply(Number a, Number b) {
    return Of(values_[a] * values_[b], {{a, values_[b]}, {b, values_[a]}});
  }
  Number Scale(Number a, double factor) {
    return Of(values_[a] * factor, {{a, factor}});
  }
  Number Sigmoid(Number a) {
    const double y = 1 / (1 + std::exp(-values_[a]));
    return Of(y, {{a, y * (1 - y)}});
  }
  Number Tanh(Number a) {
    const double y = std::tanh(values_[a]);
    return Of(y, {{a, 1 - y * y}});
  }
  // bias + the sum of weights[i] * x[i], the weights being neighbours.
  Number Linear(Number bias, Number weights, const Numbers& x) {
    double sum = values_[bias];
    edges_.push_back({bias, 1});
    for (Number i = 0; i < Size(x); ++i) {
      sum += values_[weights + i] * values_[x[i]];
      edges_.push_back({weights + i, values_[x[i]]});
      edges_.push_back({x[i], values_[weights + i]});
    }
    return Leaf(sum);
  }
  Number CrossEntropy(const Numbers& logits, int32_t target) {
    double largest = values_[logits[0]];
    for (const Number x : logits) largest = std::max(largest, values_[x]);
    double sum = 0;
    for (const Number x : logits) sum += std::exp(values_[x] - largest);
    for (const Number x : logits) {
      const double softmax = std::exp(values_[x] - largest) / sum;
      edges_.push_back({x, softmax - (x == logits[target] ? 1 : 0)});
    }
    return Leaf(std::log(sum) + (largest - values_[logits[target]]));
  }

  // The derivatives of `x` by the first `count` numbers.
  std::vector<double> Gradient(Number x, Number count) const {
    std::vector<double> gradient(values_.size());
    gradient[x] = 1;
    for (Number i = x; i >= 0; --i) {
      for (Number e = i == 0 ? 0 : ends_[i - 1]; e < ends_[i]; ++e) {
        gradient[edges_[e].to] += gradient[i] * edges_[e].derivative;
      }
    }
    gradient.resize(count);
    return gradient;
  }

 private:
  struct Edge {
    Number to;
    double derivative;
  };

  template <typename T>
  static Number Size(const std::vector<T>& list) {
    return static_cast<Number>(list.size());
  }

  Number Of(double value, std::initializer_list<Edge> edges) {
    edges_.insert(edges_.end(), edges.begin(), edges.end());
    return Leaf(value);
  }

  std::vector<double> values_;
  std::vector<Number> ends_;  // of a number's edges
  std::vector<Edge> edges_;
};

// A network on a tape, whose first numbers are its weights.
class TapeNetwork {
 public:
  TapeNetwork(const PassExample& example, absl::Span<const double> flat)
      : example_(example), config_(example.config), layout_(config_) {
    for (const double weight : flat) tape_.Leaf(weight);
    for (int layer = 0; layer < config_.num_layers; ++layer) {
      std::vector<float> mask(example.rows * example.seq_len * Units(), 1.0f);
      if (config_.dropout > 0) {
        FillDropoutMask(example.dropout, layer, example.rows, example.seq_len,
                        Units(), absl::MakeSpan(mask));
      }
      masks_.push_back(mask);
    }
  }

  ReferenceResult Compute() {
    ReferenceResult result;
    const int64_t size = config_.num_layers * example_.rows * Units();
    result.hidden.resize(size);
    if (IsLstm()) result.cell.resize(size);
    Number loss = tape_.Leaf(0);
    for (int64_t row = 0; row < example_.rows; ++row) {
      Begin(row);
      for (int64_t time = 0; time < example_.seq_len; ++time) {
        loss = tape_.Add(loss, Step(row, time));
      }
      End(row, &result);
    }
    result.loss = tape_[loss];
    result.gradient = tape_.Gradient(loss, layout_.flat_size());
    return result;
  }

 private:
  bool IsLstm() const { return config_.rnn_type == RnnType::kLstm; }
  int64_t Units() const { return config_.hidden_dim; }
  Number Weight(int64_t parameter) const {
    return layout_.parameters()[parameter].offset;
  }

  // Where the state of a row's layer lies.
  int64_t StateOffset(int layer, int64_t row) const {
    return (layer * example_.rows + row) * Units();
  }

  void Begin(int64_t row) {
    const auto state = [&](const std::vector<float>& from, int layer) {
      Numbers numbers;
      for (int64_t i = 0; i < Units(); ++i) {
        numbers.push_back(
            tape_.Leaf(from.empty() ? 0 : from[StateOffset(layer, row) + i]));
      }
      return numbers;
    };
    hidden_.clear();
    cell_.clear();
    for (int layer = 0; layer < config_.num_layers; ++layer) {
      hidden_.push_back(state(example_.hidden, layer));
      cell_.push_back(state(example_.cell, layer));
    }
  }

  void End(int64_t row, ReferenceResult* result) const {
    for (int layer = 0; layer < config_.num_layers; ++layer) {
      for (int64_t i = 0; i < Units(); ++i) {
        const int64_t at = StateOffset(layer, row) + i;
        result->hidden[at] = tape_[hidden_[layer][i]];
        if (IsLstm()) result->cell[at] = tape_[cell_[layer][i]];
      }
    }
  }

  // Reads a character; the loss of the next one.
  Number Step(int64_t row, int64_t time) {
    const int64_t place = row * example_.seq_len + time;
    Numbers x;
    for (int64_t i = 0; i < config_.embedding_dim; ++i) {
      const int64_t symbol = example_.inputs[place];
      x.push_back(Weight(0) + symbol * config_.embedding_dim + i);
    }
    for (int layer = 0; layer < config_.num_layers; ++layer) {
      if (IsLstm()) {
        LstmStep(layer, x);
      } else {
        GruStep(layer, x);
      }
      x = hidden_[layer];
      for (int64_t i = 0; i < Units(); ++i) {
        x[i] = tape_.Scale(x[i], masks_[layer][place * Units() + i]);
      }
    }
    const int64_t weight = 1 + 4 * int64_t{config_.num_layers};
    Numbers logits;
    for (int64_t i = 0; i < config_.vocab_size; ++i) {
      logits.push_back(tape_.Linear(Weight(weight + 1) + i,
                                    Weight(weight) + i * Units(), x));
    }
    return tape_.CrossEntropy(logits, example_.targets[place]);
  }

  // Row `gate * Units() + unit` of weight_ih or weight_hh times x, plus bias.
  Number InputPart(int layer, int64_t gate_row, const Numbers& x) {
    return Part(1 + 4 * layer, 3 + 4 * layer, gate_row, x);
  }
  Number HiddenPart(int layer, int64_t gate_row) {
    return Part(2 + 4 * layer, 4 + 4 * layer, gate_row, hidden_[layer]);
  }
  Number Part(int64_t weight, int64_t bias, int64_t gate_row,
              const Numbers& x) {
    return tape_.Linear(
        Weight(bias) + gate_row,
        Weight(weight) + gate_row * static_cast<int64_t>(x.size()), x);
  }

  void GruStep(int layer, const Numbers& x) {
    Numbers next;
    for (int64_t i = 0; i < Units(); ++i) {
      const int64_t update_row = Units() + i;
      const int64_t new_row = 2 * Units() + i;
      const Number reset = tape_.Sigmoid(
          tape_.Add(InputPart(layer, i, x), HiddenPart(layer, i)));
      const Number update = tape_.Sigmoid(tape_.Add(
          InputPart(layer, update_row, x), HiddenPart(layer, update_row)));
      const Number fresh = tape_.Tanh(
          tape_.Add(InputPart(layer, new_row, x),
                    tape_.Multiply(reset, HiddenPart(layer, new_row))));
      // (1 - update) * fresh + update * before
      next.push_back(tape_.Add(
          fresh,
          tape_.Multiply(update, tape_.Subtract(hidden_[layer][i], fresh))));
    }
    hidden_[layer] = next;
  }

  void LstmStep(int layer, const Numbers& x) {
    Numbers next;
    for (int64_t i = 0; i < Units(); ++i) {
      const auto gate = [&](int64_t index) {
        const int64_t row = index * Units() + i;
        return tape_.Add(InputPart(layer, row, x), HiddenPart(layer, row));
      };
      const Number in = tape_.Sigmoid(gate(0));
      const Number forget = tape_.Sigmoid(gate(1));
      const Number fresh = tape_.Tanh(gate(2));
      const Number out = tape_.Sigmoid(gate(3));
      cell_[layer][i] = tape_.Add(tape_.Multiply(forget, cell_[layer][i]),
                                  tape_.Multiply(in, fresh));
      next.push_back(tape_.Multiply(out, tape_.Tanh(cell_[layer][i])));
    }
    hidden_[layer] = next;
  }

  const PassExample& example_;
  const ModelConfig& config_;
  const ParameterLayout layout_;
  std::vector<std::vector<float>> masks_;  // [layers][rows, times, units]
  Tape tape_;
  // Of the row that is being read: [layers][units].
  std::vector<Numbers> hidden_;
  std::vector<Numbers> cell_;
};

// `states` are overwritten.
PassInput InputOf(const PassExample& example, PassResult* states) {
  PassInput input;
  input.rows = example.rows;
  input.seq_len = example.seq_len;
  input.inputs = example.inputs.data();
  input.targets = example.targets.data();
  if (example.dropout.rate > 0) input.dropout = &example.dropout;
  states->hidden = example.hidden;
  states->cell = example.cell;
  if (!example.hidden.empty()) input.hidden = states->hidden.data();
  if (!example.cell.empty()) input.cell = states->cell.data();
  return input;
}

// A pass and its weights, an example's.
struct Network {
  Network(const Arithmetic& arithmetic, const PassExample& example)
      : weights(example.config, arithmetic), pass(&weights) {
    ThreadPool pool(1);
    weights.Take(example.flat.data(), /*backward=*/true, pool);
  }

  NetworkWeights weights;
  NetworkPass pass;
};

}  // namespace

ModelConfig MakeConfig(RnnType type, int hidden_dim, int num_layers,
                       int vocab_size, int embedding_dim) {
  ModelConfig config;
  config.rnn_type = type;
  config.hidden_dim = hidden_dim;
  config.num_layers = num_layers;
  config.vocab_size = vocab_size;
  config.embedding_dim = embedding_dim;
  config.dropout = 0;
  return config;
}

PassExample MakeExample(const ModelConfig& config, int64_t rows,
                        int64_t seq_len, bool has_state) {
  PassExample example;
  example.config = config;
  example.rows = rows;
  example.seq_len = seq_len;
  const ParameterLayout layout(config);
  example.flat.resize(layout.flat_size());
  InitializeParameters(layout, /*seed=*/1, absl::MakeSpan(example.flat));
  const std::vector<float> numbers = RandomNumbers(2 * rows * seq_len, 2);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto symbol = static_cast<int32_t>(
        (numbers[i] + 1) / 2 * static_cast<float>(config.vocab_size));
    (i % 2 == 0 ? example.inputs : example.targets).push_back(symbol);
  }
  if (has_state) {
    const int64_t size = config.num_layers * rows * config.hidden_dim;
    example.hidden = RandomNumbers(size, 3);
    if (config.rnn_type == RnnType::kLstm) {
      example.cell = RandomNumbers(size, 4, 2);
    }
  }
  example.dropout.seed = 5;
  example.dropout.step = 6;
  example.dropout.rate = config.dropout;
  example.dropout.first_row = 7;
  return example;
}

PassExample RowsOf(const PassExample& example, int64_t begin, int64_t end) {
  PassExample part = example;
  part.rows = end - begin;
  part.dropout.first_row += begin;
  const auto cut = [&](const auto& from, int64_t blocks, int64_t row_size) {
    auto to = from;
    to.clear();
    for (int64_t i = 0; i < blocks; ++i) {
      const auto row = from.begin() + i * example.rows * row_size;
      to.insert(to.end(), row + begin * row_size, row + end * row_size);
    }
    return to;
  };
  part.inputs = cut(example.inputs, 1, example.seq_len);
  part.targets = cut(example.targets, 1, example.seq_len);
  const int64_t layers = example.config.num_layers;
  const int64_t units = example.config.hidden_dim;
  if (!example.hidden.empty()) part.hidden = cut(example.hidden, layers, units);
  if (!example.cell.empty()) part.cell = cut(example.cell, layers, units);
  return part;
}

PassResult RunPass(NetworkPass& pass, const PassExample& example,
                   const std::vector<int64_t>& ends) {
  PassResult result;
  const PassInput input = InputOf(example, &result);
  result.gradients.resize(ends.size());
  std::vector<PassGrain> grains;
  int64_t begin = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    // Which have to be overwritten.
    result.gradients[i].assign(example.flat.size(), 1e9f);
    grains.push_back({begin, ends[i], result.gradients[i].data(), 1e9});
    begin = ends[i];
  }
  pass.LossAndGradient(input, absl::MakeSpan(grains));
  for (const PassGrain& grain : grains) result.losses.push_back(grain.loss);
  return result;
}

double RunLoss(NetworkPass& pass, const PassExample& example) {
  PassResult states;
  return pass.Loss(InputOf(example, &states));
}

PassResult RunPass(const Arithmetic& arithmetic, const PassExample& example,
                   const std::vector<int64_t>& ends) {
  Network network(arithmetic, example);
  return RunPass(network.pass, example, ends);
}

double RunLoss(const Arithmetic& arithmetic, const PassExample& example) {
  Network network(arithmetic, example);
  return RunLoss(network.pass, example);
}

ReferenceResult Reference(const PassExample& example,
                          absl::Span<const double> flat) {
  return TapeNetwork(example, flat).Compute();
}

ReferenceResult Reference(const PassExample& example) {
  const std::vector<double> flat(example.flat.begin(), example.flat.end());
  return Reference(example, flat);
}

}  // namespace charrnn
