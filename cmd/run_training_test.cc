#include "cmd/run_training.h"

#include <stdlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "cmd/run_start.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_observer.h"
#include "model/trainer.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class Steps : public TrainObserver {
 public:
  void OnStep(const StepReport& report) override {
    done.push_back(report.step);
  }

  std::vector<int64_t> done;
};

class RunTrainingTest : public testing::Test {
 protected:
  RunTrainingTest() {
    setenv("BUILD_WORKING_DIRECTORY", folder_.path().c_str(), /*replace=*/1);
    std::string text;
    for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i * i % 7);
    EXPECT_THAT(WriteFileAtomically(files_, folder_.File("a.txt"), text),
                IsOk());
  }
  ~RunTrainingTest() override { unsetenv("BUILD_WORKING_DIRECTORY"); }

  RunStart Start() const {
    const absl::FlagSaver saver;
    const std::vector<const char*> flags = {
        "train",          "--data_path=a.txt", "--embedding_dim=4",
        "--hidden_dim=4", "--seq_len=16",      "--batch_size=4",
        "--max_steps=3",  "--sample_every=0",  "--run_dir=run"};
    const auto line = ParseCommandLine(static_cast<int>(flags.size()),
                                       flags.data(), {"train", "", ""});
    EXPECT_THAT(line, IsOk());
    auto run = StartRun(files_, *Clock::Real(), *line);
    EXPECT_THAT(run, IsOk());
    return *std::move(run);
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory folder_;
};

TEST_F(RunTrainingTest, ARunIsTrainedToItsEndAndSaved) {
  RunStart run = Start();
  Steps steps;
  EXPECT_THAT(
      RunTraining(*Clock::Real(), run, steps, [] { return Wish::kNone; }),
      IsOk());
  EXPECT_THAT(steps.done, ElementsAre(1, 2, 3));
  EXPECT_THAT(files_.ListDirectory(folder_.File("run/checkpoints")),
              IsOkAndHolds(Not(IsEmpty())));
}

TEST_F(RunTrainingTest, AWishEndsItAfterAStep) {
  RunStart run = Start();
  Steps steps;
  EXPECT_THAT(
      RunTraining(
          *Clock::Real(), run, steps,
          [&] { return steps.done.size() == 2 ? Wish::kYield : Wish::kNone; }),
      StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(steps.done, ElementsAre(1, 2));
}

}  // namespace
}  // namespace charrnn
