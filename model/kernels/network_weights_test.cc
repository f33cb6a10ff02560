#include "model/kernels/network_weights.h"

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/parameter_layout.h"

namespace charrnn {
namespace {

constexpr int32_t kVocab = 65;

ModelConfig Config(RnnType type, int64_t hidden_dim, int64_t embedding_dim) {
  ModelConfig config;
  config.rnn_type = type;
  config.vocab_size = kVocab;
  config.embedding_dim = static_cast<int>(embedding_dim);
  config.hidden_dim = static_cast<int>(hidden_dim);
  config.num_layers = 2;
  return config;
}

std::vector<float> Flat(const ModelConfig& config, uint64_t seed) {
  const ParameterLayout layout(config);
  std::vector<float> flat(layout.flat_size());
  InitializeParameters(layout, seed, absl::MakeSpan(flat));
  return flat;
}

// Everything that is read, as one list.
std::vector<float> Contents(const NetworkWeights& weights) {
  std::vector<float> all;
  const auto add = [&](const float* from, int64_t size) {
    all.insert(all.end(), from, from + size);
  };
  const auto add_matrix = [&](const PackedMatrix& matrix) {
    add(matrix.Panel(0), matrix.columns() * matrix.inner());
  };
  for (int32_t i = 0; i < weights.config().vocab_size; ++i) {
    add(weights.InputOf(i), weights.gates().gates * weights.units());
    add(weights.EmbeddingOf(i), weights.embedding_units());
  }
  for (int i = 0; i < weights.config().num_layers; ++i) {
    const LayerWeights& layer = weights.layer(i);
    add_matrix(layer.hidden_forward);
    add_matrix(layer.hidden_backward);
    for (const PackedMatrix& input : layer.input_forward) add_matrix(input);
    for (const PackedMatrix& input : layer.input_backward) add_matrix(input);
    add(layer.input_bias.data(), layer.input_bias.size());
    add(layer.hidden_bias.data(), layer.hidden_bias.size());
  }
  add_matrix(weights.embedding_backward());
  add_matrix(weights.output_forward());
  add_matrix(weights.output_backward());
  add(weights.output_bias().data(), weights.output_bias().size());
  return all;
}

class NetworkWeightsTest : public EachArithmeticTest {};

TEST_P(NetworkWeightsTest, TheTableIsTheEmbeddingTimesTheInputsWeights) {
  ThreadPool pool(2);
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int64_t hidden : {1, 16, 33}) {
      for (const int64_t embedding : {1, 17, 50}) {
        const ModelConfig config = Config(type, hidden, embedding);
        const std::vector<float> flat = Flat(config, 1);
        NetworkWeights weights(config, arithmetic());
        weights.Take(flat.data(), /*backward=*/true, pool);
        for (int32_t symbol = 0; symbol < kVocab; ++symbol) {
          const float* const x =
              flat.data() + weights.EmbeddingOffset() + symbol * embedding;
          std::vector<double> expected;
          for (int gate = 0; gate < weights.gates().gates; ++gate) {
            // The hidden bias of a GRU's new gate is multiplied by reset.
            const bool own = type == RnnType::kGru && gate == 2;
            for (int64_t unit = 0; unit < weights.units(); ++unit) {
              if (unit >= hidden) {
                expected.push_back(0);
                continue;
              }
              const int64_t row = gate * hidden + unit;
              double sum = flat[weights.LayerOffset(0, 2) + row];
              if (!own) sum += flat[weights.LayerOffset(0, 3) + row];
              for (int64_t k = 0; k < embedding; ++k) {
                sum += double{x[k]} *
                       flat[weights.LayerOffset(0, 0) + row * embedding + k];
              }
              expected.push_back(sum);
            }
          }
          // Fp32 in both precisions, sums of up to 8.
          ASSERT_TRUE(AllNear(
              absl::MakeConstSpan(weights.InputOf(symbol), expected.size()),
              expected, 1e-5));
          ASSERT_TRUE(SameBits(
              absl::MakeConstSpan(weights.EmbeddingOf(symbol), embedding),
              absl::MakeConstSpan(x, embedding)));
        }
      }
    }
  }
}

TEST_P(NetworkWeightsTest, AreTheSameWithAnyNumberOfThreads) {
  const ModelConfig config = Config(RnnType::kLstm, 50, 20);
  const std::vector<float> flat = Flat(config, 1);
  ThreadPool one(1);
  NetworkWeights alone(config, arithmetic());
  alone.Take(flat.data(), /*backward=*/true, one);
  ThreadPool three(3);
  NetworkWeights together(config, arithmetic());
  together.Take(flat.data(), /*backward=*/true, three);
  EXPECT_TRUE(SameBits(Contents(alone), Contents(together)));
}

TEST_P(NetworkWeightsTest, TakeTheNewestWeightsWhole) {
  ThreadPool pool(1);
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    const ModelConfig config = Config(type, 17, 20);
    const std::vector<float> before = Flat(config, 1);
    const std::vector<float> after = Flat(config, 2);
    NetworkWeights used(config, arithmetic());
    used.Take(before.data(), /*backward=*/true, pool);
    const std::vector<float> old = Contents(used);
    used.Take(after.data(), /*backward=*/true, pool);
    NetworkWeights fresh(config, arithmetic());
    fresh.Take(after.data(), /*backward=*/true, pool);
    EXPECT_FALSE(SameBits(Contents(used), old));
    EXPECT_TRUE(SameBits(Contents(used), Contents(fresh)));
  }
}

TEST_P(NetworkWeightsTest, OffsetsAreThoseOfThePlacesOfTheirNames) {
  const ModelConfig config = Config(RnnType::kGru, 17, 20);
  const NetworkWeights weights(config, arithmetic());
  const auto offset_of = [&](const char* name) -> int64_t {
    for (const ParameterSpec& spec : weights.layout().parameters()) {
      if (spec.name == name) return spec.offset;
    }
    return -1;
  };
  EXPECT_EQ(weights.EmbeddingOffset(), offset_of("emb.weight"));
  EXPECT_EQ(weights.LayerOffset(0, 0), offset_of("rnn.weight_ih_l0"));
  EXPECT_EQ(weights.LayerOffset(0, 3), offset_of("rnn.bias_hh_l0"));
  EXPECT_EQ(weights.LayerOffset(1, 1), offset_of("rnn.weight_hh_l1"));
  EXPECT_EQ(weights.LayerOffset(1, 2), offset_of("rnn.bias_ih_l1"));
  EXPECT_EQ(weights.OutputOffset(0), offset_of("fc.weight"));
  EXPECT_EQ(weights.OutputOffset(1), offset_of("fc.bias"));
  EXPECT_EQ(weights.units(), 32);
  EXPECT_EQ(weights.embedding_units(), 32);
  EXPECT_EQ(weights.classes(), 80);
}

INSTANTIATE_TEST_SUITE_P(Each, NetworkWeightsTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
