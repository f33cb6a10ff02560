#ifndef CHARRNN_MODEL_TRAINING_PLAN_H_
#define CHARRNN_MODEL_TRAINING_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/batch_plan.h"
#include "model/config.h"
#include "model/evaluation_plan.h"

namespace charrnn {

// Where the steps of a run lie in its text.
struct TrainingPlan {
  BatchPlan batches;
  EvaluationPlan validation;  // without a target: nothing is held out
  int64_t steps_per_epoch = 0;
  int64_t total_steps = 0;  // after which the run ends
  // Over which the learning rate's schedule spreads: all epochs, however early
  // max_steps ends the run, so that a run may be continued.
  int64_t schedule_steps = 0;
};

// The plan for a text of `corpus_size` characters.
// InvalidArgument if the training part does not fill a single batch.
absl::StatusOr<TrainingPlan> MakeTrainingPlan(const TrainingConfig& config,
                                              int64_t corpus_size);

// A configuration that a text allows.
struct FittedConfig {
  TrainingConfig config;
  std::vector<std::string> notes;  // a line for each value that was lowered
};

// Lowers seq_len and then batch_size as far as a small text demands, so that
// MakeTrainingPlan finds at least one batch, and a stream at least one chunk.
// InvalidArgument if the text is shorter than two chunks of a single target.
absl::StatusOr<FittedConfig> FitToCorpus(const TrainingConfig& config,
                                         int64_t corpus_size);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAINING_PLAN_H_
