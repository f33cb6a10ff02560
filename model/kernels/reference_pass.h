#ifndef CHARRNN_MODEL_KERNELS_REFERENCE_PASS_H_
#define CHARRNN_MODEL_KERNELS_REFERENCE_PASS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_pass.h"

namespace charrnn {

// What a test takes through a network: weights, text and what it comes with.
struct PassExample {
  ModelConfig config;
  int64_t rows = 0;
  int64_t seq_len = 0;
  std::vector<float> flat;       // weights
  std::vector<int32_t> inputs;   // [rows, seq_len]
  std::vector<int32_t> targets;  // the same
  // The state to begin with, [num_layers, rows, hidden_dim]; empty: zeros.
  std::vector<float> hidden;
  std::vector<float> cell;
  DropoutKey dropout;  // its rate is the model's
};

// Numbers of everyday sizes, the same for the same arguments.
ModelConfig MakeConfig(RnnType type, int hidden_dim, int num_layers = 1,
                       int vocab_size = 65, int embedding_dim = 10);
PassExample MakeExample(const ModelConfig& config, int64_t rows,
                        int64_t seq_len, bool has_state);

// The example's rows [begin, end) alone.
PassExample RowsOf(const PassExample& example, int64_t begin, int64_t end);

struct PassResult {
  std::vector<double> losses;                 // of the grains
  std::vector<std::vector<float>> gradients;  // the same
  // What the rows end with, [num_layers, rows, hidden_dim]; empty where the
  // example has no state.
  std::vector<float> hidden;
  std::vector<float> cell;
};

// What `pass`, of the example's weights, computes: grains of the rows up to
// each of `ends`. And the loss by itself.
PassResult RunPass(NetworkPass& pass, const PassExample& example,
                   const std::vector<int64_t>& ends);
double RunLoss(NetworkPass& pass, const PassExample& example);

// The same with weights and a pass of its own.
PassResult RunPass(const Arithmetic& arithmetic, const PassExample& example,
                   const std::vector<int64_t>& ends);
double RunLoss(const Arithmetic& arithmetic, const PassExample& example);

struct ReferenceResult {
  double loss = 0;               // nats, summed over targets
  std::vector<double> gradient;  // [flat_size]
  std::vector<double> hidden;    // [num_layers, rows, hidden_dim]
  std::vector<double> cell;      // LSTM only
};

// What it should be: the formulas of torch.nn.Embedding, GRU or LSTM, Dropout,
// Linear and CrossEntropyLoss in double precision, one number after another,
// and their derivatives by the chain rule, number by number. The example's
// weights are replaced by `flat`.
ReferenceResult Reference(const PassExample& example,
                          absl::Span<const double> flat);
ReferenceResult Reference(const PassExample& example);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_REFERENCE_PASS_H_
