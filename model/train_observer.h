#ifndef CHARRNN_MODEL_TRAIN_OBSERVER_H_
#define CHARRNN_MODEL_TRAIN_OBSERVER_H_

#include <cstdint>
#include <string>

#include "model/train_progress.h"

namespace charrnn {

// What is known of a run before its first step.
struct RunPlan {
  int64_t start_step = 0;       // steps already done
  int64_t total_steps = 0;      // the step at which the run ends
  int64_t steps_per_epoch = 0;  // whole batches in an epoch
  // The first step of which there will be reports: the one after the last done,
  // or that one itself if a stop has left its reports undone.
  int64_t first_report_step = 1;
};

// One finished step; cheap, told after every step.
struct StepReport {
  int64_t step = 0;     // steps done, this one included
  int64_t epoch = 0;    // counted from 1
  double loss = 0;      // nats per character, this step's mean
  int64_t targets = 0;  // characters this step predicted
};

// The training since the last report, told every `log_every` steps.
struct TrainReport {
  int64_t step = 0;
  int64_t epoch = 0;
  double loss = 0;           // nats per character, mean since the last report
  double chars_per_s = 0;    // of training time: no validation, no saving
  double grad_norm = 0;      // of this step, before clipping
  double learning_rate = 0;  // of this step
  double wall_s = 0;         // since the run began
};

// A full pass over the validation part, told after each epoch.
struct ValidationReport {
  int64_t step = 0;
  int64_t epoch = 0;
  double loss = 0;    // nats per character
  int64_t chars = 0;  // characters predicted
  int64_t bytes = 0;  // of the file that these are; 0: not known
  bool best = false;  // the lowest loss so far
};

// Text sampled on the way.
struct SampleReport {
  int64_t step = 0;
  double loss = 0;  // nats per character, mean since the last report
  std::string text;
};

// A checkpoint that has been committed.
struct CheckpointReport {
  int64_t step = 0;
  std::string path;
  bool best = false;
};

// How a run ended.
struct EndReport {
  int64_t step = 0;
  double wall_s = 0;
  std::string reason;   // "finished", "stopped", or the error
  bool failed = false;  // or stopped, which whoever started the run reports
};

// Told what happens while a model is trained; the trainer knows no file and no
// terminal. Calls come from the training thread, one at a time and in order
// (SyncRecords alone from another one); an implementation returns soon, because
// training waits for it.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;

  virtual void OnStart(const RunPlan&) {}
  virtual void OnStep(const StepReport&) {}
  virtual void OnTrain(const TrainReport&) {}
  virtual void OnValidation(const ValidationReport&) {}
  virtual void OnSample(const SampleReport&) {}
  virtual void OnCheckpoint(const CheckpointReport&) {}
  virtual void OnEnd(const EndReport&) {}

  // How long the records are that all of this has made so far.
  virtual RecordSizes Records() const { return {}; }

  // Returns once they would survive a power cut, as far as they can be written:
  // a checkpoint that names their sizes follows.
  virtual void SyncRecords() {}
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAIN_OBSERVER_H_
