// Computes the gradients of a batch, of made-up text, some times over, for a
// tool that counts its instructions.
//
//   instruction_count GRU|LSTM LAYERS STEPS

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/parameter_layout.h"

namespace charrnn {
namespace {

// Small, for a tool that makes it 50 times as slow, and with sizes that need
// every kind of tile and padding.
constexpr int kHidden = 72;
constexpr int kEmbedding = 40;
constexpr int kVocab = 65;
constexpr int64_t kRows = 17;
constexpr int64_t kTimes = 20;

int Run(RnnType type, int layers, int steps) {
  ModelConfig config;
  config.rnn_type = type;
  config.num_layers = layers;
  config.vocab_size = kVocab;
  config.embedding_dim = kEmbedding;
  config.hidden_dim = kHidden;
  const ParameterLayout layout(config);
  std::vector<float> flat(layout.flat_size());
  InitializeParameters(layout, /*seed=*/1, absl::MakeSpan(flat));
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < kRows * kTimes; ++i) {
    ids.push_back(static_cast<int32_t>(i * i % kVocab));
  }
  ThreadPool pool(1);
  NetworkWeights weights(config, {Isa::kAvx2});
  NetworkPass pass(&weights);
  std::vector<float> gradient(layout.flat_size());
  DropoutKey dropout;
  dropout.rate = config.dropout;
  PassInput input;
  input.rows = kRows;
  input.seq_len = kTimes;
  input.inputs = ids.data();
  input.targets = ids.data();
  input.dropout = &dropout;
  double loss = 0;
  for (int step = 0; step < steps; ++step) {
    weights.Take(flat.data(), /*backward=*/true, pool);
    PassGrain grain = {0, kRows, gradient.data()};
    pass.LossAndGradient(input, absl::MakeSpan(&grain, 1));
    loss = grain.loss;
  }
  std::cout << loss << "\n";
  return loss > 0 ? 0 : 1;
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  int layers = 0;
  int steps = 0;
  if (argc != 4 || !charrnn::ParseRnnType(argv[1]).ok() ||
      !absl::SimpleAtoi(argv[2], &layers) ||
      !absl::SimpleAtoi(argv[3], &steps) || layers < 1 || steps < 1) {
    std::cerr << "usage: instruction_count GRU|LSTM LAYERS STEPS\n";
    return 2;
  }
  if (charrnn::BestIsa() < charrnn::Isa::kAvx2) {
    std::cerr << "instruction_count: this CPU has no AVX2\n";
    return 77;
  }
  return charrnn::Run(*charrnn::ParseRnnType(argv[1]), layers, steps);
}
