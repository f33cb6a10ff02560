#ifndef CHARRNN_DIST_COORDINATOR_RUN_BOOK_H_
#define CHARRNN_DIST_COORDINATOR_RUN_BOOK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "dist/coordinator/record_index.h"
#include "model/checkpoint_store.h"
#include "model/manifest.h"
#include "model/metrics/run_output.h"
#include "model/train_observer.h"
#include "model/train_progress.h"

namespace charrnn {

// A distributed run's folder, in which the coordinator alone writes: its
// config.json, its checkpoints and its records, each record once.
//
// Not thread-safe, and slow as disks are.
class RunBook {
 public:
  // How a folder is opened.
  enum class Session {
    kNew,   // a run that begins, or goes on from its newest checkpoint
    kSame,  // whose coordinator was interrupted: its workers may be further
  };

  // Opens the folder `run_dir`, which nobody else writes in, and puts it in
  // order. Nothing is owned. Possible errors: those of
  // LocalCheckpointStore::Find; InvalidArgument for a config.json that makes no
  // sense.
  static absl::StatusOr<std::unique_ptr<RunBook>> Open(
      FileSystem* files, Clock* clock, const std::string& run_dir,
      Session session);

  const std::string& run_dir() const { return run_dir_; }

  // The run's config.json; empty: Begin() is still to come.
  const std::string& config_json() const { return config_json_; }

  // How many workers a run of this configuration could have. InvalidArgument if
  // it is none.
  static absl::StatusOr<int> MaxWorkers(const std::string& config_json);

  // Makes it the run's configuration, in place of an earlier one if nothing was
  // recorded yet. InvalidArgument if it is none. After any error the same again
  // tries again.
  absl::Status Begin(const std::string& config_json);

  // How many workers the run can have: each computes a grain at least. 1 until
  // there is a configuration.
  int max_workers() const { return max_workers_; }

  // Of the newest checkpoint that is committed, and of the best; 0: none.
  int64_t committed_step() const { return committed_step_; }
  int64_t best_step() const { return best_step_; }

  // The step up to which there are records of a kind, all of them written.
  int64_t Recorded(RecordKind kind) const;

  // Records; what is there already is dropped. ResourceExhausted and others of
  // the file system if it cannot be written yet: the same again tries again.
  // FailedPrecondition, here and in Save(), before Begin().
  absl::Status Train(const TrainReport& report);
  absl::Status Validation(const ValidationReport& report);
  absl::Status Sample(const SampleReport& report);

  bool plan_known() const { return total_steps_ > 0; }

  // What is only shown to a person; a plan or step that is known is dropped.
  void Plan(const RunPlan& plan);
  void Step(const StepReport& report);

  // The lengths of the records as a checkpoint of `step` is to name them.
  RecordSizes SizesAsOf(int64_t step) const { return index_.SizesAsOf(step); }

  // A line of metrics.jsonl on a generation that has formed.
  void Generation(int64_t generation, int world_size, int64_t step,
                  absl::string_view reason);

  // How the run ended.
  void End(const EndReport& report);

  // Commits the checkpoint that consists of `files` if `confirm` agrees once
  // all of it is on the disk. One that is committed already, or older than the
  // newest, stays as it is. Possible errors: DataLoss if it is damaged or of
  // another step; confirm's; what the file system says.
  absl::Status Save(int64_t step, const std::vector<CheckpointFile>& files,
                    absl::FunctionRef<absl::Status()> confirm);

  // NotFound if there is no checkpoint of `step`.
  absl::StatusOr<std::vector<CheckpointFile>> Read(int64_t step);

 private:
  RunBook(FileSystem* files, Clock* clock, std::string run_dir,
          Session session);

  absl::Status PutInOrder();
  // Makes up for what could not be written.
  absl::Status Complete();
  // A record of `kind` was given to output_.
  absl::Status Added(RecordKind kind, int64_t step);

  FileSystem* const files_;
  Clock* const clock_;
  const std::string run_dir_;
  const Session session_;
  std::string config_json_;
  int max_workers_ = 1;
  int64_t committed_step_ = 0;
  int64_t best_step_ = 0;
  int64_t total_steps_ = 0;  // of the plan; 0: not known yet
  int64_t shown_step_ = 0;
  RecordIndex index_;  // of what is still to be written too
  std::map<RecordKind, int64_t> recorded_;
  // Both null until there is a configuration.
  std::unique_ptr<LocalCheckpointStore> store_;
  std::unique_ptr<RunOutput> output_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_RUN_BOOK_H_
