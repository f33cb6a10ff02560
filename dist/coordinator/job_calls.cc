#include <absl/strings/string_view.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/one_line.h"
#include "base/status_macros.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/key_value_store.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/run_book.h"
#include "model/manifest.h"
#include "model/train_observer.h"
#include "model/train_progress.h"

namespace charrnn {
namespace {

WorkerId FromWire(const wire::Worker& worker) {
  return {{worker.host_id(), worker.local_rank()}, worker.incarnation()};
}

void ToWire(const WorkerId& worker, wire::Worker* wire) {
  wire->set_host_id(worker.slot.host_id);
  wire->set_local_rank(worker.slot.local_rank);
  wire->set_incarnation(worker.incarnation);
}

wire::JobState ToWire(JobState state) {
  switch (state) {
    case JobState::kForming:
      return wire::FORMING;
    case JobState::kRunning:
      return wire::RUNNING;
    case JobState::kFinished:
      return wire::FINISHED;
    case JobState::kStopped:
      return wire::STOPPED;
    case JobState::kFailed:
      return wire::FAILED;
    case JobState::kRefused:
      return wire::REFUSED;
  }
  return wire::FAILED;
}

bool Ended(wire::JobState state) {
  return state != wire::FORMING && state != wire::RUNNING;
}

Phase FromWire(wire::Phase phase) {
  switch (phase) {
    case wire::TRAIN:
      return Phase::kTrain;
    case wire::EVALUATE:
      return Phase::kEvaluate;
    case wire::SAVE:
      return Phase::kSave;
    default:
      return Phase::kSetup;
  }
}

wire::Phase ToWire(Phase phase) {
  switch (phase) {
    case Phase::kSetup:
      return wire::SETUP;
    case Phase::kTrain:
      return wire::TRAIN;
    case Phase::kEvaluate:
      return wire::EVALUATE;
    case Phase::kSave:
      return wire::SAVE;
  }
  return wire::SETUP;
}

absl::string_view StateName(Membership::WorkerState state) {
  switch (state) {
    case Membership::WorkerState::kExpected:
      return "expected";
    case Membership::WorkerState::kJoining:
      return "joining";
    case Membership::WorkerState::kMember:
      return "member";
    case Membership::WorkerState::kReturning:
      return "returning";
  }
  return "";
}

bool Ended(JobState state) { return Ended(ToWire(state)); }

// What a request has to record.
absl::Status RecordIn(RunBook& book, const wire::RecordRequest& request) {
  if (request.has_started()) {
    const wire::RunStarted& plan = request.started();
    book.Plan({plan.start_step(), plan.total_steps(), plan.steps_per_epoch(),
               plan.first_report_step()});
  }
  if (request.has_train()) {
    const wire::TrainRecord& train = request.train();
    return book.Train({train.step(), train.epoch(), train.loss(),
                       train.chars_per_s(), train.grad_norm(),
                       train.learning_rate(), train.wall_s()});
  }
  if (request.has_validation()) {
    const wire::ValidationRecord& validation = request.validation();
    return book.Validation({validation.step(), validation.epoch(),
                            validation.loss(), validation.chars(),
                            validation.bytes(), validation.best()});
  }
  if (request.has_sample()) {
    const wire::SampleRecord& sample = request.sample();
    return book.Sample({sample.step(), sample.loss(), sample.text()});
  }
  return absl::OkStatus();
}

// An operation on one key, which never waits.
absl::Status OnKey(const wire::StoreRequest& request, const std::string& key,
                   KeyValueStore& store, wire::StoreResponse* response) {
  switch (request.operation()) {
    case wire::StoreRequest::SET:
      return store.Set(key, request.value());
    case wire::StoreRequest::APPEND:
      return store.Append(key, request.value());
    case wire::StoreRequest::ADD: {
      CHARRNN_ASSIGN_OR_RETURN(const int64_t sum,
                               store.Add(key, request.amount()));
      response->set_number(sum);
      return absl::OkStatus();
    }
    case wire::StoreRequest::COMPARE_SET: {
      CHARRNN_ASSIGN_OR_RETURN(
          const std::string value,
          store.CompareSet(key, request.expected(), request.value()));
      response->add_values(value);
      return absl::OkStatus();
    }
    case wire::StoreRequest::DELETE: {
      CHARRNN_ASSIGN_OR_RETURN(const bool was, store.Delete(key));
      response->set_number(was ? 1 : 0);
      return absl::OkStatus();
    }
    default:
      return absl::InvalidArgumentError("unknown operation");
  }
}

// An operation on several keys: false if one is to be waited for.
absl::StatusOr<bool> OnKeys(const wire::StoreRequest& request,
                            const KeyValueStore& store,
                            wire::StoreResponse* response) {
  const std::vector<std::string> keys(request.keys().begin(),
                                      request.keys().end());
  CHARRNN_ASSIGN_OR_RETURN(const bool all, store.Check(keys));
  if (request.operation() == wire::StoreRequest::CHECK) {
    response->set_number(all ? 1 : 0);
    return true;
  }
  if (!all || request.operation() == wire::StoreRequest::WAIT) return all;
  for (const std::string& key : keys) {
    CHARRNN_ASSIGN_OR_RETURN(const auto value, store.Get(key));
    response->add_values(value.value_or(""));
  }
  return true;
}

}  // namespace

void Job::WatchHost(const wire::WatchHostRequest& request,
                    wire::WatchHostResponse* response, const Done& done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const absl::Status alive = membership_->HostAlive(request.host_id(), Now());
  if (!alive.ok() && !Ended(membership_->job_state())) {
    AnswerDurably(alive, done);
    return;
  }
  // What is filled in last is what is sent, also without news.
  const auto fill = [this, &request, response] {
    // Another process of the coordinator counts from another number.
    const int64_t version = static_cast<int64_t>(boot_ >> 16) +
                            membership_->version() + news_of_the_job_;
    const JobState state = membership_->job_state();
    response->set_version(version);
    response->set_state(Ended(state) && !ended_told_ ? wire::RUNNING
                                                     : ToWire(state));
    response->set_error(membership_->first_error());
    response->set_left(membership_->HasLeft(request.host_id()));
    response->set_step(membership_->step());
    response->set_instruction_set(instruction_set_);
    response->clear_kill();
    for (const WorkerId& worker : membership_->ToKill(request.host_id())) {
      ToWire(worker, response->add_kill());
    }
    return version != request.seen_version();
  };
  Pending pending;
  pending.answer = [this, fill, &request,
                    response]() -> std::optional<absl::Status> {
    if (!fill()) return std::nullopt;
    if (Ended(response->state())) {
      farewells_.insert(request.host_id());
      ended_.notify_all();
    }
    return absl::OkStatus();
  };
  pending.deadline = Now() + options_.poll;
  pending.done = done;
  Wait(std::move(pending));
}

void Job::ReportExit(const wire::ReportExitRequest& request,
                     wire::ReportExitResponse* response, const Done& done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto after = membership_->ReportExit(
      FromWire(request.worker()),
      {request.own_error(), OneLine(request.message())}, Now());
  if (after.ok() && after->has_value()) {
    response->set_respawn(true);
    response->set_after_ms(absl::ToInt64Milliseconds(**after));
  }
  AnswerDurably(
      Ended(membership_->job_state()) ? absl::OkStatus() : after.status(),
      done);
}

void Job::LeaveHost(const wire::LeaveHostRequest& request,
                    wire::LeaveHostResponse* /*response*/, const Done& done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const absl::Status status = membership_->LeaveHost(request.host_id(), Now());
  AnswerDurably(Ended(membership_->job_state()) ? absl::OkStatus() : status,
                done);
}

void Job::Join(const wire::JoinRequest& request, wire::JoinResponse* response,
               const Done& done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const WorkerId worker = FromWire(request.worker());
  // What is agreed upon may change while it waits.
  const auto is_heard = [this, &request] {
    return request.instruction_set() == instruction_set_;
  };
  if (is_heard() && !Ended(membership_->job_state())) {
    const absl::Status joined =
        membership_->Join(worker, {request.synced_generation(), request.step()},
                          request.left_generation(), OneLine(request.reason()),
                          Now(), request.needs_others());
    if (!joined.ok() && !Ended(membership_->job_state())) {
      AnswerDurably(joined, done);
      return;
    }
  }
  Pending pending;
  pending.answer = [this, worker, is_heard,
                    response]() -> std::optional<absl::Status> {
    const JobState state = membership_->job_state();
    response->set_state(ToWire(state));
    if (Ended(state)) {
      response->set_error(membership_->first_error());
      return absl::OkStatus();
    }
    if (!is_heard()) return std::nullopt;
    const auto assignment = membership_->AssignmentOf(worker);
    if (!assignment.ok()) return assignment.status();
    if (!assignment->has_value()) return std::nullopt;
    const Membership::Assignment& given = **assignment;
    if (given.generation > written_generation_) return std::nullopt;
    response->set_generation(given.generation);
    response->set_rank(given.rank);
    response->set_world_size(given.world_size);
    response->set_source_rank(given.source_rank.value_or(-1));
    response->set_committed_step(given.committed_step);
    response->set_boot(boot_);
    return absl::OkStatus();
  };
  pending.durable_version = membership_->durable_version();
  pending.deadline = Now() + options_.poll;
  pending.done = done;
  Wait(std::move(pending));
}

void Job::FillWishes(const WorkerId& worker, int64_t generation,
                     wire::Wishes* wishes) const {
  const Membership::Wishes wanted = membership_->WishesOf(worker, generation);
  wishes->set_over(wanted.over);
  wishes->set_regroup(wanted.regroup);
  wishes->set_stop(wanted.stop);
  wishes->set_state(ToWire(membership_->job_state()));
  wishes->set_error(membership_->first_error());
  wishes->set_committed_step(safe_.committed_step);
  wishes->set_best_step(safe_.best_step);
  wishes->set_train_recorded(safe_.train);
  wishes->set_validation_recorded(safe_.validation);
  wishes->set_sample_recorded(safe_.sample);
  wishes->set_plan_known(safe_.plan_known);
}

void Job::Heartbeat(const wire::HeartbeatRequest& request,
                    wire::HeartbeatResponse* response, const Done& done) {
  absl::Status status;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const WorkerId worker = FromWire(request.worker());
    const int64_t version = membership_->version();
    status = membership_->Heartbeat(worker, request.generation(),
                                    FromWire(request.phase()), request.step(),
                                    absl::Seconds(request.step_s()), Now());
    if (Ended(membership_->job_state())) status = absl::OkStatus();
    FillWishes(worker, request.generation(), response->mutable_wishes());
    if (status.ok() && request.step() > shown_step_) {
      shown_step_ = request.step();
      const StepReport report = {request.step(), request.epoch(),
                                 request.step_loss(), request.targets()};
      OnDisk([this, report] { book_->Step(report); });
    }
    if (membership_->version() != version) news_.notify_one();
  }
  done(status);
}

absl::StatusOr<bool> Job::StoreOnce(const wire::StoreRequest& request,
                                    wire::StoreResponse* response) {
  if (request.boot() != boot_) {
    return absl::AbortedError("the coordinator was restarted meanwhile");
  }
  CHARRNN_RETURN_IF_ERROR(membership_->CheckMember(FromWire(request.worker()),
                                                   request.generation()));
  if (store_generation_ != request.generation()) {
    store_generation_ = request.generation();
    store_.Clear();
  }
  switch (request.operation()) {
    case wire::StoreRequest::GET:
    case wire::StoreRequest::CHECK:
    case wire::StoreRequest::WAIT:
      return OnKeys(request, store_, response);
    case wire::StoreRequest::NUM_KEYS:
      if (request.keys_size() > 0) {
        return absl::InvalidArgumentError("the operation is on no key");
      }
      response->set_number(store_.num_keys());
      return true;
    default:
      break;
  }
  if (request.keys_size() != 1) {
    return absl::InvalidArgumentError("the operation is on one key");
  }
  CHARRNN_RETURN_IF_ERROR(OnKey(request, request.keys(0), store_, response));
  return true;
}

void Job::Store(const wire::StoreRequest& request,
                wire::StoreResponse* response, const Done& done) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto once = StoreOnce(request, response);
  if (!once.ok() || *once) {
    arrived_ = true;  // others may wait for what was set
    news_.notify_one();
    lock.unlock();
    done(once.status());
    return;
  }
  Pending pending;
  pending.answer = [this, &request, response]() -> std::optional<absl::Status> {
    const auto again = StoreOnce(request, response);
    if (again.ok() && !*again) return std::nullopt;
    return again.status();
  };
  pending.deadline = Now() + absl::Milliseconds(request.timeout_ms());
  pending.late = absl::DeadlineExceededError(
      absl::StrCat("waited for the key '", request.keys(0), "'"));
  pending.done = done;
  Wait(std::move(pending));
}

void Job::Record(const wire::RecordRequest& request,
                 wire::RecordResponse* response, const Done& done) {
  absl::Status member;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    member = membership_->CheckMember(FromWire(request.worker()),
                                      request.generation());
    if (member.ok() && request.has_train()) {
      wall_s_ = request.train().wall_s();
    }
  }
  if (!member.ok()) {
    done(member);
    return;
  }
  OnDisk([this, &request, response, done] {
    const absl::Status status = RecordIn(*book_, request);
    const RecordSizes sizes = book_->SizesAsOf(request.sizes_as_of());
    response->set_metrics_bytes(sizes.metrics);
    response->set_samples_bytes(sizes.samples);
    if (status.ok()) Publish();
    done(status);
  });
}

void Job::PutCheckpoint(const wire::Worker& worker, int64_t generation,
                        int64_t step, std::vector<CheckpointFile> files,
                        const Done& done) {
  const WorkerId id = FromWire(worker);
  const auto is_member = [this, id, generation] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return membership_->CheckMember(id, generation);
  };
  OnDisk([this, is_member, step, files = std::move(files), done] {
    absl::Status status = is_member();
    if (status.ok()) status = book_->Save(step, files, is_member);
    if (status.ok()) {
      Publish();
      const std::lock_guard<std::mutex> lock(mutex_);
      membership_->Committed(book_->committed_step());
    }
    done(status);
  });
}

void Job::GetCheckpoint(int64_t step, std::vector<CheckpointFile>* files,
                        const Done& done) {
  OnDisk([this, step, files, done] {
    auto read = book_->Read(step);
    const absl::Status status = read.status();
    if (status.ok()) *files = *std::move(read);
    done(status);
  });
}

void Job::Finish(const wire::FinishRequest& request,
                 wire::FinishResponse* /*response*/, const Done& done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const JobState how = request.how() == wire::FINISHED  ? JobState::kFinished
                       : request.how() == wire::STOPPED ? JobState::kStopped
                       : request.how() == wire::REFUSED ? JobState::kRefused
                                                        : JobState::kFailed;
  if (request.wall_s() > 0) wall_s_ = request.wall_s();
  const absl::Status status =
      membership_->Finish(FromWire(request.worker()), request.generation(), how,
                          OneLine(request.message()), Now());
  AnswerDurably(Ended(membership_->job_state()) ? absl::OkStatus() : status,
                done);
}

void Job::GetStatus(const wire::GetStatusRequest& /*request*/,
                    wire::GetStatusResponse* response, const Done& done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    response->set_state(ToWire(membership_->job_state()));
    response->set_error(membership_->first_error());
    response->set_run_dir(options_.run_dir);
    response->set_generation(membership_->generation());
    response->set_min_hosts(options_.membership.min_hosts);
    response->set_max_hosts(options_.membership.max_hosts);
    response->set_committed_step(safe_.committed_step);
    response->set_best_step(safe_.best_step);
    for (const Membership::WorkerView& view : membership_->Workers()) {
      wire::GetStatusResponse::Member* member = response->add_members();
      ToWire(view.id, member->mutable_worker());
      member->set_host_name(view.host_name);
      member->set_state(std::string(StateName(view.state)));
      member->set_rank(view.rank);
      member->set_phase(ToWire(view.phase));
      member->set_step(view.step);
      member->set_step_s(absl::ToDoubleSeconds(view.step_time));
    }
    for (const auto& generation : membership_->generations()) {
      wire::GetStatusResponse::Generation* out = response->add_generations();
      out->set_number(generation.number);
      out->set_world_size(generation.world_size);
      out->set_step(generation.step);
      out->set_reason(generation.reason);
    }
  }
  done(absl::OkStatus());
}

void Job::Stop(const wire::StopRequest& /*request*/,
               wire::StopResponse* /*response*/, const Done& done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  membership_->RequestStop(Now());
  AnswerDurably(absl::OkStatus(), done);
}

}  // namespace charrnn
