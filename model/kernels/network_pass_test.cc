// What NetworkPass computes is what the formulas say.

#include <algorithm>
#include <cmath>
#include <cstdint>
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

std::string Describe(const PassExample& example) {
  const ModelConfig& config = example.config;
  return absl::StrCat(RnnTypeName(config.rnn_type), ", hidden ",
                      config.hidden_dim, ", layers ", config.num_layers,
                      ", vocabulary ", config.vocab_size, ", embedding ",
                      config.embedding_dim, ", rows ", example.rows, ", times ",
                      example.seq_len);
}

class NetworkPassTest : public EachArithmeticTest {
 protected:
  // In fp32, what thousands of additions round. In bf16 factors have 8 bits,
  // so that each is off by up to 2^-9 of itself, one way or the other; those
  // errors partly cancel in a sum, and add up on the way through layers and
  // times, of which there are few here.
  double tolerance() const { return IsBf16() ? 0.02 : 5e-6; }

  void Check(const PassExample& example) {
    SCOPED_TRACE(Describe(example));
    const PassResult result = RunPass(arithmetic(), example, {example.rows});
    const ReferenceResult expected = Reference(example);
    EXPECT_NEAR(result.losses[0], expected.loss, tolerance() * expected.loss);
    EXPECT_EQ(RunLoss(arithmetic(), example), result.losses[0]);
    if (!example.hidden.empty()) {
      EXPECT_TRUE(AllNear(result.hidden, expected.hidden, tolerance()));
      EXPECT_TRUE(AllNear(result.cell, expected.cell, 2 * tolerance()));
    }
    CheckGradient(example, result.gradients[0], expected.gradient);
  }

  // Each parameter's gradient, relative to its largest number.
  void CheckGradient(const PassExample& example,
                     const std::vector<float>& gradient,
                     const std::vector<double>& expected) {
    const ParameterLayout layout(example.config);
    for (const ParameterSpec& spec : layout.parameters()) {
      double largest = 0.01;
      for (int64_t i = spec.offset; i < spec.offset + spec.size; ++i) {
        largest = std::max(largest, std::abs(expected[i]));
      }
      EXPECT_TRUE(
          AllNear(absl::MakeConstSpan(gradient).subspan(spec.offset, spec.size),
                  absl::MakeConstSpan(expected).subspan(spec.offset, spec.size),
                  tolerance() * largest))
          << spec.name;
    }
    // And the gaps between parameters are zero.
    for (size_t i = 0; i < gradient.size(); ++i) {
      if (expected[i] == 0) {
        ASSERT_EQ(gradient[i], 0) << i;
      }
    }
  }
};

TEST_P(NetworkPassTest, IsTheReferenceAtAnyHiddenSize) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int hidden : {1, 3, 15, 16, 17, 31, 33, 50, 100}) {
      Check(MakeExample(MakeConfig(type, hidden), 3, 4, true));
    }
  }
}

TEST_P(NetworkPassTest, IsTheReferenceAtAnyVocabularyAndEmbedding) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int vocab : {1, 2, 65, 300}) {
      for (const int embedding : {1, 16, 17, 50}) {
        Check(MakeExample(MakeConfig(type, 20, 1, vocab, embedding), 2, 3,
                          false));
      }
    }
  }
}

TEST_P(NetworkPassTest, IsTheReferenceForAnyNumberOfRows) {
  for (const int64_t rows : {1, 2, 5, 7, 8, 9, 13, 17, 25, 30}) {
    Check(MakeExample(MakeConfig(RnnType::kGru, 17, 2, 5), rows, 2, true));
    Check(MakeExample(MakeConfig(RnnType::kLstm, 17, 2, 5), rows, 2, true));
  }
}

TEST_P(NetworkPassTest, IsTheReferenceForAnyNumberOfTimes) {
  // Around the blocks of times that go back at once, too.
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int64_t times : {1, 2, 3, 33, 63, 64, 65, 129}) {
      Check(MakeExample(MakeConfig(type, 5, 2, 5, 3), 2, times, true));
    }
  }
}

TEST_P(NetworkPassTest, IsTheReferenceForLayersWithDropout) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int layers : {1, 2, 3}) {
      for (const double dropout : {0.1, 0.5}) {
        ModelConfig config = MakeConfig(type, 33, layers, 17);
        config.dropout = dropout;
        Check(MakeExample(config, 5, 6, layers % 2 == 1));
      }
    }
  }
}

// Not by derivatives that somebody has written down.
TEST_P(NetworkPassTest, GradientsAreFiniteDifferencesOfTheLoss) {
  if (IsBf16()) {
    GTEST_SKIP() << "a small difference of weights is lost in rounding them";
  }
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int layers : {1, 3}) {
      ModelConfig config = MakeConfig(type, 19, layers, 5, 7);
      config.dropout = 0.2;
      const PassExample example = MakeExample(config, 4, 5, true);
      SCOPED_TRACE(Describe(example));
      const std::vector<float> gradient =
          RunPass(arithmetic(), example, {example.rows}).gradients[0];
      const ParameterLayout layout(config);
      for (const ParameterSpec& spec : layout.parameters()) {
        // Along a direction that all of a parameter's numbers share in: a
        // single one changes the loss by too little for fp32.
        const std::vector<float> direction = RandomNumbers(spec.size, 9);
        double slope = 0;
        double length = 0;
        for (int64_t i = 0; i < spec.size; ++i) {
          slope += double{direction[i]} * gradient[spec.offset + i];
          length += double{direction[i]} * direction[i];
        }
        const double step = 0.02 / std::sqrt(length);
        const auto loss_at = [&](double distance) {
          PassExample moved = example;
          for (int64_t i = 0; i < spec.size; ++i) {
            moved.flat[spec.offset + i] +=
                static_cast<float>(distance * direction[i]);
          }
          return RunLoss(arithmetic(), moved);
        };
        const double difference = (loss_at(step) - loss_at(-step)) / (2 * step);
        // Slopes are about 0.05 * sqrt(length).
        EXPECT_NEAR(slope, difference, 1e-4 * std::sqrt(length)) << spec.name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, NetworkPassTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
