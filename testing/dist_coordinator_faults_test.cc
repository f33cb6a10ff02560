// A coordinator of its own that is killed at any point of its workers' lives,
// and started again: training never stops, and nothing is lost.

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/dist_job.h"
#include "testing/planned_faults.h"
#include "testing/run_outcome.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using Kind = PlannedFault::Kind;

std::vector<std::string> Flags(int epochs) {
  return {"--data_path=text.txt", "--embedding_dim=16",
          "--hidden_dim=32",      "--num_layers=2",
          "--dropout=0.1",        "--batch_size=64",
          "--seq_len=16",         absl::StrCat("--num_epochs=", epochs),
          "--log_every=1",        "--sample_every=25",
          "--max_generate=30",    "--save_every=5"};
}

// A host of two workers and a coordinator, which comes back when it is gone.
class CoordinatorFaultsTest : public testing::Test {
 protected:
  CoordinatorFaultsTest() : job_(&workplace_, "run") {
    workplace_.Write("text.txt", PlainText(400));
  }

  std::unique_ptr<Subprocess> StartHost(const std::vector<PlannedFault>& faults,
                                        int epochs) {
    FaultPlan plan;
    plan.folder = workplace_.Path("");
    plan.faults = faults;
    std::vector<std::string> flags = Flags(epochs);
    flags.push_back("--nproc_per_node=2");
    flags.push_back("--threads=1");
    return job_.StartHost(flags, {{kFaultPlanVariable, plan.ToText()}});
  }

  // The undisturbed run, in "alone".
  std::unique_ptr<Subprocess> StartTrain(int epochs) {
    SubprocessOptions options = workplace_.Here(Flags(epochs));
    options.arguments.push_back("--run_dir=alone");
    options.deadline = absl::Minutes(10);
    auto train = Subprocess::Start(RunfilePath("cmd/train"), options);
    EXPECT_THAT(train, IsOk());
    return *std::move(train);
  }

  // Trains while the coordinator is killed at `faults` and comes back `away`
  // later each time; then compares with `train`.
  void Survives(const std::vector<PlannedFault>& faults, absl::Duration away,
                int epochs) {
    std::unique_ptr<Subprocess> coordinator = job_.StartCoordinator();
    const std::unique_ptr<Subprocess> host = StartHost(faults, epochs);
    const std::unique_ptr<Subprocess> train = StartTrain(epochs);
    size_t kills = 0;
    while (true) {
      const absl::StatusOr<SubprocessResult> ended = coordinator->Wait();
      ASSERT_THAT(ended, IsOk());
      if (ended->signal != SIGKILL) {
        EXPECT_EQ(ended->exit_code, 0) << ended->stderr_text;
        break;
      }
      ++kills;
      absl::SleepFor(away);
      coordinator = job_.StartCoordinator();
    }
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, host->Wait());
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    for (size_t i = 0; i < faults.size(); ++i) {
      EXPECT_TRUE(
          std::filesystem::exists(workplace_.Path(absl::StrCat("fault-", i))))
          << faults[i].point << " has not happened";
    }
    EXPECT_GE(kills, 1);

    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult alone, train->Wait());
    ASSERT_EQ(alone.exit_code, 0) << alone.stderr_text;
    auto outcome = RunOutcome(workplace_, "run");
    auto expected = RunOutcome(workplace_, "alone");
    for (const char* what : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_TRUE(outcome[what] == expected[what]) << what;
    }
    EXPECT_EQ(outcome["samples.txt"], expected["samples.txt"]);
    const std::vector<int64_t> steps = RecordedSteps(workplace_, "run");
    EXPECT_EQ(steps, RecordedSteps(workplace_, "alone"));
    EXPECT_THAT(job_.Pids(), testing::IsEmpty());
    if (HasFailure()) ADD_FAILURE() << result.stderr_text;
  }

  // The longest time between two steps' records, as the workers' clock has it.
  double LongestPause() const {
    double longest = 0;
    double last = 0;
    for (const absl::string_view line : absl::StrSplit(
             workplace_.Read("run/metrics.jsonl"), '\n', absl::SkipEmpty())) {
      const auto record = nlohmann::json::parse(std::string(line));
      if (record["event"] != "train") continue;
      const double wall_s = record["wall_s"];
      if (last > 0) longest = std::max(longest, wall_s - last);
      last = wall_s;
    }
    return longest;
  }

  const Workplace workplace_;
  const DistJob job_;
};

TEST_F(CoordinatorFaultsTest, AroundACollectiveAndInValidation) {
  Survives({{"before the collective", Kind::kKillCoordinator, -1, 3},
            {"in the collective", Kind::kKillCoordinator, -1, 5},
            {"after the collective", Kind::kKillCoordinator, -1, 5},
            {"in validation", Kind::kKillCoordinator, -1, 0}},
           absl::ZeroDuration(), 6);
}

TEST_F(CoordinatorFaultsTest, WhileAGroupFormsAndInASync) {
  Survives({{"as a group forms", Kind::kKillCoordinator, -1, 0},
            {"before the collective", Kind::kKill, 1, 5},
            {"in a sync, as its source", Kind::kKillCoordinator, -1, 0},
            {"before the collective", Kind::kKill, 1, 5},
            {"in a sync, as a receiver", Kind::kKillCoordinator, -1, 0},
            {"before the collective", Kind::kKill, 1, 5},
            {"as it joins", Kind::kKillCoordinator, -1, 0}},
           absl::ZeroDuration(), 6);
}

TEST_F(CoordinatorFaultsTest, InAnUpload) {
  Survives({{"in an upload, before its commit", Kind::kKillCoordinator, -1, 0},
            {"in an upload, after its commit", Kind::kKillCoordinator, -1, 5}},
           absl::ZeroDuration(), 6);
}

TEST_F(CoordinatorFaultsTest, TrainingGoesOnWhileItIsAwayForAMinute) {
  // Steps for more than the minute, beside `train` on the same cores.
  Survives({{"before the collective", Kind::kKillCoordinator, -1, 20}},
           absl::Minutes(1), 120);
  EXPECT_LT(LongestPause(), 30);
}

// Each point once more with a minute; not part of every test run.
class AwayForAMinuteTest : public CoordinatorFaultsTest,
                           public testing::WithParamInterface<const char*> {};

TEST_P(AwayForAMinuteTest, LosesNothing) {
  std::vector<PlannedFault> faults = {
      {GetParam(), Kind::kKillCoordinator, -1, 0}};
  // Otherwise it would happen as the job begins, or never.
  if (absl::string_view(GetParam()) != "in validation") {
    faults.insert(faults.begin(), {"before the collective", Kind::kKill, 1, 5});
  }
  Survives(faults, absl::Minutes(1), 12);
}

INSTANTIATE_TEST_SUITE_P(
    Points, AwayForAMinuteTest,
    testing::Values("as it joins", "as a group forms",
                    "in a sync, as its source", "in a sync, as a receiver",
                    "before the collective", "in the collective",
                    "after the collective", "in validation",
                    "in an upload, before its commit",
                    "in an upload, after its commit"));

}  // namespace
}  // namespace charrnn
