#include "model/kernels/network_weights.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"
#include "model/kernels/recurrence.h"

namespace charrnn {
namespace {

using RowList = PackedMatrix::RowList;

// Rows of a gate matrix [gates * hidden, ...] in the order `order`, each gate
// padded.
RowList GateRows(int64_t hidden, int gates, const int* order) {
  RowList rows;
  for (int gate = 0; gate < gates; ++gate) {
    for (int64_t unit = 0; unit < PaddedColumns(hidden); ++unit) {
      rows.push_back(unit < hidden ? order[gate] * hidden + unit : -1);
    }
  }
  return rows;
}

// The same, but for each block of units all gates.
RowList GateRowsByBlock(int64_t hidden, int gates) {
  RowList rows;
  for (int64_t first = 0; first < hidden; first += kColumnBlock) {
    for (int gate = 0; gate < gates; ++gate) {
      for (int64_t unit = first; unit < first + kColumnBlock; ++unit) {
        rows.push_back(unit < hidden ? gate * hidden + unit : -1);
      }
    }
  }
  return rows;
}

RowList AllRows(int64_t count) {
  RowList rows(PaddedColumns(count), -1);
  for (int64_t i = 0; i < count; ++i) rows[i] = i;
  return rows;
}

constexpr int kOrder[] = {0, 1, 2, 3};  // PyTorch's

LayerWeights MakeLayer(const ModelConfig& config, const GateLayout& gates,
                       Precision precision, int layer) {
  const int64_t hidden = config.hidden_dim;
  const int64_t units = PaddedColumns(hidden);
  LayerWeights weights = {
      PackedMatrix::OfColumns(GateRowsByBlock(hidden, gates.gates), hidden,
                              gates.gates, precision),
      PackedMatrix::OfRows(GateRows(hidden, gates.gates, gates.order_hidden),
                           hidden, kProductBlocks, precision),
      {},
      {},
      {},
      {}};
  if (layer > 0) {
    const RowList rows = GateRows(hidden, gates.gates, kOrder);
    weights.input_forward.push_back(
        PackedMatrix::OfColumns(rows, hidden, kProductBlocks, precision));
    weights.input_backward.push_back(
        PackedMatrix::OfRows(rows, hidden, kProductBlocks, precision));
  }
  weights.input_bias.Resize(gates.gates * units);
  weights.hidden_bias.Resize(units);
  return weights;
}

}  // namespace

NetworkWeights::NetworkWeights(const ModelConfig& config,
                               const Arithmetic& arithmetic)
    : config_(config),
      layout_(config),
      arithmetic_(arithmetic),
      gates_(config.rnn_type == RnnType::kGru ? kGruGates : kLstmGates),
      units_(PaddedColumns(config.hidden_dim)),
      embedding_units_(PaddedColumns(config.embedding_dim)),
      table_forward_(PackedMatrix::OfColumns(
          GateRows(config.hidden_dim, gates_.gates, kOrder),
          config.embedding_dim, kProductBlocks, Precision::kFp32)),
      table_backward_(PackedMatrix::OfRows(
          GateRows(config.hidden_dim, gates_.gates, kOrder),
          config.embedding_dim, kProductBlocks, Precision::kFp32)),
      output_forward_(PackedMatrix::OfColumns(AllRows(config.vocab_size),
                                              config.hidden_dim, kProductBlocks,
                                              arithmetic.precision)),
      output_backward_(PackedMatrix::OfRows(AllRows(config.vocab_size),
                                            config.hidden_dim, kProductBlocks,
                                            arithmetic.precision)) {
  for (int layer = 0; layer < config.num_layers; ++layer) {
    layers_.push_back(MakeLayer(config, gates_, arithmetic.precision, layer));
  }
  embedding_.Resize(config.vocab_size * embedding_units_);
  table_.Resize(gates_.gates * units_ * config.vocab_size);
  output_bias_.Resize(PaddedColumns(config.vocab_size));
  ListPanels();
}

void NetworkWeights::AddPanels(PackedMatrix& matrix, int64_t offset,
                               int64_t row_stride) {
  for (int64_t i = 0; i < matrix.num_panels(); ++i) {
    panels_.push_back({&matrix, offset, row_stride, i});
  }
}

void NetworkWeights::ListPanels() {
  const int64_t hidden = config_.hidden_dim;
  AddPanels(table_forward_, LayerOffset(0, 0), config_.embedding_dim);
  AddPanels(output_forward_, OutputOffset(0), hidden);
  for (int i = 0; i < config_.num_layers; ++i) {
    AddPanels(layers_[i].hidden_forward, LayerOffset(i, 1), hidden);
    for (PackedMatrix& input : layers_[i].input_forward) {
      AddPanels(input, LayerOffset(i, 0), hidden);
    }
  }
  num_forward_panels_ = panels_.size();
  AddPanels(table_backward_, LayerOffset(0, 0), config_.embedding_dim);
  AddPanels(output_backward_, OutputOffset(0), hidden);
  for (int i = 0; i < config_.num_layers; ++i) {
    AddPanels(layers_[i].hidden_backward, LayerOffset(i, 1), hidden);
    for (PackedMatrix& input : layers_[i].input_backward) {
      AddPanels(input, LayerOffset(i, 0), hidden);
    }
  }
}

void NetworkWeights::Take(const float* flat, bool backward, ThreadPool& pool) {
  const size_t count = backward ? panels_.size() : num_forward_panels_;
  pool.ParallelFor(static_cast<int64_t>(count), [&](int64_t i) {
    const Panel& panel = panels_[i];
    panel.matrix->PackPanel(flat + panel.offset, panel.row_stride, panel.index);
  });
  TakeBiases(flat);
  ComputeTable(flat, pool);
}

void NetworkWeights::TakeBiases(const float* flat) {
  const int64_t hidden = config_.hidden_dim;
  for (int i = 0; i < config_.num_layers; ++i) {
    const float* const input = flat + LayerOffset(i, 2);
    const float* const recurrent = flat + LayerOffset(i, 3);
    for (int gate = 0; gate < gates_.gates; ++gate) {
      const bool own = config_.rnn_type == RnnType::kGru && gate == 2;
      for (int64_t unit = 0; unit < hidden; ++unit) {
        const int64_t index = gate * hidden + unit;
        layers_[i].input_bias[gate * units_ + unit] =
            own ? input[index] : input[index] + recurrent[index];
        if (own) layers_[i].hidden_bias[unit] = recurrent[index];
      }
    }
  }
  std::memcpy(output_bias_.data(), flat + OutputOffset(1),
              config_.vocab_size * sizeof(float));
}

void NetworkWeights::ComputeTable(const float* flat, ThreadPool& pool) {
  const int64_t symbols = config_.vocab_size;
  const int64_t size = config_.embedding_dim;
  const float* const embedding = flat + EmbeddingOffset();
  // Enough rows for whole tiles, and few enough to share out.
  constexpr int64_t kRows = 24;
  pool.ParallelFor((symbols + kRows - 1) / kRows, [&](int64_t i) {
    const int64_t begin = i * kRows;
    const int64_t end = std::min(begin + kRows, symbols);
    for (int64_t symbol = begin; symbol < end; ++symbol) {
      std::memcpy(embedding_.data() + symbol * embedding_units_,
                  embedding + symbol * size, size * sizeof(float));
    }
    ProductArguments product;
    product.rows = end - begin;
    product.left = {embedding_.data() + begin * embedding_units_,
                    embedding_units_};
    product.right = &table_forward_;
    product.bias = layers_[0].input_bias.data();
    product.output_stride = table_forward_.columns();
    product.output = table_.data() + begin * product.output_stride;
    Product({arithmetic_.isa, Precision::kFp32}, product);
  });
}

}  // namespace charrnn
