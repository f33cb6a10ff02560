// Steps that are launched before the one before has told its loss: a GPU goes
// from step to step without waiting for the host.

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "data/batch_reader.h"
#include "model/config.h"
#include "model/device_transfer.h"
#include "model/learning_rate.h"
#include "model/loss.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"
#include "model/trainer.h"

namespace charrnn {

absl::Status Trainer::CopyNextBatch(BatchReader& reader) {
  CHARRNN_ASSIGN_OR_RETURN(const Batch* batch, reader.Next());
  return CatchTorch("copying a batch", [&] { copier_->Begin(*batch); });
}

absl::Status Trainer::LaunchStep(BatchReader& reader) {
  const TrainingConfig& config = options_.training;
  if (!copier_->has_begun()) CHARRNN_RETURN_IF_ERROR(CopyNextBatch(reader));
  TextRows text;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("taking a batch", [&] {
    text.on_device = copier_->Take();
    text.rows = text.on_device.size(1);
    text.seq_len = text.on_device.size(2);
  }));
  const at::Tensor& gradient = results_.front().gradient;
  RnnState streams = state_->streams;
  absl::StatusOr<at::Tensor> loss = LossOnDeviceAndGradient(
      training_model_, text,
      {config.seed, progress_.step, options_.model.dropout, /*first_row=*/0},
      gradient, streams.defined() ? &streams : nullptr);
  CHARRNN_RETURN_IF_ERROR(WithWayOut(loss.status()));
  const int64_t targets = text.rows * text.seq_len;
  CHARRNN_ASSIGN_OR_RETURN(
      const at::Tensor update,
      optimizer_.Launch(
          gradient, targets,
          LearningRate(config, progress_.step, plan_.schedule_steps), *state_));
  const std::optional<Launched> before = std::move(launched_);
  CHARRNN_RETURN_IF_ERROR(CatchTorch("reading the loss", [&] {
    launched_.emplace(Launched{
        progress_.step + 1, targets,
        LateNumbers(at::cat({loss->to(at::kDouble).view({1}), update}))});
  }));
  CHARRNN_RETURN_IF_ERROR(EndStep(std::move(streams)));
  if (progress_.step < plan_.total_steps) {
    CHARRNN_RETURN_IF_ERROR(CopyNextBatch(reader));
  }
  return before.has_value() ? Settle(*before) : absl::OkStatus();
}

absl::Status Trainer::Settle() {
  if (!launched_.has_value()) return absl::OkStatus();
  const Launched step = *std::move(launched_);
  launched_.reset();
  return Settle(step);
}

absl::Status Trainer::Settle(const Launched& step) {
  std::vector<double> outcome;
  CHARRNN_RETURN_IF_ERROR(
      CatchTorch("reading the loss", [&] { outcome = step.outcome.Wait(); }));
  const char* const names[] = {"the loss", "the gradient", "a weight"};
  for (size_t i = 0; i < outcome.size(); ++i) {
    if (!std::isfinite(outcome[i])) return NotFinite(step.step, names[i]);
  }
  Count(step.step, step.targets, outcome[0], outcome[1]);
  return absl::OkStatus();
}

}  // namespace charrnn
