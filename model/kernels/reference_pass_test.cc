#include "model/kernels/reference_pass.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "model/config.h"
#include "model/parameter_layout.h"

namespace charrnn {
namespace {

std::vector<double> WeightsOf(const PassExample& example) {
  return {example.flat.begin(), example.flat.end()};
}

TEST(ReferenceTest, GradientsAreFiniteDifferences) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int layers : {1, 3}) {
      ModelConfig config = MakeConfig(type, /*hidden_dim=*/3, layers,
                                      /*vocab_size=*/4, /*embedding_dim=*/2);
      config.dropout = 0.2;
      const PassExample example = MakeExample(config, 2, 3, true);
      const std::vector<double> gradient = Reference(example).gradient;
      std::vector<double> flat = WeightsOf(example);
      for (size_t i = 0; i < flat.size(); ++i) {
        constexpr double kStep = 1e-5;
        const double weight = flat[i];
        flat[i] = weight + kStep;
        const double above = Reference(example, flat).loss;
        flat[i] = weight - kStep;
        const double below = Reference(example, flat).loss;
        flat[i] = weight;
        ASSERT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-8) << i;
      }
    }
  }
}

TEST(ReferenceTest, ANetworkThatKnowsNothingLosesTheLogarithmOfItsClasses) {
  const PassExample example =
      MakeExample(MakeConfig(RnnType::kLstm, 3, 1, 10, 2), 2, 5, false);
  const std::vector<double> zeros(example.flat.size());
  const ReferenceResult result = Reference(example, zeros);
  EXPECT_NEAR(result.loss, 2 * 5 * std::log(10), 1e-12);
  EXPECT_EQ(result.hidden, std::vector<double>(6));
  EXPECT_EQ(result.cell, std::vector<double>(6));
}

TEST(ReferenceTest, AGatedUnitComputesWhatPyTorchSaysItDoes) {
  // All of size 1, so that the formulas are easily written out.
  PassExample example =
      MakeExample(MakeConfig(RnnType::kGru, 1, 1, 1, 1), 1, 1, true);
  const ParameterLayout layout(example.config);
  const auto set = [&](int parameter, const std::vector<float>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      example.flat[layout.parameters()[parameter].offset + i] = values[i];
    }
  };
  const double x = 0.5;
  const double h = 0.25;
  example.hidden = {0.25f};
  set(0, {0.5f});
  set(1, {1, 2, 3});          // weight_ih: reset, update, new
  set(2, {-1, -2, 4});        // weight_hh
  set(3, {0.5f, 0.25f, 0});   // bias_ih
  set(4, {-0.5f, 0.5f, -2});  // bias_hh
  const auto sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
  const double reset = sigmoid(x + 0.5 - h - 0.5);
  const double update = sigmoid(2 * x + 0.25 - 2 * h + 0.5);
  const double fresh = std::tanh(3 * x + reset * (4 * h - 2));
  EXPECT_NEAR(Reference(example).hidden[0], (1 - update) * fresh + update * h,
              1e-15);
}

TEST(PassExampleTest, RowsByThemselvesLoseWhatTheyLoseTogether) {
  ModelConfig config = MakeConfig(RnnType::kLstm, 3, 2, 4, 2);
  config.dropout = 0.5;
  const PassExample example = MakeExample(config, 5, 3, true);
  const ReferenceResult all = Reference(example);
  const ReferenceResult first = Reference(RowsOf(example, 0, 2));
  const ReferenceResult rest = Reference(RowsOf(example, 2, 5));
  EXPECT_NEAR(first.loss + rest.loss, all.loss, 1e-12);
  // [layers, rows, units]: the second layer's second row.
  constexpr size_t kUnits = 3;
  EXPECT_EQ(first.cell[(2 + 1) * kUnits], all.cell[(5 + 1) * kUnits]);
  EXPECT_EQ(rest.hidden[3 * kUnits], all.hidden[(5 + 2) * kUnits]);
}

TEST(PassExampleTest, HasSymbolsOfTheVocabularyAlone) {
  const PassExample example =
      MakeExample(MakeConfig(RnnType::kGru, 3, 1, 7), 20, 20, false);
  ASSERT_EQ(example.inputs.size(), 400u);
  ASSERT_EQ(example.targets.size(), 400u);
  std::vector<int> counts(7);
  for (const int32_t symbol : example.inputs) ++counts.at(symbol);
  for (const int32_t symbol : example.targets) ++counts.at(symbol);
  for (const int count : counts) EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace charrnn
