#ifndef CHARRNN_MODEL_TRAINER_H_
#define CHARRNN_MODEL_TRAINER_H_

#include <cstdint>
#include <limits>
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
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/optimizer.h"
#include "model/train_observer.h"
#include "model/train_state.h"
#include "model/training_plan.h"

namespace charrnn {

// Trains a model. One step, in this order: read the batch; compute its grains;
// reduce them; check that all is finite; clip; update; then what is due: log,
// sample, validate, save. A checkpoint of step s means that all of s is done.
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
  };

  // What the trainer works with; nothing is owned, everything outlives it.
  struct Parts {
    const Corpus* corpus = nullptr;
    ThreadPool* pool = nullptr;
    GradientReducer* reducer = nullptr;
    TrainObserver* observer = nullptr;
    CheckpointStore* store = nullptr;
    Clock* clock = nullptr;
  };

  // `options` have passed Validate(); the plan is MakeTrainingPlan()'s.
  // `state` is of the model's layout, is not owned, and changes as training
  // goes on.
  Trainer(const Options& options, const TrainingPlan& plan, const Parts& parts,
          TrainState* state);

  // Trains until the plan's last step. On an error the store keeps what it
  // had.
  //
  // Possible errors: DataLoss, naming the step, if a loss or gradient is not
  // finite; those of the reducer and of CatchTorch; the store's, if the run's
  // last checkpoint could not be saved (an earlier failure is a warning).
  absl::Status Run();

 private:
  absl::Status RunSteps();
  // One step, up to and including the update.
  absl::Status Step(BatchReader& reader);
  // The rows of the global batch that this process computes.
  IndexRange LocalRows() const;
  // The same rows, in the pieces in which they are computed side by side.
  std::vector<IndexRange> LocalPieces() const;
  absl::StatusOr<GradientSums> ComputeGradients(const Batch& batch);

  // What is due after the step that has been counted.
  absl::Status DoWhatIsDue(bool last);
  // `loss` is the mean since the last report, nats per character.
  void Log(double loss);
  absl::Status Sample(double loss);
  // Returns whether the validation loss is the lowest so far.
  absl::StatusOr<bool> Validate();
  absl::Status Save(bool best);

  // The error that ends a run at `step`, and what to try.
  absl::Status NotFinite(int64_t step, absl::string_view what) const;
  std::string HowItEnded() const;  // a run without an error
  int64_t Epoch() const;           // of the last step, counted from 1

  const Options options_;
  const TrainingPlan plan_;
  const Parts parts_;
  TrainState* const state_;
  const CharRnn model_;
  const Optimizer optimizer_;
  const int64_t num_grains_;

  StepReport last_step_;
  double grad_norm_ = 0;      // of the last step
  double learning_rate_ = 0;  // of the last step
  // Of the last validation, if there was one.
  double validation_loss_ = std::numeric_limits<double>::infinity();
  bool saved_ = false;    // whether this run has a checkpoint
  absl::Duration begin_;  // of the run, on the clock
  // Of training alone, since the last report.
  absl::Duration training_time_;
  int64_t timed_targets_ = 0;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAINER_H_
