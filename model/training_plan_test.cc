#include "model/training_plan.h"

#include <cstdint>

#include "absl/status/status.h"
#include "data/chunk_index.h"
#include "data/stream_index.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kTinyShakespeare = 1115394;

TEST(TrainingPlanTest, TinyShakespeareIsCutAsTheNotebookCutsIt) {
  const auto plan = MakeTrainingPlan(TrainingConfig(), kTinyShakespeare);
  ASSERT_THAT(plan, IsOk());
  ASSERT_NE(plan->batches.chunks(), nullptr);
  EXPECT_EQ(plan->batches.chunks()->num_chunks(), 8278);
  EXPECT_EQ(std::get<ChunkIndex>(plan->validation).num_chunks(), 435);
  EXPECT_EQ(std::get<ChunkIndex>(plan->validation).offset(0), 1059625);
  EXPECT_EQ(plan->steps_per_epoch, 64);
  EXPECT_EQ(plan->total_steps, 320);
}

TEST(TrainingPlanTest, StreamsCoverTheTrainingPart) {
  TrainingConfig config;
  config.data_order = DataOrder::kStreams;
  const auto plan = MakeTrainingPlan(config, kTinyShakespeare);
  ASSERT_THAT(plan, IsOk());
  ASSERT_NE(plan->batches.streams(), nullptr);
  EXPECT_EQ(plan->batches.streams()->num_streams(), 128);
  EXPECT_EQ(plan->batches.streams()->stream_len(), 1059624 / 128);
  EXPECT_EQ(plan->steps_per_epoch, 65);  // 64 of 128 inputs and one of 86
  EXPECT_EQ(std::get<StreamIndex>(plan->validation).num_streams(), 128);
}

TEST(TrainingPlanTest, WhatIsKeptForTestingIsNeitherTrainedOnNorValidatedWith) {
  TrainingConfig config;
  config.seq_len = 10;
  config.batch_size = 2;
  config.val_fraction = 0.25;
  config.test_fraction = 0.5;
  const auto plan = MakeTrainingPlan(config, 1000);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->batches.chunks()->num_chunks(), 24);
  const auto& validation = std::get<ChunkIndex>(plan->validation);
  EXPECT_EQ(validation.offset(0), 250);
  EXPECT_EQ(validation.num_chunks(), 24);
}

TEST(TrainingPlanTest, MaxStepsEndsARunEarlierAndNeverLater) {
  TrainingConfig config;
  config.max_steps = 100;
  EXPECT_EQ(MakeTrainingPlan(config, kTinyShakespeare)->total_steps, 100);
  config.max_steps = 1000;
  EXPECT_EQ(MakeTrainingPlan(config, kTinyShakespeare)->total_steps, 320);
}

TEST(TrainingPlanTest, ATextWithoutAWholeBatchIsRefused) {
  EXPECT_THAT(MakeTrainingPlan(TrainingConfig(), 1000),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--batch_size=128")));
}

TEST(FitToCorpusTest, ALargeTextChangesNothing) {
  const auto fitted = FitToCorpus(TrainingConfig(), kTinyShakespeare);
  ASSERT_THAT(fitted, IsOk());
  EXPECT_EQ(fitted->config.seq_len, 128);
  EXPECT_EQ(fitted->config.batch_size, 128);
  EXPECT_THAT(fitted->notes, IsEmpty());
}

TEST(FitToCorpusTest, ATextOfFewChunksLowersTheBatch) {
  const auto fitted = FitToCorpus(TrainingConfig(), 347);
  ASSERT_THAT(fitted, IsOk());
  EXPECT_EQ(fitted->config.seq_len, 128);
  EXPECT_EQ(fitted->config.batch_size, 2);
  EXPECT_THAT(fitted->notes,
              ElementsAre(HasSubstr("--batch_size=128 lowered to 2")));
}

TEST(FitToCorpusTest, OfStreamsItSpeaksAsStreams) {
  TrainingConfig config;
  config.data_order = DataOrder::kStreams;
  const auto fitted = FitToCorpus(config, 347);
  ASSERT_THAT(fitted, IsOk());
  EXPECT_THAT(fitted->notes,
              ElementsAre("the training part is enough for 2 streams of 128 "
                          "characters: --batch_size=128 lowered to 2"));
  EXPECT_THAT(MakeTrainingPlan(config, 100),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "the training part of 95 characters is too short for "
                       "--batch_size=128 streams"));
}

TEST(FitToCorpusTest, ATextShorterThanAChunkLowersBoth) {
  const auto fitted = FitToCorpus(TrainingConfig(), 50);
  ASSERT_THAT(fitted, IsOk());
  EXPECT_EQ(fitted->config.seq_len, 47);
  EXPECT_EQ(fitted->config.batch_size, 1);
  EXPECT_THAT(fitted->notes,
              ElementsAre(HasSubstr("--seq_len=128 lowered to 47"),
                          HasSubstr("--batch_size=128 lowered to 1")));
}

TEST(FitToCorpusTest, EveryTextOfTwoChunksOrMoreFillsABatch) {
  for (const DataOrder order : {DataOrder::kShuffled, DataOrder::kStreams}) {
    TrainingConfig config;
    config.data_order = order;
    for (int64_t size = 4; size < 700; ++size) {
      const auto fitted = FitToCorpus(config, size);
      ASSERT_THAT(fitted, IsOk()) << size;
      const auto plan = MakeTrainingPlan(fitted->config, size);
      ASSERT_THAT(plan, IsOk()) << size;
      // A stream has at least a whole chunk.
      EXPECT_EQ(plan->batches.seq_len(0), fitted->config.seq_len);
    }
  }
}

TEST(FitToCorpusTest, ATextShorterThanTwoChunksIsRefused) {
  EXPECT_THAT(FitToCorpus(TrainingConfig(), 3),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("of which there have to be 4 at least")));
}

}  // namespace
}  // namespace charrnn
