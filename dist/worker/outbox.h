#ifndef CHARRNN_DIST_WORKER_OUTBOX_H_
#define CHARRNN_DIST_WORKER_OUTBOX_H_

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/probe.h"
#include "dist/worker/session.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/train_observer.h"

namespace charrnn {

// What a worker has for the run's folder, which is the coordinator's: records
// and checkpoints. All workers make the same ones and keep them until the
// coordinator says that they are safe, whoever sent them; one of them, the
// uploader, sends. So nothing is lost unless all workers are.
//
// Training never waits for it: where checkpoints that wait would take too much
// memory, newer ones take the place of older ones, but for the best.
//
// The observer's and the store's calls come from the trainer; the others from
// the thread that owns the outbox.
class Outbox : public TrainObserver, public CheckpointStore {
 public:
  // Nothing is owned, everything outlives the outbox.
  // Checkpoints that wait take `max_waiting_bytes`, but the best and the newest
  // always may.
  Outbox(WorkerSession* session, Clock* clock, Probe probe = nullptr,
         int64_t max_waiting_bytes = 256 << 20);
  ~Outbox() override;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // From here on this worker is a member of `generation`, and its uploader or
  // not.
  void Enter(int64_t generation, bool uploader);

  // Waits until all that is kept is safe. Unavailable if the generation ends
  // before; ResourceExhausted if the coordinator could not save it for
  // `patience`; those of WorkerSession::CheckAlive().
  absl::Status Flush(absl::Duration patience);

  void OnStart(const RunPlan& plan) override;
  void OnStep(const StepReport& report) override;
  void OnTrain(const TrainReport& report) override;
  void OnValidation(const ValidationReport& report) override;
  void OnSample(const SampleReport& report) override;

  // Takes the checkpoint, and promises nothing else.
  absl::StatusOr<std::string> Save(const Checkpoint& checkpoint) override;

 private:
  struct Item {
    int64_t step = 0;
    wire::RecordRequest record;
    std::unique_ptr<Checkpoint> checkpoint;  // instead of a record
    bool sending = false;
  };

  void Add(int64_t step, wire::RecordRequest record);
  void Send();  // the thread's body
  // Drops what the coordinator has. Under mutex_.
  void DropSafe(const wire::Wishes& wishes);
  absl::Status SendItem(Item& item, int64_t generation);

  WorkerSession* const session_;
  Clock* const clock_;
  const Probe probe_;
  const int64_t max_waiting_bytes_;

  std::mutex mutex_;
  std::condition_variable news_;
  // All guarded by mutex_.
  std::list<Item> items_;  // in the order in which they were made
  std::optional<wire::RecordRequest> plan_;
  bool plan_sent_ = false;
  absl::Duration plan_sent_at_;
  int64_t generation_ = 0;
  bool uploader_ = false;
  bool over_ = true;           // what it is a member of, or nothing yet
  absl::Status refused_;       // by the coordinator's disk, last time
  absl::Duration refused_at_;  // when that began
  bool stopping_ = false;
  absl::Duration last_step_;  // when

  std::thread sending_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_WORKER_OUTBOX_H_
