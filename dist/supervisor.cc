#include "dist/supervisor.h"

#include <signal.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "dist/child_group.h"
#include "dist/child_process.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"

namespace charrnn {
namespace {

// Longer than the coordinator keeps a poll.
constexpr absl::Duration kCallTimeout = absl::Seconds(10);

constexpr absl::Duration kRetry = absl::Milliseconds(250);

// A coordinator that does not answer for longer is spoken of.
constexpr absl::Duration kWorthSaying = absl::Seconds(2);

// How often it is looked whether a signal has come or a worker is to start.
constexpr absl::Duration kLook = absl::Milliseconds(100);

// What workers that have heard of the job's end need to end themselves. Some
// have not, where the coordinator was quicker to end than they to ask; but all
// that they had is safe by then.
constexpr absl::Duration kGrace = absl::Seconds(1);

// Whether the program itself is to blame, and no one who has killed it.
bool IsOwnError(const ProcessEnd& end) {
  switch (end.signal) {
    case 0:
      return end.exit_code != kStartAnewExitCode;
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSEGV:
      return true;
    default:
      return false;
  }
}

}  // namespace

Supervisor::Supervisor(CoordinatorClient* client, Clock* clock,
                       const Options& options)
    : client_(client),
      clock_(clock),
      options_(options),
      slots_(options.slots),
      heard_(clock->Elapsed()) {}

Supervisor::~Supervisor() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  to_tell_.notify_all();
  client_->Cancel();
  if (watching_.joinable()) watching_.join();
  if (telling_.joinable()) telling_.join();
}

absl::Status Supervisor::Run() {
  CHARRNN_ASSIGN_OR_RETURN(group_, ChildGroup::Create(options_.sink));
  watching_ = std::thread([this] { Watch(); });
  telling_ = std::thread([this] { Tell(); });
  absl::Status ended = Supervise();
  // Those that no end of the job has ended.
  group_->KillAll(SIGKILL);
  while (group_->size() > 0) {
    CHARRNN_RETURN_IF_ERROR(group_->WaitForEvent(kLook).status());
  }
  return ended;
}

absl::Status Supervisor::Supervise() {
  while (true) {
    wire::WatchHostResponse news;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (options_.wants_to_leave() && !leave_) {
        leave_ = true;
        to_tell_.notify_all();
      }
      CHARRNN_RETURN_IF_ERROR(refused_);
      if (clock_->Elapsed() - heard_ > options_.longest_absence) {
        return absl::UnavailableError(absl::StrCat(
            client_->address(), ": the coordinator has been away for ",
            absl::FormatDuration(options_.longest_absence)));
      }
      for (const auto& [local_rank, at] : respawns_) {
        slots_[local_rank].starts = true;
        slots_[local_rank].start_at = at;
      }
      respawns_.clear();
      news = news_;
    }
    if (HasEnded(news.state()) || news.left()) {
      CHARRNN_RETURN_IF_ERROR(Drain());
      return HowItEnded(news);
    }
    KillTheDead(news);
    CHARRNN_RETURN_IF_ERROR(StartWorkers());
    CHARRNN_ASSIGN_OR_RETURN(const ChildGroup::Event event,
                             group_->WaitForEvent(kLook));
    TakeExits(event.exits);
  }
}

absl::Status Supervisor::StartWorkers() {
  const absl::Duration now = clock_->Elapsed();
  for (int local_rank = 0; local_rank < options_.slots; ++local_rank) {
    Slot& slot = slots_[local_rank];
    if (slot.child != 0 || !slot.starts || slot.start_at > now) continue;
    slot.starts = false;
    ++slot.incarnation;
    CHARRNN_ASSIGN_OR_RETURN(
        slot.child, group_->Start(options_.child(local_rank, slot.incarnation,
                                                 options_.instruction_set),
                                  absl::StrCat("[", options_.host_name, "/",
                                               local_rank, "] ")));
  }
  return absl::OkStatus();
}

void Supervisor::TakeExits(const std::vector<ChildGroup::Exit>& exits) {
  for (const ChildGroup::Exit& exit : exits) {
    const auto slot = std::find_if(
        slots_.begin(), slots_.end(),
        [&](const Slot& candidate) { return candidate.child == exit.id; });
    if (slot == slots_.end()) continue;
    slot->child = 0;
    wire::ReportExitRequest request;
    wire::Worker& worker = *request.mutable_worker();
    worker.set_host_id(options_.host_id);
    worker.set_local_rank(static_cast<int>(slot - slots_.begin()));
    worker.set_incarnation(slot->incarnation);
    request.set_own_error(IsOwnError(exit.end));
    request.set_message(request.own_error() && !exit.last_line.empty()
                            ? exit.last_line
                            : exit.end.ToString());
    const std::lock_guard<std::mutex> lock(mutex_);
    exits_.push_back(std::move(request));
    to_tell_.notify_all();
  }
}

void Supervisor::KillTheDead(const wire::WatchHostResponse& news) {
  for (const wire::Worker& dead : news.kill()) {
    if (dead.local_rank() < 0 || dead.local_rank() >= options_.slots) continue;
    const Slot& slot = slots_[dead.local_rank()];
    if (slot.child != 0 && slot.incarnation == dead.incarnation()) {
      group_->Kill(slot.child, SIGKILL);
    }
  }
  if (!news.instruction_set().empty() &&
      news.instruction_set() != options_.instruction_set) {
    // A host that has joined since knows fewer; nothing was computed yet.
    options_.instruction_set = news.instruction_set();
    group_->KillAll(SIGKILL);
  }
}

absl::Status Supervisor::Drain() {
  const absl::Duration end = clock_->Elapsed() + kGrace;
  while (group_->size() > 0) {
    const absl::Duration left = end - clock_->Elapsed();
    if (left <= absl::ZeroDuration()) group_->KillAll(SIGKILL);
    CHARRNN_RETURN_IF_ERROR(
        group_->WaitForEvent(std::max(left, kLook)).status());
  }
  return absl::OkStatus();
}

absl::Status Supervisor::HowItEnded(const wire::WatchHostResponse& news) {
  switch (news.state()) {
    case wire::FINISHED:
      return absl::OkStatus();
    case wire::FAILED:
      return absl::InternalError(news.error());
    case wire::REFUSED:
      return absl::InvalidArgumentError(news.error());
    case wire::STOPPED:
      return absl::CancelledError(
          absl::StrCat("stopped at step ", news.step(),
                       " and saved: --resume goes on from there"));
    default:
      return absl::CancelledError(
          "this host has left the job, which goes on without it");
  }
}

void Supervisor::Watch() {
  wire::WatchHostRequest request;
  request.set_host_id(options_.host_id);
  while (true) {
    const auto response = client_->WatchHost(request, kCallTimeout);
    std::unique_lock<std::mutex> lock(mutex_);
    if (stopping_) return;
    if (!response.ok()) {
      if (!MayPass(response.status())) {
        refused_ = response.status();
        group_->Wake();
        return;
      }
      SayIfAway();
      to_tell_.wait_for(lock, absl::ToChronoMilliseconds(kRetry));
      continue;
    }
    if (said_away_) CHARRNN_LOG(INFO) << "the coordinator is back";
    said_away_ = false;
    away_since_.reset();
    heard_ = clock_->Elapsed();
    news_ = *response;
    request.set_seen_version(response->version());
    group_->Wake();
    if (HasEnded(response->state()) || response->left()) return;
  }
}

void Supervisor::SayIfAway() {
  const absl::Duration now = clock_->Elapsed();
  if (!away_since_.has_value()) away_since_ = now;
  if (said_away_ || now - *away_since_ < kWorthSaying) return;
  said_away_ = true;
  CHARRNN_LOG(WARNING) << client_->address()
                       << ": the coordinator does not answer: training goes "
                          "on without it, for "
                       << absl::FormatDuration(options_.longest_absence)
                       << " at most";
}

absl::Status Supervisor::SayThatWeLeave() {
  if (options_.leaving_ends_the_job) {
    return client_->Stop(wire::StopRequest(), kCallTimeout).status();
  }
  wire::LeaveHostRequest request;
  request.set_host_id(options_.host_id);
  return client_->LeaveHost(request, kCallTimeout).status();
}

void Supervisor::Tell() {
  bool told_to_leave = false;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    const bool leaves = leave_ && !told_to_leave;
    if (exits_.empty() && !leaves) {
      to_tell_.wait(lock);
      continue;
    }
    absl::Status told;
    if (leaves) {
      lock.unlock();
      told = SayThatWeLeave();
      lock.lock();
      told_to_leave = told.ok() || !MayPass(told);
    } else {
      const wire::ReportExitRequest request = exits_.front();
      lock.unlock();
      const auto response = client_->ReportExit(request, kCallTimeout);
      lock.lock();
      told = response.status();
      if (told.ok() || !MayPass(told)) exits_.pop_front();
      if (response.ok() && response->respawn()) {
        respawns_[request.worker().local_rank()] =
            clock_->Elapsed() + absl::Milliseconds(response->after_ms());
        group_->Wake();
      }
    }
    if (!told.ok() && MayPass(told)) {
      to_tell_.wait_for(lock, absl::ToChronoMilliseconds(kRetry));
    }
  }
}

}  // namespace charrnn
