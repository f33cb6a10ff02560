#ifndef CHARRNN_DIST_WORKER_SESSION_H_
#define CHARRNN_DIST_WORKER_SESSION_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "model/train_observer.h"

namespace charrnn {

// A worker's standing with the coordinator: joins generations, and between
// calls shows on a thread of its own that it lives, and what is wished of it.
// The coordinator may be away for a while at any time. Thread-safe, but for
// Join.
class WorkerSession {
 public:
  struct Options {
    wire::Worker worker;
    std::string instruction_set;  // that it computes with
    absl::Duration heartbeat = absl::Seconds(0.5);
    // After so long without the coordinator a worker that waits for it, and has
    // nothing else to do, gives up.
    absl::Duration longest_absence = absl::Minutes(10);
  };

  // Nothing is owned, everything outlives the session.
  WorkerSession(CoordinatorClient* client, Clock* clock,
                const Options& options);
  ~WorkerSession();
  WorkerSession(const WorkerSession&) = delete;
  WorkerSession& operator=(const WorkerSession&) = delete;

  CoordinatorClient& client() { return *client_; }
  const wire::Worker& worker() const { return options_.worker; }

  // Leaves the generation that it is in, if any, because of `reason`, and
  // waits for the next. `synced_generation` and `step` tell how new its state
  // is; `needs_others`, that it lacks text which others have read. Possible
  // errors: Cancelled if the job has ended (see end()); Aborted if
  // this process counts as dead, or its host has left; Unavailable if the
  // coordinator has been away for too long; those of CoordinatorClient that no
  // repeating mends.
  absl::StatusOr<wire::JoinResponse> Join(int64_t synced_generation,
                                          int64_t step,
                                          const std::string& reason,
                                          bool needs_others = false);

  // What the coordinator is told of this worker from here on.
  void SetPhase(wire::Phase phase);
  void SetStep(const StepReport& report, absl::Duration step_time);

  // What was last heard from the coordinator.
  wire::Wishes wishes();

  // Calls `f` once, on a thread of the session's, when it hears that the
  // generation that was joined last is over; at once if that is known. `f` must
  // not call the session, nor take long. Null takes it back, and it is certain
  // not to be called any more. Returns whether it was still to be called.
  bool WhenOver(std::function<void()> f);

  // Blocks until something else than `seen` has been heard, or the timeout has
  // passed.
  wire::Wishes AwaitNews(const wire::Wishes& seen, absl::Duration timeout);

  // Repeats itself until it is answered. `how` is of the whole job.
  absl::Status Finish(wire::JobState how, int64_t step, double wall_s,
                      const std::string& message);

  // OK as long as it is of use to wait for the coordinator. Aborted and
  // Unavailable as Join's.
  absl::Status CheckAlive();

  // Blocks until the job has ended, or else the generation is over.
  // OK: look at wishes(). Other errors as Join's.
  absl::Status AwaitEnd();

  int64_t generation();

 private:
  void Beat();  // the thread's body
  void Heard(const wire::Wishes& wishes);
  void TellIfOver();
  // The error of a call, if it is one that ends this worker.
  absl::Status EndOf(const absl::Status& error);

  CoordinatorClient* const client_;
  Clock* const clock_;
  const Options options_;

  std::mutex mutex_;
  std::condition_variable news_;
  // All guarded by mutex_.
  wire::HeartbeatRequest beat_;
  wire::Wishes wishes_;
  absl::Status dead_;  // why this process counts as dead
  absl::Duration heard_;
  std::function<void()> when_over_;
  bool beat_now_ = false;
  bool stopping_ = false;

  std::thread beating_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_WORKER_SESSION_H_
