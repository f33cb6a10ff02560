#include "testing/planned_faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <ios>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "dist/probe.h"

namespace charrnn {
namespace {

using nlohmann::json;

// The point by which a worker's steps are counted.
constexpr char kStepPoint[] = "after the collective";

// As long as there are faults to come, a step takes as long as that of a large
// model, so that a small one is not trained before whoever has died is back.
constexpr char kPacedPoint[] = "before the collective";
constexpr absl::Duration kStepTime = absl::Milliseconds(100);

// Where a worker is with the plan. Points come from several threads.
class Follower {
 public:
  Follower(FaultPlan plan, int local_rank)
      : plan_(std::move(plan)), local_rank_(local_rank) {}

  absl::Status At(const std::string& point) {
    if (point == kPacedPoint && !IsOver()) absl::SleepFor(kStepTime);
    const std::lock_guard<std::mutex> lock(mutex_);
    while (next_ < plan_.faults.size() && access(Marker().c_str(), F_OK) == 0) {
      ++next_;
      calm_steps_ = 0;
    }
    if (next_ == plan_.faults.size()) return absl::OkStatus();
    if (point == kStepPoint) ++calm_steps_;
    const PlannedFault& fault = plan_.faults[next_];
    if (fault.point != point || calm_steps_ < fault.calm_steps ||
        (fault.local_rank >= 0 && fault.local_rank != local_rank_)) {
      return absl::OkStatus();
    }
    const int marker =
        open(Marker().c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (marker < 0) return absl::OkStatus();  // another one's
    close(marker);
    return Happen(fault);
  }

 private:
  std::string Marker(size_t fault) const {
    return absl::StrCat(plan_.folder, "/fault-", fault);
  }
  std::string Marker() const { return Marker(next_); }

  // Whether the last fault has happened.
  bool IsOver() const {
    return plan_.faults.empty() ||
           access(Marker(plan_.faults.size() - 1).c_str(), F_OK) == 0;
  }

  absl::Status Happen(const PlannedFault& fault) const {
    switch (fault.kind) {
      case PlannedFault::Kind::kKill:
        kill(getpid(), SIGKILL);
        break;
      case PlannedFault::Kind::kKillSoon:
        std::thread([] { kill(getpid(), SIGKILL); }).detach();
        break;
      case PlannedFault::Kind::kStop:
        kill(getpid(), SIGSTOP);
        break;
      case PlannedFault::Kind::kError:
        return absl::InternalError(absl::StrCat("planned error ", fault.point));
      case PlannedFault::Kind::kKillCoordinator: {
        std::ifstream file(absl::StrCat(plan_.folder, "/coordinator.pid"));
        pid_t pid = 0;
        file >> pid;
        CHARRNN_CHECK(pid > 0) << "no coordinator.pid";
        kill(pid, SIGKILL);
        break;
      }
    }
    return absl::OkStatus();
  }

  const FaultPlan plan_;
  const int local_rank_;
  std::mutex mutex_;
  size_t next_ = 0;     // guarded by mutex_
  int calm_steps_ = 0;  // guarded by mutex_
};

}  // namespace

std::string FaultPlan::ToText() const {
  json text = {{"folder", folder}, {"faults", json::array()}};
  for (const PlannedFault& fault : faults) {
    text["faults"].push_back({{"point", fault.point},
                              {"kind", static_cast<int>(fault.kind)},
                              {"local_rank", fault.local_rank},
                              {"calm_steps", fault.calm_steps}});
  }
  return text.dump();
}

FaultPlan FaultPlan::FromText(const std::string& text) {
  const json object = json::parse(text);
  FaultPlan plan;
  plan.folder = object["folder"];
  for (const json& fault : object["faults"]) {
    plan.faults.push_back(
        {fault["point"],
         static_cast<PlannedFault::Kind>(fault["kind"].get<int>()),
         fault["local_rank"], fault["calm_steps"]});
  }
  return plan;
}

Probe ProbeOf(const FaultPlan& plan, int local_rank) {
  auto follower = std::make_shared<Follower>(plan, local_rank);
  return [follower](const char* point) { return follower->At(point); };
}

Probe StepLogProbe(const std::string& folder) {
  auto log = std::make_shared<std::ofstream>(
      absl::StrCat(folder, "/steps-", getpid()), std::ios::binary);
  return [log](const char* point) {
    if (std::string(point) == kStepPoint) {
      timespec now = {};
      clock_gettime(CLOCK_MONOTONIC, &now);
      const double seconds = static_cast<double>(now.tv_sec) +
                             1e-9 * static_cast<double>(now.tv_nsec);
      log->write(reinterpret_cast<const char*>(&seconds), sizeof(seconds));
      log->flush();
    }
    return absl::OkStatus();
  };
}

}  // namespace charrnn
