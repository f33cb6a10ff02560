#ifndef CHARRNN_MODEL_TRAIN_STATE_H_
#define CHARRNN_MODEL_TRAIN_STATE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "model/parameter_layout.h"

namespace charrnn {

// All that a run's future depends on, beside its configuration and its text.
// The position in the data is the step; the batches follow from it.
struct TrainState {
  // A run that has not begun, its weights drawn from `seed`, on "cpu" or
  // "cuda:N". Possible errors: those of CatchTorch.
  static absl::StatusOr<TrainState> Initial(const ParameterLayout& layout,
                                            uint64_t seed,
                                            const std::string& device);

  int64_t step = 0;  // steps done

  // Flat arrays in the layout's order, float32, on the training device.
  at::Tensor parameters;
  at::Tensor exp_avg;     // Adam's first moment
  at::Tensor exp_avg_sq;  // Adam's second moment

  // The loss since it was last reported, in nats summed over targets.
  double loss_sum = 0;
  int64_t loss_targets = 0;

  // The lowest validation loss so far, nats per character.
  double best_loss = std::numeric_limits<double>::infinity();
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAIN_STATE_H_
