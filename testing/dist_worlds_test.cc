// Training with any number of workers gives the bytes of training with one
// process: `train` and `train_dist` as a user runs them.

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/run_outcome.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Flags(const std::string& rnn_type) {
  return {"--data_path=text.txt", absl::StrCat("--rnn_type=", rnn_type),
          "--embedding_dim=8",    "--hidden_dim=16",
          "--num_layers=2",       "--dropout=0.1",
          "--batch_size=100",     "--seq_len=8",
          "--num_epochs=2",       "--log_every=1",
          "--sample_every=3",     "--max_generate=30",
          "--save_every=3"};
}

SubprocessResult Train(const Workplace& workplace, const std::string& program,
                       std::vector<std::string> flags,
                       const std::vector<std::string>& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  SubprocessOptions options = workplace.Here(flags);
  options.deadline = absl::Minutes(4);
  return workplace.Run(program, options);
}

using Case = std::tuple<const char*, const char*>;  // network, data order

class WorldsTest : public testing::TestWithParam<Case> {
 protected:
  static std::vector<std::string> Flags() {
    const auto [network, data_order] = GetParam();
    std::vector<std::string> flags = charrnn::Flags(network);
    flags.push_back(absl::StrCat("--data_order=", data_order));
    return flags;
  }
};

TEST_P(WorldsTest, HaveTheBytesOfOneProcess) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(130));
  const std::vector<std::string> flags = Flags();
  const SubprocessResult alone =
      Train(workplace, "train", flags, {"--run_dir=alone"});
  ASSERT_EQ(alone.exit_code, 0) << alone.stderr_text;
  const auto expected = RunOutcome(workplace, "alone");
  for (const int world_size : {1, 2, 3, 4, 5, 8}) {
    for (const int threads : {1, 2}) {
      const std::string run_dir = absl::StrCat(world_size, "x", threads);
      SCOPED_TRACE(run_dir);
      const SubprocessResult together =
          Train(workplace, "train_dist", flags,
                {absl::StrCat("--run_dir=", run_dir),
                 absl::StrCat("--nproc_per_node=", world_size),
                 absl::StrCat("--threads=", threads)});
      ASSERT_EQ(together.exit_code, 0) << together.stderr_text;
      EXPECT_THAT(workplace.Read(absl::StrCat(run_dir, "/metrics.jsonl")),
                  HasSubstr(absl::StrCat("\"world_size\":", world_size)));
      ExpectSameOutcome(RunOutcome(workplace, run_dir), expected);
    }
  }
}

TEST_P(WorldsTest, GoOnWithOneAnothersCheckpoints) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(130));
  const std::vector<std::string> flags = Flags();
  ASSERT_EQ(Train(workplace, "train", flags, {"--run_dir=whole"}).exit_code, 0);
  // One process, then four, two, three, and one again.
  const SubprocessResult first =
      Train(workplace, "train", flags, {"--run_dir=run", "--max_steps=2"});
  ASSERT_EQ(first.exit_code, 0) << first.stderr_text;
  int64_t steps = 2;
  for (const int world_size : {4, 2, 3}) {
    steps += 1;
    const SubprocessResult next =
        Train(workplace, "train_dist", {},
              {"--run_dir=run", "--resume", absl::StrCat("--max_steps=", steps),
               absl::StrCat("--nproc_per_node=", world_size)});
    ASSERT_EQ(next.exit_code, 0) << next.stderr_text;
  }
  const SubprocessResult last = Train(
      workplace, "train", {}, {"--run_dir=run", "--resume", "--max_steps=0"});
  ASSERT_EQ(last.exit_code, 0) << last.stderr_text;
  const auto outcome = RunOutcome(workplace, "run");
  const auto expected = RunOutcome(workplace, "whole");
  for (const char* what : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(outcome.at(what) == expected.at(what)) << what;
  }
}

TEST_P(WorldsTest, GoOnWithWhatOneAnotherLeftWhenKilled) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(130));
  std::vector<std::string> flags = Flags();
  // So many steps that the job does not end before it is killed.
  flags.insert(flags.end(),
               {"--save_every=1", "--sample_every=0", "--num_epochs=40"});
  ASSERT_EQ(Train(workplace, "train", flags, {"--run_dir=whole"}).exit_code, 0);
  flags.insert(flags.end(), {"--run_dir=run", "--resume"});
  // Four workers, then two, then three, and each time but the last the whole
  // job is killed at once, within an epoch.
  for (const auto& [world_size, moment] :
       {std::pair(4, "step 40/"), std::pair(2, "step 100/"),
        std::pair(3, "")}) {
    std::vector<std::string> all = flags;
    all.push_back(absl::StrCat("--nproc_per_node=", world_size));
    SubprocessOptions options = workplace.Here(all);
    options.deadline = absl::Minutes(4);
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::unique_ptr<Subprocess> job,
        Subprocess::Start(RunfilePath("cmd/train_dist"), options));
    if (*moment != '\0') {
      ASSERT_THAT(job->WaitForOutput(moment), IsOk());
      job->Signal(SIGKILL);
    }
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, job->Wait());
    ASSERT_EQ(result.signal, *moment != '\0' ? SIGKILL : 0)
        << result.stderr_text;
  }
  const auto outcome = RunOutcome(workplace, "run");
  const auto expected = RunOutcome(workplace, "whole");
  for (const char* what : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(outcome.at(what) == expected.at(what)) << what;
  }
}

TEST_P(WorldsTest, OverlappedGradientsAreTheSameButForRounding) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(130));
  std::vector<std::string> flags = Flags();
  flags.push_back("--num_epochs=10");  // 50 steps
  ASSERT_EQ(Train(workplace, "train", flags, {"--run_dir=alone"}).exit_code, 0);
  const std::vector<double> expected = RecordedLosses(workplace, "alone");
  ASSERT_EQ(expected.size(), 50);
  for (const int world_size : {1, 2, 3, 4, 5, 8}) {
    const std::string run_dir = absl::StrCat("overlap-", world_size);
    SCOPED_TRACE(run_dir);
    const SubprocessResult together =
        Train(workplace, "train_dist", flags,
              {absl::StrCat("--run_dir=", run_dir), "--reduction=overlap",
               absl::StrCat("--nproc_per_node=", world_size),
               absl::StrCat("--threads=", 1 + world_size % 2)});
    ASSERT_EQ(together.exit_code, 0) << together.stderr_text;
    const std::vector<double> losses = RecordedLosses(workplace, run_dir);
    ASSERT_EQ(losses.size(), expected.size());
    for (size_t step = 0; step < losses.size(); ++step) {
      EXPECT_NEAR(losses[step], expected[step], 1e-5 * expected[step]) << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(NetworksAndOrders, WorldsTest,
                         testing::Combine(testing::Values("GRU", "LSTM"),
                                          testing::Values("shuffled",
                                                          "streams")),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param), "_",
                                               std::get<1>(info.param));
                         });

}  // namespace
}  // namespace charrnn
