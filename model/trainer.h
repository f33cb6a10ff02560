#ifndef CHARRNN_MODEL_TRAINER_H_
#define CHARRNN_MODEL_TRAINER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "data/batch_reader.h"
#include "data/corpus.h"
#include "model/char_rnn.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/computation.h"
#include "model/config.h"
#include "model/device_transfer.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/kernels/arithmetic.h"
#include "model/optimizer.h"
#include "model/rnn_state.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "model/train_state.h"
#include "model/training_plan.h"

namespace charrnn {

// What somebody outside of a run wants of it.
enum class Wish {
  kNone,
  kYield,  // return after this step, as it is, to go on in other company
  kStop,   // save and return
};

// Trains a model. One step, in this order: read the batch; compute its grains;
// reduce them; check that all is finite; clip; update; then what is due: log,
// sample, validate, save. A checkpoint of step s means that all of s is done;
// one that is made because the run was told to stop may say that s's reports
// are still due, and whoever goes on from it begins with these.
//
// A checkpoint is written from a copy on a thread of its own, one at a time;
// training waits for the copy alone.
//
// The trainer knows neither files nor terminals nor other processes: these are
// behind the store, the observer and the reducer that it is given.
//
//   Trainer trainer(options, plan, parts, &state);
//   absl::Status status = trainer.Run();
class Trainer {
 public:
  struct Options {
    ModelConfig model;
    TrainingConfig training;
    SamplingConfig sampling;
    // Batches read ahead; has no influence on any number.
    int prefetch = 2;
    // How fused kernels compute on the CPU; none: LibTorch's operators do.
    std::optional<Arithmetic> kernels;
    // What these compute in.
    Precision precision = Precision::kFp32;
    // Whether a step's loss is read once the next step has been launched, so
    // that a GPU has always something to do. For one process without kernels,
    // not invariant; its whole batch is one piece.
    bool ahead = false;
    // Whether the grains are computed one by one on a GPU too, so that the bits
    // depend on nothing but their number. On the CPU they always are.
    bool invariant = false;
    // The step of the newest checkpoint that the store has; none: that of the
    // state that the run begins with.
    std::optional<int64_t> saved_step;
  };

  // What the trainer works with; nothing is owned, everything outlives it.
  struct Parts {
    const Corpus* corpus = nullptr;
    ThreadPool* pool = nullptr;
    GradientReducer* reducer = nullptr;
    TrainObserver* observer = nullptr;
    CheckpointStore* store = nullptr;
    Clock* clock = nullptr;
    // Asked after each step and in between what is due; any thread may call
    // it. Once it is kStop it stays so. Where several processes train together,
    // it changes only within a step's reduction, in all of them alike.
    std::function<Wish()> wish = [] { return Wish::kNone; };
  };

  // `options` have passed Validate(); the plan is MakeTrainingPlan()'s.
  // `state` is of the model's layout, is not owned, and changes as training
  // goes on.
  Trainer(const Options& options, const TrainingPlan& plan, const Parts& parts,
          TrainState* state);

  // Whether a run of this configuration ends with what `progress` has done.
  static bool Finished(const TrainingConfig& config, const TrainingPlan& plan,
                       const TrainProgress& progress);

  // Trains until the plan's last step. On an error the store keeps what it
  // had.
  //
  // Possible errors: Cancelled, once a checkpoint has been committed, if it was
  // told to stop; Aborted if it was told to yield: the state is that after a
  // step, and its reports may be due; DataLoss, naming the step, if a loss or
  // gradient is not finite; those of the reducer, after which the state is that
  // after a step, too; the corpus's; those of CatchTorch; the store's, if the
  // run's last checkpoint could not be saved (an earlier failure is a warning).
  absl::Status Run();

 private:
  // A checkpoint that is being written.
  struct Saving {
    TrainProgress progress;
    std::future<absl::StatusOr<std::string>> path;
  };

  // A step whose outcome is still to be read.
  struct Launched {
    int64_t step = 0;
    int64_t targets = 0;
    LateNumbers outcome;  // loss sum, gradient's norm, weights' squares
  };

  absl::Status RunSteps();
  // Lets each stream begin with what it ended with, or with nothing.
  absl::Status PrepareStreams();
  // Whether what this process is to read is on its host.
  absl::Status CheckText() const;
  // One step, up to and including the update.
  absl::Status Step(BatchReader& reader);
  // Says what to try where memory does not suffice for a step.
  static absl::Status WithWayOut(const absl::Status& status);
  // What a step leaves, but for its loss. `streams`: what these end with.
  absl::Status EndStep(RnnState streams);
  // Launches one, and settles the one before.
  absl::Status LaunchStep(BatchReader& reader);
  absl::Status CopyNextBatch(BatchReader& reader);
  // Reads and counts what the step that was launched last has come to, if
  // nobody has yet.
  absl::Status Settle();
  absl::Status Settle(const Launched& step);
  // Counts a step that has been done.
  void Count(int64_t step, int64_t targets, double loss_sum, double norm);
  // The rows of the global batch that `process` computes, and this one.
  IndexRange RowsOf(int64_t process) const;
  IndexRange LocalRows() const;
  bool ByGrains() const;
  // The pieces in which all processes compute the batch.
  int64_t NumPieces() const;
  // The local rows, in the pieces in which they are computed side by side.
  std::vector<IndexRange> LocalPieces() const;
  // Those of the whole batch, or of the local grains before the reduction.
  // `streams` is what the local rows begin with, and afterwards what they end
  // with; null where chunks are shuffled. So is `next_streams`, of all rows.
  // They come to be in sums_.
  absl::Status ReduceGradients(const Batch& batch, RnnState* next_streams);
  absl::Status ComputeGradients(const Batch& batch, RnnState* streams);
  // The pieces [begin, end), together.
  absl::Status ComputePieces(const Batch& batch, IndexRange pieces,
                             RnnState* streams);
  // Allocates what a step works with.
  absl::Status PrepareStep();
  // What all streams end with, given those of the local rows.
  absl::StatusOr<RnnState> ShareStreams(const RnnState& own);

  // What is due after the step that has been counted. Cancelled if the run is
  // to stop; then a checkpoint has been committed. Aborted if it is to yield.
  absl::Status DoWhatIsDue(bool last);
  // All of it but saving. Cancelled, somewhere in between, on a stop.
  absl::Status Report(bool logs, bool samples, bool validates);
  // `loss` is the mean since the last report, nats per character.
  void Log(double loss);
  absl::Status Sample(double loss);
  absl::Status Validate();
  bool ToStop() const { return parts_.wish() == Wish::kStop; }

  // Begins to save the state as it is now; nothing else is being saved.
  absl::Status StartSaving();
  // The saving thread's part.
  absl::StatusOr<std::string> Save(const Checkpoint& checkpoint);
  bool SavingIsDone() const;
  // The outcome of the save that is under way, if there is one: waits for it,
  // and tells the observer or takes back what it said to be best.
  absl::Status FinishSaving();
  // The same for one that training does not depend on: a failure is a warning,
  // and the next save is the next attempt.
  void FinishSavingOrWarn();
  // Ends the run with a checkpoint of its state.
  absl::Status SaveAndStop();

  // The error that ends a run at `step`, and what to try.
  absl::Status NotFinite(int64_t step, absl::string_view what);
  std::string HowItEnded() const;  // a run without an error
  int64_t Epoch() const { return EpochOf(progress_.step); }
  int64_t EpochOf(int64_t step) const;  // counted from 1
  double WallSeconds() const;           // of the run, earlier sessions included

  const Options options_;
  const TrainingPlan plan_;
  const Parts parts_;
  TrainState* const state_;
  TrainProgress& progress_;       // the state's
  const CharRnn model_;           // in fp32
  const CharRnn training_model_;  // the same, as training computes it
  Computation computation_;       // of training_model_
  // In fp32, whatever training computes in: it is the weights that are compared
  // and not their rounding. Null: computation_ does it.
  std::unique_ptr<Computation> validation_;
  Optimizer optimizer_;
  const int64_t num_grains_;

  // What a step works with, kept from step to step, so that it allocates
  // nothing.
  std::vector<IndexRange> pieces_;      // LocalPieces()
  std::vector<GrainResult> results_;    // one a piece
  std::vector<absl::Status> statuses_;  // one for pieces computed together
  std::vector<RnnState> states_;        // likewise
  GradientSums sums_;

  std::unique_ptr<IdCopier> copier_;  // null: steps are not launched ahead
  std::optional<Launched> launched_;
  std::optional<Saving> saving_;
  // Of the newest checkpoint that is committed; 0: there is none.
  double saved_best_loss_;
  int64_t saved_best_step_;
  int64_t saved_step_;
  absl::Duration begin_;  // of the run, on the clock
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAINER_H_
