// Prints how long training stands still when something fails, median and worst
// of 20, and what two workers reach beside one:
//
//   ./bazelw run //testing:recovery_times

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <ios>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "testing/dist_job.h"
#include "testing/planned_faults.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

constexpr int kRounds = 20;
constexpr int kWorkers = 4;

// Longer than anything that is measured here may take, seconds.
constexpr double kPatience = 120;

// Of the clock by which workers note their steps.
double Now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

// The times at which the living workers have finished steps, by process.
class StepTimes {
 public:
  explicit StepTimes(std::string folder) : folder_(std::move(folder)) {}

  // Of process `pid`, after `begin`.
  std::vector<double> Of(pid_t pid, double begin) const {
    std::ifstream file(absl::StrCat(folder_, "/steps-", pid), std::ios::binary);
    std::vector<double> times;
    double time = 0;
    while (file.read(reinterpret_cast<char*>(&time), sizeof(time))) {
      if (time > begin) times.push_back(time);
    }
    return times;
  }

  // Blocks until each of `pids` has finished two steps after `begin`: the
  // first may have been under way before. Returns how long that took.
  double UntilTheyGoOn(const std::vector<pid_t>& pids, double begin) const {
    while (true) {
      CHARRNN_CHECK(Now() < begin + kPatience) << "the job does not go on";
      double last = 0;
      bool all = true;
      for (const pid_t pid : pids) {
        const std::vector<double> times = Of(pid, begin);
        all = all && times.size() >= 2;
        if (times.size() >= 2) last = std::max(last, times[1]);
      }
      if (all) return last - begin;
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  double LongestPause(pid_t pid, double begin) const {
    const std::vector<double> times = Of(pid, begin);
    double longest = 0;
    for (size_t i = 1; i < times.size(); ++i) {
      longest = std::max(longest, times[i] - times[i - 1]);
    }
    return longest;
  }

 private:
  const std::string folder_;
};

void Print(const char* what, std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  std::printf("%-58s median %6.2f s  worst %6.2f s  of %zu\n", what,
              seconds[seconds.size() / 2], seconds.back(), seconds.size());
  std::fflush(stdout);
}

std::vector<std::string> Flags() {
  return {"--data_path=text.txt", "--embedding_dim=32", "--hidden_dim=64",
          "--batch_size=64",      "--seq_len=32",       "--num_epochs=1000000",
          "--log_every=0",        "--sample_every=0",   "--save_every=0",
          "--max_steps=100000000"};
}

// A job under way, to which things happen.
class Recovery {
 public:
  Recovery()
      : job_(&workplace_, "run"),
        coordinator_(Start()),
        host_(StartHost()),
        steps_(workplace_.Path("")) {
    AwaitAll();
  }

  ~Recovery() { host_->Signal(SIGKILL); }

  // All workers are there, and train.
  std::vector<pid_t> AwaitAll() const {
    const double begin = Now();
    while (true) {
      CHARRNN_CHECK(Now() < begin + kPatience) << "the job does not begin";
      const std::vector<pid_t> pids = job_.WorkerPids();
      if (pids.size() == kWorkers) {
        steps_.UntilTheyGoOn(pids, Now());
        return pids;
      }
      absl::SleepFor(absl::Milliseconds(20));
    }
  }

  std::vector<double> AfterSignal(int signal) {
    std::vector<double> seconds;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<pid_t> pids = AwaitAll();
      const auto victim =
          pids.begin() + static_cast<int64_t>(random_() % pids.size());
      const double begin = Now();
      kill(*victim, signal);
      pids.erase(victim);
      seconds.push_back(steps_.UntilTheyGoOn(pids, begin));
    }
    return seconds;
  }

  std::vector<double> AfterCoordinatorsRestart() {
    std::vector<double> seconds;
    for (int round = 0; round < kRounds; ++round) {
      const std::vector<pid_t> pids = AwaitAll();
      const double begin = Now();
      coordinator_->Signal(SIGKILL);
      CHARRNN_CHECK(coordinator_->Wait().ok());
      coordinator_ = Start();
      absl::SleepFor(absl::Seconds(2));
      seconds.push_back(steps_.LongestPause(pids.front(), begin));
    }
    return seconds;
  }

 private:
  std::unique_ptr<Subprocess> Start() {
    workplace_.Write("text.txt", PlainText(4000));
    return job_.StartCoordinator();
  }

  std::unique_ptr<Subprocess> StartHost() {
    std::vector<std::string> flags = Flags();
    flags.push_back(absl::StrCat("--nproc_per_node=", kWorkers));
    flags.push_back("--threads=1");
    return job_.StartHost(flags, {{kStepLogVariable, workplace_.Path("")}});
  }

  const Workplace workplace_;
  const DistJob job_;
  std::unique_ptr<Subprocess> coordinator_;
  std::unique_ptr<Subprocess> host_;
  const StepTimes steps_;
  std::mt19937 random_{1};
};

// Characters a second of a short run of `workers` with `threads` each.
double Throughput(int workers, int threads) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(4000));
  SubprocessOptions options =
      workplace.Here({"--data_path=text.txt", "--run_dir=run", "--max_steps=30",
                      "--log_every=30", "--sample_every=0", "--rnn_type=LSTM",
                      absl::StrCat("--nproc_per_node=", workers),
                      absl::StrCat("--threads=", threads)});
  options.deadline = absl::Minutes(10);
  const SubprocessResult result = workplace.Run("train_dist", options);
  CHARRNN_CHECK(result.exit_code == 0) << result.stderr_text;
  for (const absl::string_view line :
       absl::StrSplit(workplace.Read("run/metrics.jsonl"), '\n')) {
    const auto record =
        nlohmann::json::parse(std::string(line), nullptr, false);
    if (record.is_object() && record.value("event", "") == "train") {
      return record["chars_per_s"];
    }
  }
  return 0;
}

void PrintThroughput() {
  constexpr int kPairs = 5;
  std::vector<double> ratios;
  for (int pair = 0; pair < kPairs; ++pair) {
    ratios.push_back(Throughput(2, 1) / Throughput(1, 2));
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf(
      "two workers of one thread, against one of two threads: %.2f of its "
      "throughput (%.2f to %.2f in %d pairs; LSTM 256, batch 128 x 128)\n",
      ratios[kPairs / 2], ratios.front(), ratios.back(), kPairs);
}

int Main() {
  {
    Recovery recovery;
    Print("kill -9 of one of four workers, to the others' next step",
          recovery.AfterSignal(SIGKILL));
    Print("SIGSTOP of one of four workers, to the others' next step",
          recovery.AfterSignal(SIGSTOP));
    Print("coordinator killed and restarted, longest pause",
          recovery.AfterCoordinatorsRestart());
  }
  PrintThroughput();
  return 0;
}

}  // namespace
}  // namespace charrnn

int main() { return charrnn::Main(); }
