#include "dist/worker/session.h"

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

// Before a call that failed is repeated.
constexpr absl::Duration kRetry = absl::Milliseconds(250);

// A heartbeat that takes longer is repeated rather than waited for.
constexpr absl::Duration kHeartbeatTimeout = absl::Seconds(1);

// Polls are answered after a few seconds with or without news.
constexpr absl::Duration kPollTimeout = absl::Seconds(10);

bool SameNews(const wire::Wishes& a, const wire::Wishes& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

}  // namespace

WorkerSession::WorkerSession(CoordinatorClient* client, Clock* clock,
                             const Options& options)
    : client_(client),
      clock_(clock),
      options_(options),
      heard_(clock->Elapsed()) {
  *beat_.mutable_worker() = options.worker;
  beating_ = std::thread([this] { Beat(); });
}

WorkerSession::~WorkerSession() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  client_->Cancel();
  beating_.join();
}

void WorkerSession::Beat() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    const wire::HeartbeatRequest request = beat_;
    beat_now_ = false;
    lock.unlock();
    const auto response = client_->Heartbeat(request, kHeartbeatTimeout);
    lock.lock();
    if (response.ok()) {
      // One that was overtaken by a new generation speaks of the old one.
      if (request.generation() == beat_.generation()) {
        Heard(response->wishes());
      }
    } else if (absl::IsAborted(response.status())) {
      if (dead_.ok()) dead_ = response.status();
      news_.notify_all();
    }
    news_.wait_for(
        lock,
        absl::ToChronoMilliseconds(response.ok() ? options_.heartbeat : kRetry),
        [this] { return stopping_ || beat_now_; });
  }
}

void WorkerSession::Heard(const wire::Wishes& wishes) {
  heard_ = clock_->Elapsed();
  if (SameNews(wishes_, wishes)) return;
  wishes_ = wishes;
  TellIfOver();
  news_.notify_all();
}

bool WorkerSession::WhenOver(std::function<void()> f) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool was_waiting = static_cast<bool>(when_over_);
  when_over_ = std::move(f);
  TellIfOver();
  return was_waiting;
}

void WorkerSession::TellIfOver() {
  if (wishes_.over() && when_over_) std::exchange(when_over_, nullptr)();
}

absl::Status WorkerSession::EndOf(const absl::Status& error) {
  if (!MayPass(error)) return error;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!dead_.ok()) return dead_;
  if (clock_->Elapsed() - heard_ < options_.longest_absence) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat(
      client_->address(), ": the coordinator has been away for ",
      absl::FormatDuration(options_.longest_absence), ": ", error.message()));
}

absl::StatusOr<wire::JoinResponse> WorkerSession::Join(
    int64_t synced_generation, int64_t step, const std::string& reason,
    bool needs_others) {
  wire::JoinRequest request;
  *request.mutable_worker() = options_.worker;
  request.set_synced_generation(synced_generation);
  request.set_step(step);
  request.set_left_generation(generation());
  request.set_reason(reason);
  request.set_needs_others(needs_others);
  request.set_instruction_set(options_.instruction_set);
  SetPhase(wire::SETUP);
  while (true) {
    auto response = client_->Join(request, kPollTimeout);
    if (!response.ok()) {
      if (absl::Status end = EndOf(response.status()); !end.ok()) {
        return end;
      }
      std::unique_lock<std::mutex> lock(mutex_);
      news_.wait_for(lock, absl::ToChronoMilliseconds(kRetry));
      continue;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    heard_ = clock_->Elapsed();
    if (HasEnded(response->state())) {
      wishes_.set_state(response->state());
      wishes_.set_error(response->error());
      news_.notify_all();
      return absl::CancelledError("the job has ended");
    }
    if (!dead_.ok()) return dead_;
    if (response->generation() == 0) continue;
    beat_.set_generation(response->generation());
    beat_now_ = true;
    wishes_.set_over(false);
    wishes_.set_regroup(false);
    news_.notify_all();
    return *response;
  }
}

void WorkerSession::SetPhase(wire::Phase phase) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (beat_.phase() == phase) return;
  beat_.set_phase(phase);
  beat_now_ = true;
  news_.notify_all();
}

void WorkerSession::SetStep(const StepReport& report,
                            absl::Duration step_time) {
  const std::lock_guard<std::mutex> lock(mutex_);
  beat_.set_step(report.step);
  beat_.set_epoch(report.epoch);
  beat_.set_step_loss(report.loss);
  beat_.set_targets(report.targets);
  beat_.set_step_s(absl::ToDoubleSeconds(step_time));
}

wire::Wishes WorkerSession::wishes() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return wishes_;
}

wire::Wishes WorkerSession::AwaitNews(const wire::Wishes& seen,
                                      absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  news_.wait_for(lock, absl::ToChronoMilliseconds(timeout), [&] {
    return stopping_ || !dead_.ok() || !SameNews(wishes_, seen);
  });
  return wishes_;
}

absl::Status WorkerSession::Finish(wire::JobState how, int64_t step,
                                   double wall_s, const std::string& message) {
  wire::FinishRequest request;
  *request.mutable_worker() = options_.worker;
  request.set_generation(generation());
  request.set_how(how);
  request.set_step(step);
  request.set_wall_s(wall_s);
  request.set_message(message);
  while (true) {
    const auto response = client_->Finish(request, kPollTimeout);
    if (response.ok()) return absl::OkStatus();
    absl::Status end = EndOf(response.status());
    if (!end.ok()) return end;
    std::unique_lock<std::mutex> lock(mutex_);
    news_.wait_for(lock, absl::ToChronoMilliseconds(kRetry));
  }
}

absl::Status WorkerSession::CheckAlive() {
  return EndOf(absl::UnavailableError("it does not answer"));
}

absl::Status WorkerSession::AwaitEnd() {
  wire::Wishes seen = wishes();
  while (!HasEnded(seen.state()) && !seen.over()) {
    absl::Status alive = CheckAlive();
    if (!alive.ok()) return alive;
    seen = AwaitNews(seen, absl::Seconds(1));
  }
  return absl::OkStatus();
}

int64_t WorkerSession::generation() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return beat_.generation();
}

}  // namespace charrnn
