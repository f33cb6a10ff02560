#include "model/train_progress.h"

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

TrainProgress SomeProgress() {
  TrainProgress progress;
  progress.step = 320;
  progress.due = true;
  progress.step_loss = 1.0 / 3;
  progress.grad_norm = 1e-300;
  progress.loss_sum = 123456.7890123;
  progress.loss_targets = int64_t{1} << 62;
  progress.training_s = 0.1;
  progress.wall_s = 1e9;
  progress.best_loss = 1.637;
  progress.best_step = 256;
  progress.records = {4711, 42};
  return progress;
}

TEST(TrainProgressTest, EveryBitComesBack) {
  const std::string json = ToJson(SomeProgress());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainProgress read,
                               TrainProgressFromJson(json));
  EXPECT_EQ(ToJson(read), json);
  EXPECT_EQ(read.step, 320);
  EXPECT_TRUE(read.due);
  EXPECT_EQ(read.step_loss, 1.0 / 3);
  EXPECT_EQ(read.grad_norm, 1e-300);
  EXPECT_EQ(read.loss_sum, 123456.7890123);
  EXPECT_EQ(read.loss_targets, int64_t{1} << 62);
  EXPECT_EQ(read.best_step, 256);
  EXPECT_EQ(read.records.metrics, 4711);
  EXPECT_EQ(read.records.samples, 42);
}

TEST(TrainProgressTest, ARunThatHasNotBegunHasNoLosses) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainProgress read,
                               TrainProgressFromJson(ToJson(TrainProgress())));
  EXPECT_EQ(read.best_loss, std::numeric_limits<double>::infinity());
  EXPECT_EQ(read.step_loss, std::numeric_limits<double>::infinity());
}

TEST(TrainProgressTest, WhatMakesNoSenseIsNamed) {
  const auto refused = [](const char* from, const char* to,
                          const std::string& told) {
    const std::string json = ToJson(SomeProgress());
    const std::string changed = absl::StrReplaceAll(json, {{from, to}});
    ASSERT_NE(changed, json);
    EXPECT_THAT(TrainProgressFromJson(changed),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(told)));
  };
  refused("charrnn.trainer.1", "charrnn.trainer.2", "format");
  refused("\"step\": 320", "\"step\": -1", "step: not a count");
  refused("\"step\": 320", "\"step\": 1e3", "step: not a count");
  refused("\"step\": 320", "\"step\": 99999999999999999999", "step: not a");
  refused("\"step\": 320,", "", "step: missing");
  refused("\"step\": 320", "\"step\": 320, \"more\": 1", "does not know");
  refused("\"step\": 320", "\"step\": 100", "best_step: after the last step");
  refused("true", "1", "due: not a boolean");
  refused("1.637", "\"low\"", "best_loss: not a number");
  refused("1.637", "-1", "best_loss: negative");
  EXPECT_THAT(TrainProgressFromJson("[]"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace charrnn
