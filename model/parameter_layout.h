#ifndef CHARRNN_MODEL_PARAMETER_LAYOUT_H_
#define CHARRNN_MODEL_PARAMETER_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "model/config.h"

namespace charrnn {

// One parameter's place in flat memory.
struct ParameterSpec {
  std::string name;            // as PyTorch names it: "rnn.weight_ih_l0"
  std::vector<int64_t> shape;  // as PyTorch shapes it: [3H, E]
  int64_t offset = 0;          // of its first element
  int64_t size = 0;            // elements
  double fan_in = 0;           // what its initial spread is derived from
};

// Where each parameter of a model lies in one flat array of floats. Gradients
// and Adam's moments use the same layout, so that a norm, an update or a sum
// over workers is one pass over one array. Immutable; safe to share.
//
// Order and names are those of the PyTorch module
//   emb = Embedding(V, E); rnn = GRU|LSTM(E, H, L); fc = Linear(H, V)
// whose state_dict a checkpoint holds. Gates are stacked as PyTorch stacks
// them: reset, update, new (GRU); input, forget, cell, output (LSTM).
class ParameterLayout {
 public:
  // `config` must be valid.
  explicit ParameterLayout(const ModelConfig& config);

  absl::Span<const ParameterSpec> parameters() const { return parameters_; }

  // Length of the flat array in elements. Parameters begin at multiples of 64
  // bytes (MKL's bits may depend on alignment); the gaps stay zero.
  int64_t flat_size() const { return flat_size_; }

  // Elements that are parameters, gaps not counted.
  int64_t num_parameters() const { return num_parameters_; }

 private:
  void Add(std::string name, std::vector<int64_t> shape, double fan_in);

  std::vector<ParameterSpec> parameters_;
  int64_t flat_size_ = 0;
  int64_t num_parameters_ = 0;
};

// Draws initial values from the distributions of PyTorch's default
// initialisation: the embedding from N(0, 1), everything else uniformly from
// (-1/sqrt(k), 1/sqrt(k)) with k = H for the recurrent part and the output
// layer alike. The values are a function of (layout, seed) alone.
// `flat` has layout.flat_size() elements.
void InitializeParameters(const ParameterLayout& layout, uint64_t seed,
                          absl::Span<float> flat);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_PARAMETER_LAYOUT_H_
