// Weights and states that are infinite, no numbers or denormal do in
// NetworkPass what the formulas make of them, and no more: padding is not
// noticed, though zero times infinity is no number.

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/reference_pass.h"
#include "model/parameter_layout.h"

namespace charrnn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class NetworkPassNotFiniteTest : public EachArithmeticTest {
 protected:
  double tolerance() const { return IsBf16() ? 0.03 : 2e-5; }

  // Everything is the reference's, which has no padding: no number where that
  // is none, and close to it elsewhere.
  void Check(const PassExample& example, const std::string& what) {
    SCOPED_TRACE(absl::StrCat(what, ", ", RnnTypeName(example.config.rnn_type),
                              " of ", example.config.hidden_dim));
    const PassResult result = RunPass(arithmetic(), example, {example.rows});
    const ReferenceResult expected = Reference(example);
    if (std::isnan(expected.loss)) {
      EXPECT_TRUE(std::isnan(result.losses[0]));
    } else {
      EXPECT_NEAR(result.losses[0], expected.loss, tolerance() * expected.loss);
    }
    EXPECT_TRUE(AllNear(result.hidden, expected.hidden, tolerance()));
    EXPECT_TRUE(AllNear(result.cell, expected.cell, tolerance()));
    const ParameterLayout layout(example.config);
    for (const ParameterSpec& spec : layout.parameters()) {
      EXPECT_TRUE(AllNear(absl::MakeConstSpan(result.gradients[0])
                              .subspan(spec.offset, spec.size),
                          absl::MakeConstSpan(expected.gradient)
                              .subspan(spec.offset, spec.size),
                          tolerance()))
          << spec.name;
    }
  }

  // Networks with padding and, where that is all that counts, without.
  std::vector<PassExample> Examples() {
    std::vector<PassExample> examples;
    for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
      for (const int hidden : {16, 17, 36}) {
        for (const int layers : {1, 2}) {
          examples.push_back(
              MakeExample(MakeConfig(type, hidden, layers, /*vocab_size=*/7,
                                     /*embedding_dim=*/5),
                          4, 5, true));
        }
      }
    }
    return examples;
  }

  // A place in flat memory.
  static float& Weight(PassExample& example, int64_t parameter, int64_t i) {
    const ParameterLayout layout(example.config);
    return example.flat[layout.parameters()[parameter].offset + i];
  }
};

TEST_P(NetworkPassNotFiniteTest, AnInfiniteEmbeddingSaturatesGates) {
  for (PassExample example : Examples()) {
    Weight(example, 0, example.inputs[7] * 5 + 2) = kInfinity;
    const ReferenceResult expected = Reference(example);
    ASSERT_TRUE(std::isfinite(expected.loss));
    Check(example, "embedding");
  }
}

TEST_P(NetworkPassNotFiniteTest, AnInfiniteInitialStateStaysWhereItIs) {
  for (PassExample example : Examples()) {
    example.hidden[3] = kInfinity;  // of the first row
    Check(example, "hidden");
    const PassResult result = RunPass(arithmetic(), example, {1, 4});
    EXPECT_TRUE(std::isfinite(result.losses[1]));
    if (example.cell.empty()) continue;
    example.hidden[3] = 0;
    example.cell[3] = -kInfinity;
    Check(example, "cell");
  }
}

TEST_P(NetworkPassNotFiniteTest, AnInfiniteWeightSaturatesAUnit) {
  for (const PassExample& example : Examples()) {
    for (int64_t parameter = 1; parameter <= 4; ++parameter) {
      PassExample with = example;
      Weight(with, parameter, 6) = -kInfinity;
      Check(with, absl::StrCat("parameter ", parameter));
    }
  }
}

TEST_P(NetworkPassNotFiniteTest, NanInWeightsIsNanInTheLoss) {
  for (const PassExample& example : Examples()) {
    const ParameterLayout layout(example.config);
    const auto count = static_cast<int64_t>(layout.parameters().size());
    for (int64_t parameter = 1; parameter < count; ++parameter) {
      PassExample with = example;
      Weight(with, parameter, 0) = kNan;
      EXPECT_TRUE(std::isnan(RunPass(arithmetic(), with, {4}).losses[0]))
          << layout.parameters()[parameter].name;
      EXPECT_TRUE(std::isnan(RunLoss(arithmetic(), with)));
    }
  }
}

TEST_P(NetworkPassNotFiniteTest, NanInASymbolOrAStateIsNanInItsRowsAlone) {
  for (const PassExample& example : Examples()) {
    PassExample with = example;
    for (int64_t i = 0; i < 5; ++i) with.inputs[i] = 3;  // the first row
    for (size_t i = 5; i < with.inputs.size(); ++i) {
      with.inputs[i] %= 3;
    }
    Weight(with, 0, int64_t{3} * 5) = kNan;
    PassResult result = RunPass(arithmetic(), with, {1, 4});
    EXPECT_TRUE(std::isnan(result.losses[0]));
    EXPECT_TRUE(std::isfinite(result.losses[1]));
    for (const float number : result.gradients[1]) {
      ASSERT_TRUE(std::isfinite(number));
    }
    with = example;
    with.hidden[0] = kNan;
    result = RunPass(arithmetic(), with, {1, 4});
    EXPECT_TRUE(std::isnan(result.losses[0]));
    EXPECT_TRUE(std::isfinite(result.losses[1]));
    for (const float number : result.gradients[1]) {
      ASSERT_TRUE(std::isfinite(number));
    }
  }
}

TEST_P(NetworkPassNotFiniteTest, DenormalWeightsAndStatesAreNumbers) {
  for (PassExample example : Examples()) {
    for (float& number : example.hidden) number *= 1e-39f;
    for (float& number : example.cell) number *= 1e-39f;
    const ParameterLayout layout(example.config);
    for (int64_t i = 0; i < layout.parameters()[1].offset; ++i) {
      example.flat[i] *= 1e-39f;  // the embedding
    }
    Check(example, "denormal");
  }
}

INSTANTIATE_TEST_SUITE_P(Each, NetworkPassNotFiniteTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
