#ifndef CHARRNN_MODEL_TRAIN_PROGRESS_H_
#define CHARRNN_MODEL_TRAIN_PROGRESS_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// How long a run's growing files are, in bytes. A run that goes on from a
// checkpoint cuts them to what they were then, so that nothing stands in them
// twice.
struct RecordSizes {
  int64_t metrics = 0;  // metrics.jsonl
  int64_t samples = 0;  // samples.txt
};

// How far a run has come: all of its state but the weights and Adam's moments.
// The position in the data is the step; the batches follow from it.
struct TrainProgress {
  int64_t step = 0;  // steps done

  // Whether the reports and the validation that follow the step are yet to be
  // done: a run that is told to stop saves before it begins them.
  bool due = false;

  // Of the last step: its loss, nats per character, and its gradient's norm
  // before clipping.
  double step_loss = std::numeric_limits<double>::infinity();
  double grad_norm = 0;

  // Since the loss was last reported: nats summed over targets, and the
  // seconds spent on training.
  double loss_sum = 0;
  int64_t loss_targets = 0;
  double training_s = 0;

  // Of the whole run, the time between its sessions left out.
  double wall_s = 0;

  // The lowest validation loss so far, nats per character, and the step of the
  // checkpoint that has it; 0 if there is none. A run that holds nothing out
  // has a newest best step and no loss.
  double best_loss = std::numeric_limits<double>::infinity();
  int64_t best_step = 0;

  RecordSizes records;
};

// One JSON object. Doubles survive the way there and back bit for bit; those
// that are infinite are null.
std::string ToJson(const TrainProgress& progress);

// Reads what ToJson wrote. InvalidArgument, naming the key, if one is missing,
// unknown, of the wrong type or out of range.
absl::StatusOr<TrainProgress> TrainProgressFromJson(absl::string_view text);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAIN_PROGRESS_H_
