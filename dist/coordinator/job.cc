#include "dist/coordinator/job.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "dist/coordinator/durable_state.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/record_index.h"
#include "dist/coordinator/run_book.h"
#include "model/metrics/display.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

constexpr char kStateFileName[] = "coordinator.json";

// How often deadlines are looked at.
constexpr std::chrono::milliseconds kTick(100);

// After how long a state that could not be written is offered to the disk
// again.
constexpr absl::Duration kRewrite = absl::Seconds(5);

// Training that stands still for longer is spoken of.
constexpr absl::Duration kWorthTelling = absl::Seconds(5);

// For people.
void Tell(const Membership::Generation& generation) {
  const bool one = generation.world_size == 1;
  std::string line = Counted(generation.world_size, "worker");
  if (generation.step == 0) {
    absl::StrAppend(&line, one ? " begins" : " begin");
  } else {
    absl::StrAppend(&line, one ? " goes" : " go", " on from step ",
                    generation.step);
  }
  if (generation.number > 1) absl::StrAppend(&line, ": ", generation.reason);
  CHARRNN_LOG(INFO) << line;
}

int NumHostsThere(const std::vector<Membership::WorkerView>& workers) {
  std::set<std::string> there;
  for (const Membership::WorkerView& worker : workers) {
    if (worker.state == Membership::WorkerState::kJoining) {
      there.insert(worker.id.slot.host_id);
    }
  }
  return static_cast<int>(there.size());
}

// What a generation needs to form: workers that return, or else hosts.
std::string WhatIsAwaited(const std::vector<Membership::WorkerView>& workers,
                          int min_hosts) {
  std::vector<std::string> awaited;
  for (const Membership::WorkerView& worker : workers) {
    if (worker.state == Membership::WorkerState::kReturning) {
      awaited.push_back(
          absl::StrCat(worker.host_name, "/", worker.id.slot.local_rank));
    }
  }
  if (!awaited.empty()) return absl::StrJoin(awaited, ", ");
  const int there = NumHostsThere(workers);
  return absl::StrCat("hosts: ", there, there == 1 ? " is" : " are", " there, ",
                      min_hosts, " needed");
}

uint64_t RandomNumber() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

bool Ended(JobState state) {
  return state != JobState::kForming && state != JobState::kRunning;
}

absl::Status TheEnd() { return absl::UnavailableError("the coordinator ends"); }

// What an interrupted coordinator has left; none if nothing was, or if the job
// had ended.
absl::StatusOr<std::optional<DurableState>> ReadState(
    FileSystem& files, const std::string& run_dir) {
  const std::string path = JoinPath(run_dir, kStateFileName);
  const auto text = files.ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  CHARRNN_RETURN_IF_ERROR(text.status());
  absl::StatusOr<DurableState> state = DurableStateFromJson(*text);
  if (!state.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", state.status().message(),
        ": remove it, and the job begins anew from its newest checkpoint"));
  }
  if (Ended(state->membership.ended)) return std::nullopt;
  return *std::move(state);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Job>> Job::Open(const Options& options) {
  std::optional<DurableState> state;
  if (options.durable) {
    CHARRNN_ASSIGN_OR_RETURN(state, ReadState(*options.files, options.run_dir));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      auto book, RunBook::Open(options.files, options.clock, options.run_dir,
                               state.has_value() ? RunBook::Session::kSame
                                                 : RunBook::Session::kNew));
  std::unique_ptr<Job> job(new Job(options, std::move(book), state));
  job->Publish();
  job->answering_ = std::thread([job = job.get()] { job->Answer(); });
  job->writing_ = std::thread([job = job.get()] { job->Write(); });
  return job;
}

Job::Job(const Options& options, std::unique_ptr<RunBook> book,
         const std::optional<DurableState>& state)
    : options_(options),
      boot_(RandomNumber()),
      config_json_(book->config_json()),
      book_(std::move(book)) {
  const absl::Duration now = options.clock->Elapsed();
  if (state.has_value()) {
    Membership::Durable membership = state->membership;
    if (options.resume) membership.stop = false;
    membership_ =
        std::make_unique<Membership>(options.membership, membership, now);
    instruction_set_ = state->instruction_set;
    recorded_generation_ = membership_->generation();
    written_generation_ = membership_->generation();
  } else {
    membership_ = std::make_unique<Membership>(options.membership, now);
  }
  const bool anybody_came =
      state.has_value() && !state->membership.hosts.empty();
  may_change_ = options.resume && !config_json_.empty() && !anybody_came;
  membership_->Committed(book_->committed_step());
  membership_->SetMaxWorkers(book_->max_workers());
}

Job::~Job() {
  StopAnswering();
  {
    const std::lock_guard<std::mutex> lock(disk_mutex_);
    disk_stopping_ = true;
  }
  disk_work_.notify_all();
  writing_.join();
}

void Job::StopAnswering() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  if (answering_.joinable()) answering_.join();
}

void Job::Wait(Pending pending) {
  if (stopping_) {
    pending.done(TheEnd());
    return;
  }
  fresh_.push_back(std::move(pending));
  news_.notify_one();
}

void Job::AnswerDurably(absl::Status status, Done done) {
  Pending pending;
  pending.answer = [status = std::move(status)] { return status; };
  pending.deadline = absl::InfiniteDuration();
  pending.durable_version = membership_->durable_version();
  wanted_version_ = pending.durable_version;
  pending.done = std::move(done);
  Wait(std::move(pending));
}

void Job::Answer() {
  std::unique_lock<std::mutex> lock(mutex_);
  int64_t seen_version = -1;
  absl::Duration looked = -absl::InfiniteDuration();
  while (!stopping_) {
    const bool called = news_.wait_for(lock, kTick, [&] {
      return stopping_ || arrived_ || !fresh_.empty() ||
             membership_->version() != seen_version ||
             wanted_version_ > written_version_;
    });
    membership_->Tick(Now());
    // Thousands may wait, and what comes in concerns few of them.
    bool look_at_all = !called || arrived_ ||
                       membership_->version() != seen_version ||
                       Now() - looked >= absl::FromChrono(kTick);
    arrived_ = false;
    seen_version = membership_->version();
    RecordNews();
    // That a process has begun is no news, and can wait for others.
    const bool write_now = look_at_all || wanted_version_ > written_version_;
    const bool write_again = unwritten_since_ >= absl::ZeroDuration() &&
                             Now() - unwritten_since_ >= kRewrite;
    if (const int64_t version = membership_->durable_version();
        write_again || (write_now && version != written_version_)) {
      const int64_t generation = membership_->generation();
      if (options_.durable) {
        const DurableState state = {membership_->ToDurable(), instruction_set_};
        lock.unlock();
        WriteState(state);
        lock.lock();
      }
      written_version_ = version;
      written_generation_ = generation;
      look_at_all = true;
    }
    if (look_at_all) looked = Now();
    const auto answers = TakeAnswers(look_at_all);
    lock.unlock();
    for (const auto& [done, status] : answers) done(status);
    lock.lock();
  }
  std::list<Pending> left;
  left.swap(waiting_);
  left.splice(left.end(), fresh_);
  lock.unlock();
  for (const Pending& pending : left) pending.done(TheEnd());
}

void Job::WriteState(const DurableState& state) {
  const std::string text = ToJson(state);
  absl::Status written;
  {
    const std::lock_guard<std::mutex> lock(folder_mutex_);
    written = WriteFileAtomically(
        *options_.files, JoinPath(options_.run_dir, kStateFileName), text);
  }
  const bool was_written = unwritten_since_ < absl::ZeroDuration();
  unwritten_since_ = written.ok() ? kWritten : Now();
  if (written.ok() || !was_written) return;
  // To wait for room would stop the training that goes well without.
  CHARRNN_LOG(WARNING) << "the job goes on, but would not survive the "
                          "coordinator's end: "
                       << written.message();
}

std::vector<std::pair<Job::Done, absl::Status>> Job::TakeAnswers(bool of_all) {
  const absl::Duration now = Now();
  std::list<Pending> looked_at;
  if (of_all) looked_at.swap(waiting_);
  looked_at.splice(looked_at.end(), fresh_);
  std::vector<std::pair<Done, absl::Status>> answers;
  for (auto it = looked_at.begin(); it != looked_at.end();) {
    std::optional<absl::Status> answer;
    if (it->durable_version <= written_version_) answer = it->answer();
    if (!answer.has_value() && now >= it->deadline) answer = it->late;
    if (!answer.has_value()) {
      ++it;
      continue;
    }
    answers.emplace_back(std::move(it->done), *std::move(answer));
    it = looked_at.erase(it);
  }
  waiting_.splice(waiting_.end(), looked_at);
  return answers;
}

void Job::TellIfMoreMayCome() {
  const Membership::Options& options = options_.membership;
  // Most jobs know how many hosts they have.
  if (options.min_hosts == options.max_hosts) return;
  const int there = NumHostsThere(membership_->Workers());
  if (there == hosts_told_) return;
  hosts_told_ = there;
  if (there < options.min_hosts || there >= options.max_hosts) return;
  CHARRNN_LOG(INFO) << Counted(there, "host") << (there == 1 ? " is" : " are")
                    << " there, which is enough: training waits for more until "
                    << absl::FormatDuration(options.join_window)
                    << " after the last one has come (--join_window)";
}

void Job::TellIfItWaits() {
  if (membership_->job_state() != JobState::kForming) {
    waits_since_.reset();
    return;
  }
  if (membership_->generation() == 0) {
    TellIfMoreMayCome();
    return;
  }
  if (!waits_since_.has_value()) waits_since_ = Now();
  if (Now() - *waits_since_ < kWorthTelling) return;
  waits_since_ = absl::InfiniteDuration();
  CHARRNN_LOG(INFO) << "training waits for "
                    << WhatIsAwaited(membership_->Workers(),
                                     options_.membership.min_hosts);
}

void Job::RecordNews() {
  TellIfItWaits();
  for (const Membership::Generation& generation : membership_->generations()) {
    if (generation.number <= recorded_generation_) continue;
    recorded_generation_ = generation.number;
    if (generation.number > 1 || options_.durable) Tell(generation);
    OnDisk([this, generation] {
      book_->Generation(generation.number, generation.world_size,
                        generation.step, generation.reason);
    });
  }
  const JobState state = membership_->job_state();
  if (!Ended(state) || end_recorded_) return;
  end_recorded_ = true;
  EndReport report;
  for (const auto& worker : membership_->Workers()) {
    report.step = std::max(report.step, worker.step);
  }
  report.step = std::max(report.step, safe_.committed_step);
  report.wall_s = wall_s_;
  report.failed = state != JobState::kFinished;
  report.reason = state == JobState::kFinished ? "finished"
                  : state == JobState::kStopped
                      ? absl::StrCat("stopped at step ", report.step,
                                     " and saved: --resume goes on from there")
                      : membership_->first_error();
  OnDisk([this, report] {
    book_->End(report);
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_told_ = true;
    ++news_of_the_job_;
    arrived_ = true;
    news_.notify_one();
    ended_.notify_all();
  });
}

JobState Job::AwaitEnd(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  // Condition variables add it to the time, which must not overflow.
  constexpr absl::Duration kLongest = absl::Hours(24 * 365 * 10);
  ended_.wait_for(lock, absl::ToChronoMilliseconds(std::min(timeout, kLongest)),
                  [&] { return ended_told_; });
  return ended_told_ ? membership_->job_state() : JobState::kRunning;
}

void Job::AwaitFarewell(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  ended_.wait_for(lock, absl::ToChronoMilliseconds(timeout), [&] {
    for (const Membership::Durable::Host& host :
         membership_->ToDurable().hosts) {
      const bool alive = std::find(host.dead.begin(), host.dead.end(), false) !=
                         host.dead.end();
      if (alive && farewells_.count(host.id) == 0) return false;
    }
    return true;
  });
}

bool Job::WasInterrupted(FileSystem& files, const std::string& run_dir) {
  const auto state = ReadState(files, run_dir);
  // What cannot be read is found out by whoever opens it.
  return !state.ok() || state->has_value();
}

std::string Job::first_error() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return membership_->first_error();
}

bool Job::has_begun() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return !config_json_.empty();
}

void Job::OnDisk(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(disk_mutex_);
    disk_tasks_.push_back(std::move(task));
  }
  disk_work_.notify_one();
}

void Job::Write() {
  std::unique_lock<std::mutex> lock(disk_mutex_);
  while (true) {
    disk_work_.wait(lock,
                    [&] { return disk_stopping_ || !disk_tasks_.empty(); });
    // What was accepted is written, also when the job ends.
    if (disk_tasks_.empty()) return;
    const std::function<void()> task = std::move(disk_tasks_.front());
    disk_tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

void Job::Publish() {
  const Safe safe = {book_->committed_step(),
                     book_->best_step(),
                     book_->Recorded(RecordKind::kTrain),
                     book_->Recorded(RecordKind::kValidation),
                     book_->Recorded(RecordKind::kSample),
                     book_->plan_known()};
  const std::lock_guard<std::mutex> lock(mutex_);
  safe_ = safe;
}

}  // namespace charrnn
