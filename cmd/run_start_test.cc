#include "cmd/run_start.h"

#include <stdlib.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "data/corpus.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunStartTest : public testing::Test {
 protected:
  RunStartTest() {
    setenv("BUILD_WORKING_DIRECTORY", folder_.path().c_str(), /*replace=*/1);
    std::string text;
    for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i * i % 7);
    EXPECT_THAT(WriteFileAtomically(files_, folder_.File("a.txt"), text),
                IsOk());
  }
  ~RunStartTest() override { unsetenv("BUILD_WORKING_DIRECTORY"); }

  // Begins a run as a process does that is given these flags.
  absl::StatusOr<RunStart> Start(
      std::vector<const char*> flags,
      const std::function<absl::Status(const RunStart&)>& check = nullptr) {
    const absl::FlagSaver saver;
    flags.insert(flags.begin(),
                 {"train", "--data_path=a.txt", "--embedding_dim=4"});
    const auto line = ParseCommandLine(static_cast<int>(flags.size()),
                                       flags.data(), {"train", "", ""});
    if (!line.ok()) return line.status();
    return StartRun(files_, *Clock::Real(), *line, check);
  }

  // Saves the state of `run` as that of `step`.
  static void Save(RunStart& run, int64_t step) {
    run.state.progress.step = step;
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const Checkpoint checkpoint,
        run.state.ToCheckpoint(run.request.model, {},
                               run.request.corpus->vocab()));
    ASSERT_THAT(run.store->Save(checkpoint), IsOk());
  }

  std::vector<std::string> Names() {
    return *files_.ListDirectory(folder_.path());
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory folder_;
};

TEST_F(RunStartTest, WhoRefusesTheRunFindsNoFolder) {
  const auto refuse = [](const RunStart& run) {
    return absl::InvalidArgumentError(
        absl::StrCat("no ", run.request.model.embedding_dim));
  };
  EXPECT_THAT(Start({"--run_dir=run"}, refuse),
              StatusIs(absl::StatusCode::kInvalidArgument, "no 4"));
  EXPECT_THAT(Names(), ElementsAre("a.txt"));
  EXPECT_THAT(Start({"--run_dir=run"},
                    [](const RunStart&) { return absl::OkStatus(); }),
              IsOk());
}

TEST_F(RunStartTest, ANewRunOwnsAFolderWithItsConfiguration) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run, Start({"--run_dir=run"}));
  EXPECT_EQ(run.state.progress.step, 0);
  EXPECT_FALSE(run.finished);
  EXPECT_THAT(run.notes, Contains(HasSubstr("lowered")));
  EXPECT_THAT(files_.ReadFile(folder_.File("run/config.json")),
              IsOkAndHolds(HasSubstr("\"embedding_dim\": 4")));
  EXPECT_THAT(Start({"--run_dir=run", "--resume"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("the run is in use")));
}

TEST_F(RunStartTest, WhatIsWrongLeavesNothingBehind) {
  EXPECT_FALSE(Start({"--run_dir=run", "--data_path=none.txt"}).ok());
  EXPECT_FALSE(Start({"--run_dir=run", "--init_from=none"}).ok());
  EXPECT_THAT(
      Start({"--run_dir=run", "--allow_changes"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("add --resume")));
  EXPECT_THAT(
      Start({"--run_dir=run", "--hidden_dim=1024", "--keep_checkpoints=1000000",
             "--save_every=1", "--num_epochs=1000000"}),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               HasSubstr("are to be kept")));
  EXPECT_THAT(Names(), ElementsAre("a.txt"));
}

TEST_F(RunStartTest, ResumingWithoutARunBeginsOne) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run,
                               Start({"--resume", "--run_dir=run"}));
  EXPECT_THAT(run.notes, Contains(HasSubstr("no run to resume yet")));
  EXPECT_EQ(run.state.progress.step, 0);
}

TEST_F(RunStartTest, ARunWithoutACheckpointBeginsAgainInItsFolder) {
  ASSERT_THAT(Start({}), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run, Start({"--resume"}));
  EXPECT_THAT(run.notes, Contains(HasSubstr("no checkpoint yet")));
  EXPECT_THAT(*files_.ListDirectory(folder_.File("runs")),
              testing::SizeIs(2));  // the run, and latest
}

TEST_F(RunStartTest, ARunGoesOnFromItsNewestCheckpoint) {
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(RunStart run, Start({"--num_epochs=100"}));
    Save(run, 3);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run, Start({"--resume"}));
  EXPECT_EQ(run.state.progress.step, 3);
  EXPECT_THAT(run.notes, Contains("going on from step 3"));
  // As it was asked for then.
  EXPECT_EQ(run.request.training.num_epochs, 100);
}

TEST_F(RunStartTest, ALimitThatLiesBehindIsRefused) {
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(RunStart run,
                                 Start({"--num_epochs=100", "--max_steps=50"}));
    Save(run, 7);
  }
  EXPECT_THAT(Start({"--resume", "--max_steps=6"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--max_steps: it ends the run at step 6, and "
                                 "the run is at step 7 already")));
  EXPECT_THAT(Start({"--resume", "--num_epochs=1"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--num_epochs: it ends the run at step 1")));
  EXPECT_THAT(Start({"--resume", "--max_steps=7"}), IsOk());
}

TEST_F(RunStartTest, APresetIsNamedWhereItsValuesAreNotTheRuns) {
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(RunStart run, Start({}));
    Save(run, 1);
  }
  EXPECT_THAT(Start({"--resume", "--preset=quick"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("--preset has --")));
  EXPECT_THAT(Start({"--resume", "--seed=9"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       testing::StartsWith("--seed=9: ")));
}

TEST_F(RunStartTest, AFinishedRunIsKnownAndLeftAlone) {
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(RunStart run,
                                 Start({"--run_dir=run", "--max_steps=3"}));
    Save(run, 3);
  }
  {
    // Killed before it could tell.
    CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run,
                                 Start({"--run_dir=run", "--resume"}));
    EXPECT_FALSE(run.finished);
  }
  ASSERT_THAT(
      WriteFileAtomically(files_, folder_.File("run/metrics.jsonl"),
                          "{\"event\":\"end\",\"reason\":\"finished\"}\n"),
      IsOk());
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run,
                                 Start({"--run_dir=run", "--resume"}));
    EXPECT_TRUE(run.finished);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const RunStart run,
      Start({"--run_dir=run", "--resume", "--max_steps=4"}));
  EXPECT_FALSE(run.finished);
}

TEST_F(RunStartTest, AnotherModelsWeightsBeginANewRun) {
  std::vector<float> weights;
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        RunStart run, Start({"--run_dir=old", "--rnn_type=LSTM", "--seed=7"}));
    Save(run, 3);
    weights = (*run.state.ToCheckpoint({}, {}, run.request.corpus->vocab()))
                  .model.parameters;
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const RunStart run,
                               Start({"--run_dir=new", "--init_from=old"}));
  EXPECT_EQ(run.state.progress.step, 0);
  EXPECT_EQ(run.request.model.rnn_type, RnnType::kLstm);
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Checkpoint checkpoint,
      run.state.ToCheckpoint({}, {}, run.request.corpus->vocab()));
  EXPECT_EQ(checkpoint.model.parameters, weights);
  EXPECT_THAT(checkpoint.exp_avg, Contains(0.0F));
  EXPECT_THAT(Start({"--run_dir=b", "--init_from=old", "--rnn_type=GRU"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--rnn_type=GRU: --init_from=")));
}

}  // namespace
}  // namespace charrnn
