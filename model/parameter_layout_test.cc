#include "model/parameter_layout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;

ModelConfig SmallModel(RnnType type, int layers) {
  ModelConfig config;
  config.rnn_type = type;
  config.vocab_size = 5;
  config.embedding_dim = 3;
  config.hidden_dim = 7;
  config.num_layers = layers;
  return config;
}

TEST(ParameterLayoutTest, NamesAndShapesAreThoseOfTheNotebook) {
  const ParameterLayout layout(SmallModel(RnnType::kLstm, 2));
  std::vector<std::string> names;
  for (const ParameterSpec& spec : layout.parameters()) {
    names.push_back(spec.name);
  }
  EXPECT_THAT(
      names, ElementsAre("emb.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0",
                         "rnn.bias_ih_l0", "rnn.bias_hh_l0", "rnn.weight_ih_l1",
                         "rnn.weight_hh_l1", "rnn.bias_ih_l1", "rnn.bias_hh_l1",
                         "fc.weight", "fc.bias"));
  EXPECT_THAT(layout.parameters()[0].shape, ElementsAre(5, 3));
  EXPECT_THAT(layout.parameters()[1].shape, ElementsAre(28, 3));
  EXPECT_THAT(layout.parameters()[5].shape, ElementsAre(28, 7));
  EXPECT_THAT(layout.parameters()[9].shape, ElementsAre(5, 7));
}

TEST(ParameterLayoutTest, GruHasThreeGates) {
  const ParameterLayout layout(SmallModel(RnnType::kGru, 1));
  EXPECT_THAT(layout.parameters()[1].shape, ElementsAre(21, 3));
  EXPECT_EQ(layout.num_parameters(),
            5 * 3 + 21 * 3 + 21 * 7 + 21 + 21 + 5 * 7 + 5);
}

TEST(ParameterLayoutTest, ParametersAreAlignedAndDoNotOverlap) {
  const ParameterLayout layout(SmallModel(RnnType::kGru, 2));
  int64_t end = 0;
  for (const ParameterSpec& spec : layout.parameters()) {
    EXPECT_EQ(spec.offset % 16, 0) << spec.name;
    EXPECT_GE(spec.offset, end) << spec.name;
    end = spec.offset + spec.size;
  }
  EXPECT_LE(end, layout.flat_size());
}

TEST(InitializeParametersTest, FollowsPyTorchsDistributions) {
  ModelConfig config;
  config.vocab_size = 65;
  const ParameterLayout layout(config);
  std::vector<float> flat(layout.flat_size());
  InitializeParameters(layout, 42, absl::MakeSpan(flat));
  for (const ParameterSpec& spec : layout.parameters()) {
    double sum = 0;
    double squares = 0;
    double largest = 0;
    for (int64_t i = 0; i < spec.size; ++i) {
      const double value = flat[spec.offset + i];
      sum += value;
      squares += value * value;
      largest = std::max(largest, std::abs(value));
    }
    const bool normal = spec.name == "emb.weight";
    const double bound = 1.0 / 16;  // 1/sqrt(256)
    const double variance = normal ? 1.0 : bound * bound / 3;
    const double tolerance = 6 / std::sqrt(static_cast<double>(spec.size));
    EXPECT_NEAR(sum / spec.size, 0, tolerance * std::sqrt(variance))
        << spec.name;
    EXPECT_NEAR(squares / spec.size / variance, 1, 2 * tolerance) << spec.name;
    if (!normal) {
      EXPECT_LE(largest, bound) << spec.name;
    }
  }
}

TEST(InitializeParametersTest, ValuesDependOnTheSeedAndOnNothingElse) {
  const ParameterLayout layout(SmallModel(RnnType::kGru, 1));
  std::vector<float> first(layout.flat_size(), 9.0f);
  std::vector<float> second(layout.flat_size(), -9.0f);
  std::vector<float> other(layout.flat_size());
  InitializeParameters(layout, 1, absl::MakeSpan(first));
  InitializeParameters(layout, 1, absl::MakeSpan(second));
  InitializeParameters(layout, 2, absl::MakeSpan(other));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(InitializeParametersTest, NoTwoParametersShareTheirNumbers) {
  const ParameterLayout layout(SmallModel(RnnType::kGru, 2));
  std::vector<float> flat(layout.flat_size());
  InitializeParameters(layout, 1, absl::MakeSpan(flat));
  std::set<float> distinct(flat.begin(), flat.end());
  // 53 random bits rounded to 24: a handful may coincide, a copied block of
  // parameters would not pass.
  EXPECT_GT(static_cast<double>(distinct.size()),
            0.99 * layout.num_parameters());
}

}  // namespace
}  // namespace charrnn
