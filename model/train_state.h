#ifndef CHARRNN_MODEL_TRAIN_STATE_H_
#define CHARRNN_MODEL_TRAIN_STATE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "data/vocab.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"
#include "model/train_progress.h"

namespace charrnn {

// All that a run's future depends on, beside its configuration and its text.
struct TrainState {
  // States on `device`, "cpu" or "cuda:N": a run that has not begun, its
  // weights drawn from `seed` or given as [layout.flat_size()], and one that
  // goes on. Possible errors: those of CatchTorch.
  static absl::StatusOr<TrainState> Initial(const ParameterLayout& layout,
                                            uint64_t seed,
                                            const std::string& device);
  static absl::StatusOr<TrainState> FromParameters(
      absl::Span<const float> parameters, const std::string& device);
  static absl::StatusOr<TrainState> FromCheckpoint(const Checkpoint& checkpoint,
                                                   const std::string& device);

  // A copy of all of it, with what else a checkpoint tells. Possible errors:
  // those of CatchTorch.
  absl::StatusOr<Checkpoint> ToCheckpoint(const ModelConfig& config,
                                          const DataConfig& data,
                                          const Vocab& vocab) const;

  // Flat arrays in the layout's order, float32, on the training device.
  at::Tensor parameters;
  at::Tensor exp_avg;     // Adam's first moment
  at::Tensor exp_avg_sq;  // Adam's second moment

  // What each stream begins the next step with, of batch_size rows. Undefined
  // where chunks are shuffled, and in a run that has not begun.
  RnnState streams;

  TrainProgress progress;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAIN_STATE_H_
