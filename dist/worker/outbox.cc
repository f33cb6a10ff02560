#include "dist/worker/outbox.h"

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
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
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/probe.h"
#include "dist/worker/session.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/manifest.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

constexpr absl::Duration kRetry = absl::Milliseconds(250);

// A disk that is full stays so for a while.
constexpr absl::Duration kRetryDisk = absl::Seconds(5);

constexpr absl::Duration kRecordTimeout = absl::Seconds(10);

// A large model over a slow network onto a slow disk.
constexpr absl::Duration kUploadTimeout = absl::Minutes(10);

// After which a coordinator that has got the plan says so with each heartbeat.
constexpr absl::Duration kPlanTold = absl::Seconds(5);

int64_t NumValues(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size());
}

// How many checkpoints may wait, beside the one that is being sent, before
// older ones give way: the best and the newest always may.
int64_t MaxWaiting(const Checkpoint& checkpoint, int64_t max_bytes) {
  constexpr int64_t kBestAndNewest = 2;
  return std::max(
      kBestAndNewest,
      max_bytes / CheckpointBytes(NumValues(checkpoint.model.parameters),
                                  NumValues(checkpoint.streams.hidden) +
                                      NumValues(checkpoint.streams.cell)));
}

// How often what others have sent is looked at.
constexpr absl::Duration kLook = absl::Milliseconds(500);

}  // namespace

Outbox::Outbox(WorkerSession* session, Clock* clock, Probe probe,
               int64_t max_waiting_bytes)
    : session_(session),
      clock_(clock),
      probe_(std::move(probe)),
      max_waiting_bytes_(max_waiting_bytes),
      last_step_(clock->Elapsed()) {
  sending_ = std::thread([this] { Send(); });
}

Outbox::~Outbox() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  // A call that is under way is not waited for.
  session_->client().Cancel();
  sending_.join();
}

void Outbox::Enter(int64_t generation, bool uploader) {
  const std::lock_guard<std::mutex> lock(mutex_);
  generation_ = generation;
  uploader_ = uploader;
  over_ = false;
  // It is the uploader's affair.
  if (!uploader) refused_ = absl::OkStatus();
  last_step_ = clock_->Elapsed();
  news_.notify_all();
}

void Outbox::OnStart(const RunPlan& plan) {
  wire::RecordRequest record;
  wire::RunStarted& started = *record.mutable_started();
  started.set_start_step(plan.start_step);
  started.set_total_steps(plan.total_steps);
  started.set_steps_per_epoch(plan.steps_per_epoch);
  started.set_first_report_step(plan.first_report_step);
  const std::lock_guard<std::mutex> lock(mutex_);
  plan_ = std::move(record);
  plan_sent_ = false;
  news_.notify_all();
}

void Outbox::OnStep(const StepReport& report) {
  absl::Duration step_time;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const absl::Duration now = clock_->Elapsed();
    step_time = now - last_step_;
    last_step_ = now;
  }
  session_->SetStep(report, step_time);
}

void Outbox::OnTrain(const TrainReport& report) {
  wire::RecordRequest record;
  wire::TrainRecord& train = *record.mutable_train();
  train.set_step(report.step);
  train.set_epoch(report.epoch);
  train.set_loss(report.loss);
  train.set_chars_per_s(report.chars_per_s);
  train.set_grad_norm(report.grad_norm);
  train.set_learning_rate(report.learning_rate);
  train.set_wall_s(report.wall_s);
  Add(report.step, std::move(record));
}

void Outbox::OnValidation(const ValidationReport& report) {
  wire::RecordRequest record;
  wire::ValidationRecord& validation = *record.mutable_validation();
  validation.set_step(report.step);
  validation.set_epoch(report.epoch);
  validation.set_loss(report.loss);
  validation.set_chars(report.chars);
  validation.set_bytes(report.bytes);
  validation.set_best(report.best);
  Add(report.step, std::move(record));
}

void Outbox::OnSample(const SampleReport& report) {
  wire::RecordRequest record;
  wire::SampleRecord& sample = *record.mutable_sample();
  sample.set_step(report.step);
  sample.set_loss(report.loss);
  sample.set_text(report.text);
  Add(report.step, std::move(record));
}

void Outbox::Add(int64_t step, wire::RecordRequest record) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Item item;
  item.step = step;
  item.record = std::move(record);
  items_.push_back(std::move(item));
  news_.notify_all();
}

absl::StatusOr<std::string> Outbox::Save(const Checkpoint& checkpoint) {
  Item item;
  item.step = checkpoint.progress.step;
  item.checkpoint = std::make_unique<Checkpoint>(checkpoint);
  const auto is_best = [&](const Item& other) {
    return other.step == checkpoint.progress.best_step;
  };
  const auto waits = [](const Item& other) {
    return other.checkpoint != nullptr && !other.sending;
  };
  const std::lock_guard<std::mutex> lock(mutex_);
  // Those that may wait beside this one and the best.
  int64_t others =
      MaxWaiting(checkpoint, max_waiting_bytes_) - 1 -
      std::count_if(items_.begin(), items_.end(), [&](const Item& other) {
        return waits(other) && is_best(other);
      });
  bool gave_way = false;
  for (auto it = items_.end(); it != items_.begin();) {
    --it;
    if (!waits(*it) || is_best(*it) || others-- > 0) continue;
    CHARRNN_LOG(WARNING) << "the checkpoint of step " << it->step
                         << " gave way to newer ones: the coordinator has not "
                            "taken it in time";
    it = items_.erase(it);
    gave_way = true;
  }
  // Records that wait lie between the holes that checkpoints leave, too narrow
  // for the next one: the heap would grow with each of them.
  if (gave_way) malloc_trim(0);
  items_.push_back(std::move(item));
  news_.notify_all();
  return absl::StrCat("step ", checkpoint.progress.step);
}

void Outbox::DropSafe(const wire::Wishes& wishes) {
  for (auto it = items_.begin(); it != items_.end();) {
    const int64_t safe = it->checkpoint != nullptr ? wishes.committed_step()
                         : it->record.has_train()  ? wishes.train_recorded()
                         : it->record.has_validation()
                             ? wishes.validation_recorded()
                             : wishes.sample_recorded();
    it = it->step <= safe && !it->sending ? items_.erase(it) : std::next(it);
  }
}

absl::Status Outbox::SendItem(Item& item, int64_t generation) {
  wire::RecordRequest record = item.record;
  *record.mutable_worker() = session_->worker();
  record.set_generation(generation);
  record.set_sizes_as_of(item.step);
  const auto sizes = session_->client().Record(record, kRecordTimeout);
  CHARRNN_RETURN_IF_ERROR(sizes.status());
  if (item.checkpoint == nullptr) return absl::OkStatus();
  item.checkpoint->progress.records = {sizes->metrics_bytes(),
                                       sizes->samples_bytes()};
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<CheckpointFile> files,
                           EncodeCheckpoint(*item.checkpoint));
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "in an upload, before its commit"));
  CHARRNN_RETURN_IF_ERROR(session_->client().PutCheckpoint(
      session_->worker(), generation, item.step, files, kUploadTimeout));
  return CallProbe(probe_, "in an upload, after its commit");
}

void Outbox::Send() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const wire::Wishes wishes = session_->wishes();
    lock.lock();
    DropSafe(wishes);
    if (!wishes.plan_known() && clock_->Elapsed() - plan_sent_at_ > kPlanTold) {
      plan_sent_ = false;  // it was sent to a process that is no more
    }
    const bool sends_plan = plan_.has_value() && !plan_sent_;
    const bool can_send = uploader_ && !over_;
    if (!can_send || (items_.empty() && !sends_plan)) {
      news_.notify_all();  // a Flush
      news_.wait_for(lock, absl::ToChronoMilliseconds(kLook));
      continue;
    }
    Item plan;
    Item* item = &plan;
    if (sends_plan) {
      plan.record = *plan_;
    } else {
      item = &items_.front();
    }
    item->sending = true;
    const int64_t generation = generation_;
    lock.unlock();
    const absl::Status sent = SendItem(*item, generation);
    lock.lock();
    item->sending = false;
    if (sent.ok()) {
      if (item == &plan) {
        plan_sent_ = true;
        plan_sent_at_ = clock_->Elapsed();
      } else {
        items_.pop_front();
      }
      refused_ = absl::OkStatus();
      continue;
    }
    if (absl::IsAborted(sent)) {
      // Its generation is over; the next uploader goes on.
      if (generation == generation_) over_ = true;
      continue;
    }
    const bool away =
        absl::IsUnavailable(sent) || absl::IsDeadlineExceeded(sent);
    if (!away && refused_.ok()) {
      refused_ = sent;
      refused_at_ = clock_->Elapsed();
      CHARRNN_LOG(WARNING) << "the coordinator could not keep step "
                           << item->step
                           << ", and will be asked again: " << sent.message();
    }
    news_.wait_for(lock, absl::ToChronoMilliseconds(away ? kRetry : kRetryDisk),
                   [&] { return stopping_ || generation != generation_; });
  }
}

absl::Status Outbox::Flush(absl::Duration patience) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!items_.empty()) {
    if (uploader_ && over_) {
      return absl::UnavailableError("the generation ended during an upload");
    }
    if (!refused_.ok() && clock_->Elapsed() - refused_at_ > patience) {
      return absl::ResourceExhaustedError(refused_.message());
    }
    lock.unlock();
    const absl::Status alive = session_->CheckAlive();
    const wire::Wishes wishes = session_->wishes();
    lock.lock();
    CHARRNN_RETURN_IF_ERROR(alive);
    if (wishes.over() || HasEnded(wishes.state())) {
      return absl::UnavailableError("the generation ended during an upload");
    }
    news_.wait_for(lock, absl::ToChronoMilliseconds(kLook));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
