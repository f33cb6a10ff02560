#include "dist/worker/worker.h"

#include <c10/util/intrusive_ptr.h>

#include <algorithm>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "data/corpus_error.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/collective/coordinator_store.h"
#include "dist/collective/invariant_reducer.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/data_parallel/overlap_reducer.h"
#include "dist/probe.h"
#include "dist/worker/session.h"
#include "dist/worker/state_sync.h"
#include "model/checkpoint.h"
#include "model/gradient_reducer.h"
#include "model/manifest.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/training_plan.h"

namespace charrnn {
namespace {

// A checkpoint on its way from the coordinator, of a large model.
constexpr absl::Duration kDownloadTimeout = absl::Minutes(10);

// For so long a host that holds only some of the text waits for those who have
// read the rest, once they are gone.
constexpr absl::Duration kReplacement = absl::Minutes(1);

// Lets `collective` go as soon as its generation is over, on a thread of its
// own: it may take long, and the session has to show that this worker lives.
class AbortWhenOver {
 public:
  AbortWhenOver(WorkerSession* session, Collective* collective)
      : session_(session), aborting_([this, collective] {
          if (over_.get_future().get()) collective->Abort();
        }) {
    session_->WhenOver([this] { over_.set_value(true); });
  }
  ~AbortWhenOver() {
    if (session_->WhenOver(nullptr)) over_.set_value(false);
    aborting_.join();
  }
  AbortWhenOver(const AbortWhenOver&) = delete;
  AbortWhenOver& operator=(const AbortWhenOver&) = delete;

 private:
  WorkerSession* const session_;
  std::promise<bool> over_;
  std::thread aborting_;
};

}  // namespace

Worker::Worker(const Options& options, const TrainingPlan& plan,
               const Parts& parts, WorkerSession* session)
    : options_(options),
      plan_(plan),
      parts_(parts),
      session_(session),
      outbox_(session, parts.clock, options.probe) {}

absl::Status Worker::Run() {
  std::string reason;
  while (true) {
    CHARRNN_RETURN_IF_ERROR(CallProbe(options_.probe, "as it joins"));
    const int64_t step = state_.has_value() ? state_->progress.step : 0;
    const auto joined =
        session_->Join(synced_generation_, step, reason, needs_others_);
    needs_others_ = false;
    if (absl::IsCancelled(joined.status())) return absl::OkStatus();
    CHARRNN_RETURN_IF_ERROR(joined.status());
    absl::Status left = RunGeneration(*joined);
    if (left.ok()) return absl::OkStatus();
    if (!absl::IsUnavailable(left) && !absl::IsAborted(left)) return left;
    reason = std::string(left.message());
  }
}

absl::Status Worker::RunGeneration(const wire::JoinResponse& joined) {
  CHARRNN_RETURN_IF_ERROR(CallProbe(options_.probe, "as a group forms"));
  Collective::Options group;
  group.rank = joined.rank();
  group.world_size = joined.world_size();
  group.device = options_.device;
  group.backend = options_.backend;
  group.address = options_.address;
  group.timeout = options_.collective_timeout;
  CHARRNN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Collective> collective,
      Collective::Create(c10::make_intrusive<CoordinatorStore>(
                             &session_->client(), session_->worker(),
                             joined.generation(), joined.boot()),
                         group));
  const AbortWhenOver abort_when_over(session_, collective.get());
  CHARRNN_RETURN_IF_ERROR(Sync(joined, *collective));
  synced_generation_ = joined.generation();
  return Train(joined, *collective);
}

absl::Status Worker::Sync(const wire::JoinResponse& joined,
                          Collective& collective) {
  absl::Status error;
  int source = joined.source_rank();
  if (source < 0) {
    source = 0;
    // Without a checkpoint each draws the same weights, and need not be sent
    // them; what only one of them can do is no error yet.
    const bool is_source = joined.rank() == source;
    if (is_source || joined.committed_step() == 0) {
      absl::StatusOr<TrainState> newest =
          joined.committed_step() > 0
              ? NewestCheckpoint(joined.committed_step())
              : parts_.initial_state();
      if (newest.ok()) {
        state_ = *std::move(newest);
      } else if (is_source) {
        error = newest.status();
      }
    }
    collective.AllowFor(kDownloadTimeout);
  }
  return SyncState(collective, source, options_.device, error, state_,
                   options_.probe);
}

absl::StatusOr<TrainState> Worker::NewestCheckpoint(int64_t step) {
  CHARRNN_ASSIGN_OR_RETURN(
      const std::vector<CheckpointFile> files,
      session_->client().GetCheckpoint(step, kDownloadTimeout));
  CHARRNN_ASSIGN_OR_RETURN(
      const Checkpoint checkpoint,
      DecodeCheckpoint(
          [&](const std::string& name) -> absl::StatusOr<std::string> {
            for (const CheckpointFile& file : files) {
              if (file.name == name) return file.bytes;
            }
            return absl::DataLossError(absl::StrCat(name, ": it is missing"));
          }));
  return TrainState::FromCheckpoint(checkpoint, options_.device);
}

Wish Worker::LocalWish() {
  const wire::Wishes wishes = session_->wishes();
  if (wishes.stop()) return Wish::kStop;
  return wishes.regroup() || wishes.over() ? Wish::kYield : Wish::kNone;
}

std::unique_ptr<GradientReducer> Worker::MakeReducer(Collective& collective,
                                                     Agreement& agreement) {
  if (options_.overlap) {
    return std::make_unique<OverlapReducer>(&collective, &agreement,
                                            options_.probe);
  }
  return std::make_unique<InvariantReducer>(&collective, parts_.pool,
                                            &agreement, options_.probe);
}

absl::Status Worker::Train(const wire::JoinResponse& joined,
                           Collective& collective) {
  const bool uploader = joined.rank() == std::max(0, joined.source_rank());
  outbox_.Enter(joined.generation(), uploader);
  session_->SetPhase(wire::TRAIN);
  Agreement agreement(&collective, parts_.clock,
                      [this] { return LocalWish(); });
  const std::unique_ptr<GradientReducer> reducer =
      MakeReducer(collective, agreement);
  Trainer::Options options = options_.trainer;
  options.saved_step = joined.committed_step();
  Trainer trainer(options, plan_,
                  {parts_.corpus, parts_.pool, reducer.get(), &outbox_,
                   &outbox_, parts_.clock, [&] { return agreement.wish(); }},
                  &*state_);
  const int64_t begin = state_->progress.step;
  absl::Status status = trainer.Run();
  if (state_->progress.step > begin) {
    has_trained_ = true;
    lacks_text_since_.reset();
  }
  if (status.ok()) return End(wire::FINISHED, uploader);
  if (absl::IsCancelled(status)) return End(wire::STOPPED, uploader);
  if (IsCorpusError(status)) {
    return absl::IsNotFound(status) ? AwaitOthers(status)
                                    : Fail(wire::REFUSED, status);
  }
  // The sums are the same everywhere, and so is their error.
  if (absl::IsDataLoss(status)) return Fail(wire::FAILED, status);
  return status;
}

absl::Status Worker::Fail(wire::JobState how, const absl::Status& error) {
  return session_->Finish(how, state_->progress.step, state_->progress.wall_s,
                          std::string(error.message()));
}

absl::Status Worker::AwaitOthers(const absl::Status& lacks) {
  const absl::Duration now = parts_.clock->Elapsed();
  if (!lacks_text_since_.has_value()) lacks_text_since_ = now;
  if (!has_trained_ || now - *lacks_text_since_ > kReplacement) {
    return Fail(wire::REFUSED, lacks);
  }
  // Before the others, who wait for this one, give it up.
  const absl::Duration end = now + options_.collective_timeout / 2;
  wire::Wishes wishes = session_->wishes();
  for (absl::Duration left = end - now;
       LocalWish() == Wish::kNone && left > absl::ZeroDuration();
       left = end - parts_.clock->Elapsed()) {
    wishes = session_->AwaitNews(wishes, left);
  }
  needs_others_ = true;
  return absl::UnavailableError(lacks.message());
}

absl::Status Worker::End(wire::JobState how, bool uploader) {
  session_->SetPhase(wire::SAVE);
  if (uploader) {
    const absl::Status flushed = outbox_.Flush(options_.save_patience);
    if (absl::IsResourceExhausted(flushed)) how = wire::FAILED;
    if (flushed.ok() || how == wire::FAILED) {
      CHARRNN_RETURN_IF_ERROR(session_->Finish(how, state_->progress.step,
                                               state_->progress.wall_s,
                                               std::string(flushed.message())));
    }
  }
  CHARRNN_RETURN_IF_ERROR(session_->AwaitEnd());
  if (HasEnded(session_->wishes().state())) return absl::OkStatus();
  return absl::UnavailableError("the generation ended before the job");
}

}  // namespace charrnn
