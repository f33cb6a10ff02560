#ifndef CHARRNN_DIST_WORKER_WORKER_H_
#define CHARRNN_DIST_WORKER_WORKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "data/corpus.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/probe.h"
#include "dist/worker/outbox.h"
#include "dist/worker/session.h"
#include "model/gradient_reducer.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/training_plan.h"

namespace charrnn {

// One of the processes that train together: joins a generation, takes the
// newest state, trains until something happens, and joins the next; until the
// job has ended. dist/PROTOCOL.md tells the rules.
class Worker {
 public:
  struct Options {
    Trainer::Options trainer;
    std::string device = "cpu";
    std::string backend;   // Collective's
    bool overlap = false;  // OverlapReducer, or else InvariantReducer
    std::string address;   // this host's, as the other workers reach it
    absl::Duration collective_timeout = absl::Seconds(10);
    // How long a checkpoint that a run ends with is offered to a coordinator
    // that cannot save it.
    absl::Duration save_patience = absl::Minutes(10);
    Probe probe;
  };

  // What the worker works with; nothing is owned, everything outlives it.
  struct Parts {
    const Corpus* corpus = nullptr;
    ThreadPool* pool = nullptr;
    CoordinatorClient* client = nullptr;
    Clock* clock = nullptr;
    // The state of a run that has no checkpoint yet.
    std::function<absl::StatusOr<TrainState>()> initial_state;
  };

  Worker(const Options& options, const TrainingPlan& plan, const Parts& parts,
         WorkerSession* session);

  // Trains until the job has ended, however that is: its end is for the
  // supervisor to tell. Possible errors: this worker's own, such as those of
  // the trainer; Aborted if this process counts as dead, or its host has left;
  // Unavailable if the coordinator has been away for too long.
  absl::Status Run();

 private:
  // From joining a generation to leaving it. Unavailable or Aborted: there is a
  // next one, for the reason that is told. OK: look at how the job stands.
  absl::Status RunGeneration(const wire::JoinResponse& joined);
  absl::Status Sync(const wire::JoinResponse& joined, Collective& collective);
  absl::StatusOr<TrainState> NewestCheckpoint(int64_t step);
  absl::Status Train(const wire::JoinResponse& joined, Collective& collective);
  std::unique_ptr<GradientReducer> MakeReducer(Collective& collective,
                                               Agreement& agreement);
  // Ends the job, for all.
  absl::Status Fail(wire::JobState how, const absl::Status& error);
  // This host lacks what it is to read in this generation, as `lacks` tells. If
  // that is so because others are gone, their replacement makes it pass:
  // returns Unavailable once there is one, or after a while. Else, or if nobody
  // comes, ends the job.
  absl::Status AwaitOthers(const absl::Status& lacks);
  // After the trainer's end: sees to it that what this worker has made is safe,
  // and that all know. OK once the job has ended.
  absl::Status End(wire::JobState how, bool uploader);
  Wish LocalWish();

  const Options options_;
  const TrainingPlan plan_;
  const Parts parts_;
  WorkerSession* const session_;
  Outbox outbox_;

  std::optional<TrainState> state_;
  int64_t synced_generation_ = 0;
  bool has_trained_ = false;   // a step of this job
  bool needs_others_ = false;  // as it joins: see AwaitOthers()
  std::optional<absl::Duration> lacks_text_since_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_WORKER_WORKER_H_
