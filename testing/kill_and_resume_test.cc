// A run that is killed or stopped again and again, and goes on each time, ends
// as if it had never been: `train` as a process, and kill -9 at any moment,
// also while it saves. KILL_AND_RESUME_ROUNDS says how many such runs there
// are.

#include <signal.h>

#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/run_outcome.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

// How the next session says that it begins: nothing committed is given up.
std::string Beginning(const Workplace& workplace, int last_step) {
  const std::vector<std::string> checkpoints = workplace.Checkpoints("run");
  int step = 0;
  if (!checkpoints.empty()) {
    EXPECT_TRUE(absl::SimpleAtoi(absl::StripPrefix(checkpoints.back(), "step-"),
                                 &step));
  }
  if (step == last_step) return "";  // it may have ended
  if (step > 0) return absl::StrCat("going on from step ", step, "\n");
  return workplace.Snapshot().count("run/config.json") > 0
             ? "has no checkpoint yet"
             : "there is no run to resume yet";
}

using Case = std::tuple<const char*, const char*>;  // network, data order

class KillAndResumeTest : public testing::TestWithParam<Case> {
 protected:
  // Twelve an epoch, and of streams a short one more.
  static int LastStep() {
    return std::get<1>(GetParam()) == absl::string_view("streams") ? 39 : 36;
  }

  // Small enough to be trained within a second, each step saved.
  static SubprocessOptions Train(const Workplace& workplace) {
    return workplace.Here(
        {"--data_path=text.txt", "--run_dir=run", "--resume",
         absl::StrCat("--rnn_type=", std::get<0>(GetParam())),
         absl::StrCat("--data_order=", std::get<1>(GetParam())),
         "--embedding_dim=8", "--hidden_dim=16", "--batch_size=16",
         "--seq_len=16", "--num_epochs=3", "--dropout=0.1", "--num_layers=2",
         "--lr_schedule=cosine", "--log_every=5", "--sample_every=7",
         "--max_generate=50", "--save_every=1", "--keep_checkpoints=2"});
  }
};

TEST_P(KillAndResumeTest, LeavesNoTrace) {
  const Workplace undisturbed;
  undisturbed.Write("text.txt", PlainText(100));
  const absl::Duration begin = Clock::Real()->Elapsed();
  const SubprocessResult whole = undisturbed.Run("train", Train(undisturbed));
  const absl::Duration duration = Clock::Real()->Elapsed() - begin;
  ASSERT_EQ(whole.exit_code, 0) << whole.stderr_text;
  const std::map<std::string, std::string> expected =
      RunOutcome(undisturbed, "run");
  ASSERT_EQ(expected.at("latest"),
            absl::StrCat("checkpoints/step-000000", LastStep()));

  int kills = 0;
  int during_a_save = 0;
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < KILL_AND_RESUME_ROUNDS; ++round) {
    const Workplace workplace;
    workplace.Write("text.txt", PlainText(100));
    while (true) {
      const std::string beginning = Beginning(workplace, LastStep());
      SubprocessOptions options = Train(workplace);
      // What still runs at its deadline is killed.
      options.deadline =
          duration * std::uniform_real_distribution<>(0.1, 1.1)(random);
      const absl::StatusOr<SubprocessResult> result =
          RunSubprocess(RunfilePath("cmd/train"), options);
      if (result.ok()) {
        ASSERT_EQ(result->exit_code, 0) << result->stderr_text;
        ASSERT_THAT(result->stderr_text, HasSubstr(beginning));
        break;
      }
      ASSERT_TRUE(absl::IsDeadlineExceeded(result.status())) << result.status();
      ++kills;
      for (const std::string& name : workplace.List()) {
        if (!absl::StrContains(name, ".unfinished/")) continue;
        ++during_a_save;
        break;
      }
    }
    SCOPED_TRACE(absl::StrCat("round ", round, ", after ", kills, " kills"));
    ExpectSameOutcome(RunOutcome(workplace, "run"), expected);
    if (HasFailure()) break;
  }
  std::printf(
      "%s: %d runs equal to the undisturbed one, %d kills, %d of them "
      "during a save\n",
      testing::UnitTest::GetInstance()->current_test_info()->name(),
      KILL_AND_RESUME_ROUNDS, kills, during_a_save);
}

TEST_P(KillAndResumeTest, StopsLeaveNoTraceEither) {
  const Workplace undisturbed;
  undisturbed.Write("text.txt", PlainText(100));
  const SubprocessResult whole = undisturbed.Run("train", Train(undisturbed));
  ASSERT_EQ(whole.exit_code, 0) << whole.stderr_text;

  const Workplace workplace;
  workplace.Write("text.txt", PlainText(100));
  int stops = 0;
  // Within an epoch, at an epoch's end, and at the very end.
  const auto step = [](int n) {
    return absl::StrCat("step ", n, "/", LastStep());
  };
  for (const std::string& moment : std::vector<std::string>{
           "run      run", step(5), "sample at step 7", step(10),
           "epoch 1 validation", step(20), "epoch 2 validation",
           "sample at step 35", step(LastStep()), "never"}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::unique_ptr<Subprocess> train,
        Subprocess::Start(RunfilePath("cmd/train"), Train(workplace)));
    // Or it has come further by then.
    const absl::Status reached = train->WaitForOutput(moment);
    if (reached.ok()) train->Signal(SIGTERM);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, train->Wait());
    ASSERT_THAT(result.exit_code, AnyOf(0, 3)) << result.stderr_text;
    stops += result.exit_code == 3;
    if (result.exit_code == 0) break;
  }
  EXPECT_GT(stops, 0);
  ExpectSameOutcome(RunOutcome(workplace, "run"),
                    RunOutcome(undisturbed, "run"));
}

INSTANTIATE_TEST_SUITE_P(NetworksAndOrders, KillAndResumeTest,
                         testing::Combine(testing::Values("GRU", "LSTM"),
                                          testing::Values("shuffled",
                                                          "streams")),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param), "_",
                                               std::get<1>(info.param));
                         });

}  // namespace
}  // namespace charrnn
