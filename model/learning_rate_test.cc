#include "model/learning_rate.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "model/config.h"

namespace charrnn {
namespace {

TrainingConfig Config(LrSchedule schedule, int64_t warmup_steps) {
  TrainingConfig config;
  config.learning_rate = 0.5;
  config.lr_schedule = schedule;
  config.warmup_steps = warmup_steps;
  return config;
}

TEST(LearningRateTest, IsConstantByDefault) {
  const TrainingConfig config;
  for (const int64_t step : {0, 1, 99, 1000}) {
    EXPECT_EQ(LearningRate(config, step, 100), 2e-3) << step;
  }
}

TEST(LearningRateTest, RisesLinearlyAndIsNeverZeroAtTheStart) {
  const TrainingConfig config = Config(LrSchedule::kConstant, 4);
  EXPECT_DOUBLE_EQ(LearningRate(config, 0, 100), 0.125);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 100), 0.25);
  EXPECT_DOUBLE_EQ(LearningRate(config, 2, 100), 0.375);
  EXPECT_DOUBLE_EQ(LearningRate(config, 3, 100), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(config, 4, 100), 0.5);
}

TEST(LearningRateTest, FallsAsHalfACosineToZeroAtTheEnd) {
  const TrainingConfig config = Config(LrSchedule::kCosine, 0);
  EXPECT_DOUBLE_EQ(LearningRate(config, 0, 120), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(config, 40, 120), 0.375);  // cos 60 degrees
  EXPECT_DOUBLE_EQ(LearningRate(config, 60, 120), 0.25);
  EXPECT_DOUBLE_EQ(LearningRate(config, 80, 120), 0.125);
  EXPECT_GT(LearningRate(config, 119, 120), 0);
  EXPECT_EQ(LearningRate(config, 120, 120), 0);
  EXPECT_EQ(LearningRate(config, 500, 120), 0);
}

TEST(LearningRateTest, StartsTheCosineWhereTheWarmUpEnds) {
  const TrainingConfig config = Config(LrSchedule::kCosine, 20);
  EXPECT_DOUBLE_EQ(LearningRate(config, 9, 120), 0.25);
  EXPECT_DOUBLE_EQ(LearningRate(config, 20, 120), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(config, 70, 120), 0.25);
}

TEST(LearningRateTest, SurvivesAWarmUpLongerThanTheRun) {
  const TrainingConfig config = Config(LrSchedule::kCosine, 100);
  EXPECT_DOUBLE_EQ(LearningRate(config, 9, 10), 0.05);
  EXPECT_EQ(LearningRate(config, 100, 100), 0);
}

}  // namespace
}  // namespace charrnn
