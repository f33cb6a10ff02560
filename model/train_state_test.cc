#include "model/train_state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>

#include <limits>
#include <vector>

#include "data/vocab.h"
#include "gtest/gtest.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/train_progress.h"
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
  EXPECT_EQ(state.progress.step, 0);
  EXPECT_EQ(state.progress.loss_targets, 0);
  EXPECT_EQ(state.progress.best_loss, std::numeric_limits<double>::infinity());
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

TEST(TrainStateTest, ACheckpointHoldsAllOfIt) {
  ModelConfig config;
  config.vocab_size = 3;
  config.embedding_dim = 2;
  config.hidden_dim = 4;
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      TrainState state,
      TrainState::Initial(ParameterLayout(config), 42, "cpu"));
  state.exp_avg.fill_(0.5);
  state.exp_avg_sq.fill_(0.25);
  state.progress.step = 7;
  state.progress.best_loss = 1.5;
  const Vocab vocab = *Vocab::FromText("abc", Encoding::kUtf8);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Checkpoint checkpoint,
                               state.ToCheckpoint(config, {64, 0.25}, vocab));
  EXPECT_EQ(checkpoint.model.vocab, vocab);
  EXPECT_EQ(checkpoint.model.data.seq_len, 64);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainState read,
                               TrainState::FromCheckpoint(checkpoint, "cpu"));
  EXPECT_TRUE(at::equal(read.parameters, state.parameters));
  EXPECT_TRUE(at::equal(read.exp_avg, state.exp_avg));
  EXPECT_TRUE(at::equal(read.exp_avg_sq, state.exp_avg_sq));
  EXPECT_EQ(ToJson(read.progress), ToJson(state.progress));
}

TEST(TrainStateTest, ACheckpointIsACopy) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const TrainState state,
      TrainState::FromParameters(std::vector<float>(16, 1.0F), "cpu"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Checkpoint checkpoint,
      state.ToCheckpoint({}, {}, *Vocab::FromText("ab", Encoding::kUtf8)));
  state.parameters.fill_(2);
  EXPECT_EQ(checkpoint.model.parameters, std::vector<float>(16, 1.0F));
}

TEST(TrainStateTest, ADeviceThatIsNotThereIsAnErrorAndNoCrash) {
  EXPECT_FALSE(TrainState::Initial(Layout(), 42, "cuda:99").ok());
}

}  // namespace
}  // namespace charrnn
