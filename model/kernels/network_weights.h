#ifndef CHARRNN_MODEL_KERNELS_NETWORK_WEIGHTS_H_
#define CHARRNN_MODEL_KERNELS_NETWORK_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "model/config.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/recurrence.h"
#include "model/parameter_layout.h"

namespace charrnn {

// A recurrent layer's weights. U is the hidden size, padded.
struct LayerWeights {
  PackedMatrix hidden_forward;
  PackedMatrix hidden_backward;
  // Of the first layer they are in the table, see below.
  std::vector<PackedMatrix> input_forward;   // none or one
  std::vector<PackedMatrix> input_backward;  // none or one
  // What is added to the input's part of the gates, [gates * U]: both biases,
  // but for the new gate of a GRU its own alone; and that one's hidden bias.
  AlignedArray<float> input_bias;
  AlignedArray<float> hidden_bias;  // [U]
};

// The weights of a network in the order in which kernels read them: taken once
// a step, and then read by all threads.
//
// Nothing stands between the embedding and the first layer's weight_ih, so that
// their product, a table with one row of gates for each symbol, takes the place
// of both.
class NetworkWeights {
 public:
  NetworkWeights(const ModelConfig& config, const Arithmetic& arithmetic);
  NetworkWeights(const NetworkWeights&) = delete;
  NetworkWeights& operator=(const NetworkWeights&) = delete;

  // Takes the weights in `flat`, [layout().flat_size()], as they are now.
  // `backward`: also what gradients need.
  void Take(const float* flat, bool backward, ThreadPool& pool);

  const ModelConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  const Arithmetic& arithmetic() const { return arithmetic_; }
  const GateLayout& gates() const { return gates_; }
  int64_t units() const { return units_; }  // U
  int64_t embedding_units() const { return embedding_units_; }
  int64_t classes() const { return output_bias_.size(); }  // V, padded

  // The input's part of the first layer's gates for `symbol`, [gates * U].
  const float* InputOf(int32_t symbol) const {
    return table_.data() + gates_.gates * units_ * symbol;
  }
  // The embedding, [V, embedding_units()], and the weight that it is
  // multiplied with, for gradients: [gates * U, E], in fp32.
  const float* EmbeddingOf(int32_t symbol) const {
    return embedding_.data() + symbol * embedding_units_;
  }
  const PackedMatrix& embedding_backward() const { return table_backward_; }

  const LayerWeights& layer(int layer) const { return layers_[layer]; }
  const PackedMatrix& output_forward() const { return output_forward_; }
  const PackedMatrix& output_backward() const { return output_backward_; }
  const AlignedArray<float>& output_bias() const { return output_bias_; }

  // Where parameters begin in the flat array: those of a layer's recurrent
  // part in the order weight_ih, weight_hh, bias_ih, bias_hh.
  int64_t EmbeddingOffset() const { return layout_.parameters()[0].offset; }
  int64_t LayerOffset(int layer, int parameter) const {
    return layout_.parameters()[1 + 4 * layer + parameter].offset;
  }
  int64_t OutputOffset(int parameter) const {
    return layout_.parameters()[1 + 4 * config_.num_layers + parameter].offset;
  }

 private:
  // A panel to be packed: of which factor, and where its weight begins.
  struct Panel {
    PackedMatrix* matrix;
    int64_t offset;
    int64_t row_stride;
    int64_t index;
  };

  void AddPanels(PackedMatrix& matrix, int64_t offset, int64_t row_stride);
  void ListPanels();
  void TakeBiases(const float* flat);
  void ComputeTable(const float* flat, ThreadPool& pool);

  const ModelConfig config_;
  const ParameterLayout layout_;
  const Arithmetic arithmetic_;
  const GateLayout gates_;
  const int64_t units_;
  const int64_t embedding_units_;

  AlignedArray<float> embedding_;
  AlignedArray<float> table_;
  PackedMatrix table_forward_;
  PackedMatrix table_backward_;
  std::vector<LayerWeights> layers_;
  PackedMatrix output_forward_;
  PackedMatrix output_backward_;
  AlignedArray<float> output_bias_;
  // All panels, those that only gradients need at the end.
  std::vector<Panel> panels_;
  size_t num_forward_panels_ = 0;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_NETWORK_WEIGHTS_H_
