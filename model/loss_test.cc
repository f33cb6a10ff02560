#include "model/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"
#include "model/parameter_layout.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

constexpr int64_t kRows = 4;
constexpr int64_t kTimes = 6;
constexpr int kVocab = 10;

CharRnn MakeModel() {
  ModelConfig config;
  config.vocab_size = kVocab;
  config.embedding_dim = 5;
  config.hidden_dim = 8;
  return CharRnn(
      config,
      TrainState::Initial(ParameterLayout(config), 1, "cpu")->parameters);
}

class LossTest : public testing::Test {
 protected:
  LossTest() : model_(MakeModel()) {
    for (int32_t i = 0; i < kRows * kTimes; ++i) {
      inputs_.push_back(i * i % kVocab);
      targets_.push_back(3 * i % kVocab);
    }
  }

  // Rows [first, first + rows) of the text.
  TextRows Rows(int64_t first, int64_t rows) const {
    const auto slice = [&](const std::vector<int32_t>& ids) {
      return absl::MakeConstSpan(ids).subspan(first * kTimes, rows * kTimes);
    };
    return {rows, kTimes, slice(inputs_), slice(targets_)};
  }

  const CharRnn model_;
  std::vector<int32_t> inputs_;
  std::vector<int32_t> targets_;
};

TEST_F(LossTest, AModelThatKnowsNothingLosesTheLogarithmOfTheVocabulary) {
  model_.flat().zero_();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double loss, Loss(model_, Rows(0, kRows)));
  EXPECT_NEAR(loss, kRows * kTimes * std::log(kVocab), 1e-4);
}

TEST_F(LossTest, RowsAddUp) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double all, Loss(model_, Rows(0, kRows)));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double first, Loss(model_, Rows(0, 1)));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double rest,
                               Loss(model_, Rows(1, kRows - 1)));
  EXPECT_NEAR(first + rest, all, 1e-4);
}

TEST_F(LossTest, IsTheSameWithAGradientButForDropout) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double loss, Loss(model_, Rows(0, kRows)));
  const at::Tensor gradient = at::zeros({model_.layout().flat_size()});
  DropoutKey dropout;
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double without,
      LossAndGradient(model_, Rows(0, kRows), dropout, gradient));
  EXPECT_NEAR(without, loss, 1e-5);
  dropout.rate = 0.5;
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double with,
      LossAndGradient(model_, Rows(0, kRows), dropout, gradient));
  EXPECT_GT(std::abs(with - loss), 1e-3);
}

// A row's dropout follows its place in the global batch, so that it is the
// same whichever grain the row is in.
TEST_F(LossTest, DropoutBelongsToTheRow) {
  DropoutKey dropout;
  dropout.rate = 0.5;
  const at::Tensor gradient = at::zeros({model_.layout().flat_size()});
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double all,
      LossAndGradient(model_, Rows(0, kRows), dropout, gradient));
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double first,
      LossAndGradient(model_, Rows(0, 2), dropout, gradient));
  dropout.first_row = 2;
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double second,
      LossAndGradient(model_, Rows(2, 2), dropout, gradient));
  EXPECT_NEAR(first + second, all, 1e-4);
}

TEST_F(LossTest, TheGradientIsWrittenNotAdded) {
  const at::Tensor fresh = at::zeros({model_.layout().flat_size()});
  const at::Tensor used = fresh.clone();
  for (const ParameterSpec& spec : model_.layout().parameters()) {
    used.narrow(0, spec.offset, spec.size).fill_(7);
  }
  for (const at::Tensor& gradient : {fresh, used}) {
    ASSERT_THAT(LossAndGradient(model_, Rows(0, kRows), DropoutKey(), gradient),
                IsOk());
  }
  EXPECT_TRUE(at::equal(fresh, used));
}

TEST_F(LossTest, ALossThatIsNotFiniteIsReturned) {
  model_.flat().fill_(std::numeric_limits<float>::quiet_NaN());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double loss, Loss(model_, Rows(0, kRows)));
  EXPECT_TRUE(std::isnan(loss));
}

TEST_F(LossTest, AnIdOutsideTheVocabularyIsAnErrorAndNoCrash) {
  inputs_[3] = kVocab;
  EXPECT_FALSE(Loss(model_, Rows(0, kRows)).ok());
}

TEST_F(LossTest, Bf16RoundsWhatLayersComputeAndNoMore) {
  const CharRnn rounded(model_.config(), model_.flat(), Precision::kBf16);
  const auto gradient_of = [&](const CharRnn& model,
                               const at::Tensor& gradient) {
    const auto loss =
        LossAndGradient(model, Rows(0, kRows), DropoutKey(), gradient);
    EXPECT_THAT(loss, IsOk());
    return loss.value_or(0);
  };
  const at::Tensor exact = at::zeros({model_.layout().flat_size()});
  const at::Tensor gradient = at::zeros_like(exact);
  const double loss = gradient_of(model_, exact);
  const double rounded_loss = gradient_of(rounded, gradient);
  EXPECT_NE(rounded_loss, loss);
  EXPECT_NEAR(rounded_loss, loss, 0.01 * loss);
  const double difference = (gradient - exact).norm().item<double>();
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0.03 * exact.norm().item<double>());
  EXPECT_EQ(gradient.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace charrnn
