#include "model/kernels/step_network.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"
#include "testing/allocations.h"

namespace charrnn {
namespace {

std::vector<Arithmetic> AllArithmetic() {
  return SupportedArithmetics(
      {Precision::kFp32, Precision::kBf16, Precision::kInt8});
}

ModelConfig Config(RnnType type, int vocab_size, int embedding_dim,
                   int hidden_dim, int num_layers) {
  ModelConfig config;
  config.rnn_type = type;
  config.vocab_size = vocab_size;
  config.embedding_dim = embedding_dim;
  config.hidden_dim = hidden_dim;
  config.num_layers = num_layers;
  return config;
}

// Sizes that no vector divides, and some that all do.
std::vector<ModelConfig> Configs() {
  std::vector<ModelConfig> configs;
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    configs.push_back(Config(type, 2, 1, 1, 1));
    configs.push_back(Config(type, 65, 256, 256, 1));
    configs.push_back(Config(type, 17, 5, 33, 3));
    configs.push_back(Config(type, 200, 48, 100, 2));
  }
  return configs;
}

at::Tensor Weights(const ModelConfig& config) {
  const ParameterLayout layout(config);
  std::mt19937 random(11);
  const float range = 1.5F / std::sqrt(static_cast<float>(config.hidden_dim));
  std::uniform_real_distribution<float> uniform(-range, range);
  std::vector<float> flat(layout.flat_size());
  for (float& weight : flat) weight = uniform(random);
  return at::tensor(flat);
}

std::vector<int32_t> Symbols(int64_t count, const ModelConfig& config) {
  std::mt19937 random(13);
  std::vector<int32_t> symbols(count);
  for (int32_t& symbol : symbols) {
    symbol = static_cast<int32_t>(random() % config.vocab_size);
  }
  return symbols;
}

std::vector<float> RowOf(const StepNetwork& network, const float* logits,
                         int64_t row, const ModelConfig& config) {
  const float* const from = logits + row * network.logits_stride();
  return std::vector<float>(from, from + config.vocab_size);
}

// Logits after each of `symbols`, [T, V].
std::vector<float> Read(const StepWeights& weights,
                        const std::vector<int32_t>& symbols) {
  StepNetwork network(&weights, /*rows=*/1);
  std::vector<float> result;
  for (const int32_t symbol : symbols) {
    const auto row =
        RowOf(network, network.Step({symbol}), 0, weights.config());
    result.insert(result.end(), row.begin(), row.end());
  }
  return result;
}

double LargestDifference(absl::Span<const float> a, absl::Span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}));
  }
  return largest;
}

TEST(StepNetworkTest, LogitsAreThoseOfLibTorch) {
  const c10::InferenceMode no_gradients;
  for (const ModelConfig& config : Configs()) {
    const at::Tensor flat = Weights(config);
    const std::vector<int32_t> symbols = Symbols(40, config);
    const CharRnn model(config, flat);
    RnnState state = model.ZeroState(1);
    const at::Tensor expected =
        model
            .Forward(
                model.Weights(),
                at::tensor(std::vector<int64_t>(symbols.begin(), symbols.end()))
                    .unsqueeze(0),
                nullptr, &state)
            .contiguous();
    const absl::Span<const float> logits(expected.const_data_ptr<float>(),
                                         static_cast<size_t>(expected.numel()));
    for (const Arithmetic& arithmetic : AllArithmetic()) {
      const StepWeights weights(config, arithmetic,
                                flat.const_data_ptr<float>());
      const double tolerance = arithmetic.precision == Precision::kFp32   ? 1e-5
                               : arithmetic.precision == Precision::kBf16 ? 0.03
                                                                          : 0.1;
      EXPECT_LT(LargestDifference(Read(weights, symbols), logits), tolerance)
          << NameOf(arithmetic) << " " << ToJson(config);
    }
  }
}

TEST(StepNetworkTest, ARowDoesNotDependOnTheRowsBesideIt) {
  constexpr int64_t kTimes = 5;
  for (const ModelConfig& config : Configs()) {
    const at::Tensor flat = Weights(config);
    for (const Arithmetic& arithmetic : AllArithmetic()) {
      const StepWeights weights(config, arithmetic,
                                flat.const_data_ptr<float>());
      for (const int64_t rows : {2, 3, 7, 40}) {
        const std::vector<int32_t> symbols = Symbols(kTimes * rows, config);
        StepNetwork network(&weights, rows);
        std::vector<StepNetwork> alone;
        for (int64_t row = 0; row < rows; ++row) {
          alone.emplace_back(&weights, 1);
        }
        for (int64_t time = 0; time < kTimes; ++time) {
          const auto now =
              absl::MakeConstSpan(symbols).subspan(time * rows, rows);
          const float* const logits = network.Step(now);
          for (int64_t row = 0; row < rows; ++row) {
            ASSERT_EQ(RowOf(network, logits, row, config),
                      RowOf(alone[row], alone[row].Step({now[row]}), 0, config))
                << NameOf(arithmetic) << ", row " << row << " of " << rows;
          }
        }
      }
    }
  }
}

TEST(StepNetworkTest, VectorsOfAnyWidthComputeTheSameBits) {
  for (const ModelConfig& config : Configs()) {
    const at::Tensor flat = Weights(config);
    const std::vector<int32_t> symbols = Symbols(20, config);
    for (const Arithmetic& arithmetic : AllArithmetic()) {
      if (arithmetic.isa <= Isa::kAvx2 ||
          arithmetic.precision == Precision::kBf16) {
        continue;
      }
      const StepWeights narrow(config, {Isa::kAvx2, arithmetic.precision},
                               flat.const_data_ptr<float>());
      const StepWeights wide(config, arithmetic, flat.const_data_ptr<float>());
      EXPECT_EQ(Read(wide, symbols), Read(narrow, symbols))
          << NameOf(arithmetic);
    }
  }
}

TEST(StepNetworkTest, APromptIsItsSymbolsOneByOneInEveryRow) {
  for (const ModelConfig& config : Configs()) {
    const at::Tensor flat = Weights(config);
    // Longer than what is read at once, and not a multiple of it.
    std::vector<int32_t> symbols = Symbols(75, config);
    for (const Arithmetic& arithmetic : AllArithmetic()) {
      const StepWeights weights(config, arithmetic,
                                flat.const_data_ptr<float>());
      const std::vector<float> all = Read(weights, symbols);
      const std::vector<float> last(all.end() - config.vocab_size, all.end());
      StepNetwork network(&weights, 3);
      // Whatever was before is forgotten.
      network.Step({0, 1, 1});
      network.Begin(absl::MakeConstSpan(symbols).first(symbols.size() - 1));
      const int32_t symbol = symbols.back();
      const float* const logits = network.Step({symbol, symbol, symbol});
      for (const int64_t row : {0, 1, 2}) {
        EXPECT_EQ(RowOf(network, logits, row, config), last)
            << NameOf(arithmetic) << ", row " << row;
      }
    }
  }
}

TEST(StepNetworkTest, AWeightThatIsNoNumberIsSeenInTheLogits) {
  const ModelConfig config = Config(RnnType::kLstm, 20, 12, 40, 2);
  const ParameterLayout layout(config);
  for (const ParameterSpec& parameter : layout.parameters()) {
    const at::Tensor flat = Weights(config);
    flat.mutable_data_ptr<float>()[parameter.offset] =
        std::numeric_limits<float>::quiet_NaN();
    for (const Arithmetic& arithmetic : AllArithmetic()) {
      const StepWeights weights(config, arithmetic,
                                flat.const_data_ptr<float>());
      const std::vector<float> logits = Read(weights, {0, 0, 0});
      EXPECT_TRUE(std::any_of(logits.begin(), logits.end(),
                              [](float logit) { return std::isnan(logit); }))
          << NameOf(arithmetic) << " " << parameter.name;
    }
  }
}

TEST(StepNetworkTest, AStepAllocatesNothing) {
  for (const ModelConfig& config : Configs()) {
    const at::Tensor flat = Weights(config);
    for (const Arithmetic& arithmetic : AllArithmetic()) {
      const StepWeights weights(config, arithmetic,
                                flat.const_data_ptr<float>());
      StepNetwork network(&weights, 2);
      const std::vector<int32_t> prompt = Symbols(50, config);
      const int64_t before = NumAllocations();
      network.Begin(prompt);
      for (int i = 0; i < 10; ++i) network.Step({0, 1});
      EXPECT_EQ(NumAllocations(), before) << NameOf(arithmetic);
    }
  }
}

}  // namespace
}  // namespace charrnn
