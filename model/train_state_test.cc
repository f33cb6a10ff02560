#include "model/train_state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "gtest/gtest.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

ParameterLayout Layout() {
  ModelConfig config;
  config.vocab_size = 10;
  config.embedding_dim = 5;
  config.hidden_dim = 8;
  return ParameterLayout(config);
}

TEST(TrainStateTest, ARunBeginsWithNothingDone) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainState state,
                               TrainState::Initial(Layout(), 42, "cpu"));
  EXPECT_EQ(state.step, 0);
  EXPECT_EQ(state.loss_targets, 0);
  EXPECT_EQ(state.best_loss, std::numeric_limits<double>::infinity());
  const at::Tensor zeros = at::zeros_like(state.parameters);
  EXPECT_TRUE(at::equal(state.exp_avg, zeros));
  EXPECT_TRUE(at::equal(state.exp_avg_sq, zeros));
}

TEST(TrainStateTest, TheSeedDecidesTheWeights) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainState state,
                               TrainState::Initial(Layout(), 42, "cpu"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainState same,
                               TrainState::Initial(Layout(), 42, "cpu"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainState other,
                               TrainState::Initial(Layout(), 43, "cpu"));
  EXPECT_TRUE(at::equal(state.parameters, same.parameters));
  EXPECT_FALSE(at::equal(state.parameters, other.parameters));
}

TEST(TrainStateTest, ADeviceThatIsNotThereIsAnErrorAndNoCrash) {
  EXPECT_FALSE(TrainState::Initial(Layout(), 42, "cuda:99").ok());
}

}  // namespace
}  // namespace charrnn
