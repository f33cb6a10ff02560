// Random faults, one after another, at any moment: workers and the coordinator
// killed and stopped. Then the job is told to stop, and what it has saved is
// what `train` gets in as many steps. SOAK_FAULTS says how many faults; the
// seed is told, and can be given in CHARRNN_TEST_SEED.

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/dist_job.h"
#include "testing/run_outcome.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

// Longer than all faults take.
std::vector<std::string> Flags(int64_t steps) {
  return {"--data_path=text.txt",
          "--embedding_dim=16",
          "--hidden_dim=32",
          "--num_layers=2",
          "--dropout=0.1",
          "--batch_size=64",
          "--seq_len=16",
          "--num_epochs=1000000",
          "--log_every=1",
          "--sample_every=50",
          "--max_generate=30",
          "--save_every=20",
          absl::StrCat("--max_steps=", steps)};
}

uint64_t Seed() {
  const char* given = getenv("CHARRNN_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10)
                          : std::random_device{}();
}

TEST(SoakTest, RandomFaultsLeaveNoTrace) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(400));
  const DistJob job(&workplace, "run");
  const std::vector<std::string> nodes = {"--nnodes=2"};
  std::unique_ptr<Subprocess> coordinator = job.StartCoordinator(nodes);
  std::vector<std::unique_ptr<Subprocess>> hosts;
  for (const char* name : {"alpha", "beta"}) {
    std::vector<std::string> flags = Flags(100'000'000);
    flags.insert(flags.end(),
                 {"--nproc_per_node=2", "--threads=1", "--nnodes=2",
                  absl::StrCat("--host_name=", name)});
    hosts.push_back(job.StartHost(flags));
  }
  ASSERT_THAT(coordinator->WaitForOutput("step 1/"), IsOk());
  const uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::map<std::string, int> counts;
  for (int fault = 0; fault < SOAK_FAULTS; ++fault) {
    // Sometimes before the last one is mended.
    absl::SleepFor(
        absl::Seconds(std::uniform_real_distribution<>(0.2, 4)(random)));
    const std::vector<pid_t> workers = job.WorkerPids();
    const uint64_t what = random() % 8;
    if (what == 0) {
      coordinator->Signal(SIGKILL);
      CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult ended,
                                   coordinator->Wait());
      ASSERT_EQ(ended.signal, SIGKILL) << ended.stderr_text;
      absl::SleepFor(
          absl::Seconds(std::uniform_real_distribution<>(0, 3)(random)));
      coordinator = job.StartCoordinator(nodes);
      ++counts["coordinator killed"];
    } else if (what == 1) {
      coordinator->Signal(SIGSTOP);
      absl::SleepFor(
          absl::Seconds(std::uniform_real_distribution<>(0, 6)(random)));
      coordinator->Signal(SIGCONT);
      ++counts["coordinator stopped for a while"];
    } else if (!workers.empty()) {
      const bool stop = what <= 3;
      kill(workers[random() % workers.size()], stop ? SIGSTOP : SIGKILL);
      ++counts[stop ? "worker stopped" : "worker killed"];
    }
  }
  absl::SleepFor(absl::Seconds(5));
  const SubprocessResult asked = job.Ask("--stop");
  ASSERT_EQ(asked.exit_code, 0) << asked.stderr_text;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult ended,
                               coordinator->Wait());
  EXPECT_EQ(ended.exit_code, 3) << ended.stderr_text;
  for (const auto& host : hosts) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, host->Wait());
    EXPECT_EQ(result.exit_code, 3) << result.stderr_text;
  }
  EXPECT_THAT(job.Pids(), testing::IsEmpty());

  const std::vector<int64_t> steps = RecordedSteps(workplace, "run");
  ASSERT_FALSE(steps.empty());
  std::vector<int64_t> each_once(steps.size());
  std::iota(each_once.begin(), each_once.end(), 1);
  EXPECT_EQ(steps, each_once);
  const std::string saved = workplace.Checkpoints("run").back();
  const int64_t last = std::stoll(saved.substr(saved.find('-') + 1));
  std::vector<std::string> flags = Flags(last);
  flags.push_back("--run_dir=alone");
  SubprocessOptions options = workplace.Here(flags);
  options.deadline = absl::Minutes(30);
  const SubprocessResult alone = workplace.Run("train", options);
  ASSERT_EQ(alone.exit_code, 0) << alone.stderr_text;
  const auto outcome = RunOutcome(workplace, "run");
  const auto expected = RunOutcome(workplace, "alone");
  for (const char* what : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(outcome.at(what) == expected.at(what)) << what;
  }
  std::printf("%d faults in %lld steps, equal to %lld of train:", SOAK_FAULTS,
              static_cast<long long>(last), static_cast<long long>(last));
  for (const auto& [what, count] : counts) {
    std::printf(" %s %d times;", what.c_str(), count);
  }
  std::printf("\n");
}

}  // namespace
}  // namespace charrnn
