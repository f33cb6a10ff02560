#include "model/trainer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "data/batch_reader.h"
#include "data/vocab.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/evaluator.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/learning_rate.h"
#include "model/loss.h"
#include "model/model_snapshot.h"
#include "model/sampler.h"
#include "model/torch_status.h"
#include "model/train_observer.h"
#include "model/train_state.h"
#include "model/training_plan.h"

namespace charrnn {
namespace {

bool Due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

}  // namespace

Trainer::Trainer(const Options& options, const TrainingPlan& plan,
                 const Parts& parts, TrainState* state)
    : options_(options),
      plan_(plan),
      parts_(parts),
      state_(state),
      model_(options.model, state->parameters),
      optimizer_(options.training.grad_clip, parts.pool),
      num_grains_(
          NumGrains(options.training.batch_size, options.training.grains)) {}

absl::Status Trainer::Run() {
  begin_ = parts_.clock->Elapsed();
  parts_.observer->OnStart(
      {state_->step, plan_.total_steps, plan_.steps_per_epoch});
  absl::Status status;
  const absl::Status caught =
      CatchTorch("training", [&] { status = RunSteps(); });
  if (!caught.ok()) status = caught;
  parts_.observer->OnEnd(
      {state_->step, absl::ToDoubleSeconds(parts_.clock->Elapsed() - begin_),
       status.ok() ? HowItEnded() : std::string(status.message()),
       /*failed=*/!status.ok()});
  return status;
}

absl::Status Trainer::RunSteps() {
  const TrainingConfig& config = options_.training;
  const IndexRange rows = LocalRows();
  BatchReader::Options reading;
  reading.batch_size = config.batch_size;
  reading.seed = config.seed;
  reading.start_step = state_->step;
  reading.end_step = plan_.total_steps;
  reading.prefetch = options_.prefetch;
  reading.first_row = static_cast<int>(rows.begin);
  reading.num_rows = static_cast<int>(rows.size());
  BatchReader reader(parts_.corpus, plan_.training, reading);

  bool last = state_->step >= plan_.total_steps;
  while (!last) {
    const absl::Duration step_begin = parts_.clock->Elapsed();
    CHARRNN_RETURN_IF_ERROR(Step(reader));
    training_time_ += parts_.clock->Elapsed() - step_begin;
    parts_.observer->OnStep(last_step_);
    last =
        state_->step >= plan_.total_steps || last_step_.loss < config.stop_loss;
    CHARRNN_RETURN_IF_ERROR(DoWhatIsDue(last));
  }
  return absl::OkStatus();
}

absl::Status Trainer::Step(BatchReader& reader) {
  CHARRNN_ASSIGN_OR_RETURN(const Batch* batch, reader.Next());
  absl::StatusOr<GradientSums> sums = ComputeGradients(*batch);
  if (absl::IsResourceExhausted(sums.status())) {
    return absl::ResourceExhaustedError(
        absl::StrCat(sums.status().message(),
                     ": lower --batch_size, --seq_len or --hidden_dim"));
  }
  CHARRNN_RETURN_IF_ERROR(sums.status());
  CHARRNN_RETURN_IF_ERROR(parts_.reducer->Reduce(*sums));
  const double loss_sum = sums->losses.front();
  if (!std::isfinite(loss_sum)) return NotFinite(state_->step + 1, "the loss");
  const int64_t targets =
      static_cast<int64_t>(options_.training.batch_size) * batch->seq_len;
  learning_rate_ =
      LearningRate(options_.training, state_->step, plan_.schedule_steps);
  const absl::StatusOr<double> norm = optimizer_.Update(
      sums->gradients.front(), targets, learning_rate_, *state_);
  if (absl::IsDataLoss(norm.status())) {
    return NotFinite(state_->step + 1, norm.status().message());
  }
  CHARRNN_RETURN_IF_ERROR(norm.status());
  grad_norm_ = *norm;
  ++state_->step;
  state_->loss_sum += loss_sum;
  state_->loss_targets += targets;
  timed_targets_ += targets;
  last_step_ = {state_->step, Epoch(), loss_sum / static_cast<double>(targets),
                targets};
  return absl::OkStatus();
}

IndexRange Trainer::LocalRows() const {
  const int64_t rows = options_.training.batch_size;
  const IndexRange grains = parts_.reducer->LocalGrains(num_grains_);
  return {GrainRows(rows, num_grains_, grains.begin).begin,
          GrainRows(rows, num_grains_, grains.end - 1).end};
}

std::vector<IndexRange> Trainer::LocalPieces() const {
  // A GPU is slow on small pieces and has its own order of sums anyway.
  if (!model_.device().is_cpu()) return {LocalRows()};
  const IndexRange grains = parts_.reducer->LocalGrains(num_grains_);
  std::vector<IndexRange> pieces;
  for (int64_t grain = grains.begin; grain < grains.end; ++grain) {
    pieces.push_back(
        GrainRows(options_.training.batch_size, num_grains_, grain));
  }
  return pieces;
}

absl::StatusOr<GradientSums> Trainer::ComputeGradients(const Batch& batch) {
  const std::vector<IndexRange> pieces = LocalPieces();
  const auto num_pieces = static_cast<int64_t>(pieces.size());
  const int64_t first_row = pieces.front().begin;
  GradientSums sums;
  sums.losses.resize(pieces.size());
  CHARRNN_RETURN_IF_ERROR(CatchTorch("allocating gradients", [&] {
    for (int64_t i = 0; i < num_pieces; ++i) {
      sums.gradients.push_back(
          at::zeros({model_.layout().flat_size()}, model_.flat().options()));
    }
  }));
  std::vector<absl::Status> statuses(pieces.size());
  parts_.pool->ParallelFor(num_pieces, [&](int64_t i) {
    const IndexRange range = pieces[i];
    const auto slice = [&](const std::vector<int32_t>& ids) {
      return absl::MakeConstSpan(ids).subspan(
          (range.begin - first_row) * batch.seq_len,
          range.size() * batch.seq_len);
    };
    const DropoutKey dropout = {options_.training.seed, batch.step,
                                options_.model.dropout, range.begin};
    const absl::StatusOr<double> loss =
        LossAndGradient(model_,
                        {range.size(), batch.seq_len, slice(batch.inputs),
                         slice(batch.targets)},
                        dropout, sums.gradients[i]);
    if (loss.ok()) {
      sums.losses[i] = *loss;
    } else {
      statuses[i] = loss.status();
    }
  });
  for (const absl::Status& status : statuses) {
    CHARRNN_RETURN_IF_ERROR(status);
  }
  return sums;
}

absl::Status Trainer::DoWhatIsDue(bool last) {
  const TrainingConfig& config = options_.training;
  const bool epoch_ends = state_->step % plan_.steps_per_epoch == 0;
  const bool report_due =
      Due(state_->step, config.log_every) || (last && config.log_every > 0);
  const double loss =
      state_->loss_sum / static_cast<double>(state_->loss_targets);
  if (report_due) Log(loss);
  if (Due(state_->step, config.sample_every)) {
    CHARRNN_RETURN_IF_ERROR(Sample(loss));
  }
  bool best = false;
  if (epoch_ends || last) {
    CHARRNN_ASSIGN_OR_RETURN(best, Validate());
  }
  if (!epoch_ends && !last && !Due(state_->step, config.save_every)) {
    return absl::OkStatus();
  }
  absl::Status saved = Save(best);
  if (saved.ok()) {
    if (best) state_->best_loss = validation_loss_;
  } else if (last) {
    return saved;
  } else {
    CHARRNN_LOG(WARNING) << "the checkpoint of step " << state_->step
                         << " was not saved, training goes on: "
                         << saved.message();
  }
  return absl::OkStatus();
}

void Trainer::Log(double loss) {
  TrainReport report;
  report.step = state_->step;
  report.epoch = Epoch();
  report.loss = loss;
  report.chars_per_s = static_cast<double>(timed_targets_) /
                       absl::ToDoubleSeconds(training_time_);
  report.grad_norm = grad_norm_;
  report.learning_rate = learning_rate_;
  report.wall_s = absl::ToDoubleSeconds(parts_.clock->Elapsed() - begin_);
  parts_.observer->OnTrain(report);
  state_->loss_sum = 0;
  state_->loss_targets = 0;
  training_time_ = absl::ZeroDuration();
  timed_targets_ = 0;
}

absl::Status Trainer::Sample(double loss) {
  SamplingConfig config = options_.sampling;
  // Another text at each step, the same one whenever the step is repeated.
  config.seed = MixSeed(config.seed, static_cast<uint64_t>(state_->step));
  const Sampler sampler(&model_, config);
  std::vector<int32_t> ids;
  CHARRNN_RETURN_IF_ERROR(sampler.Generate(
      /*prompt=*/{}, /*stream=*/0, [&](int32_t id) {
        ids.push_back(id);
        return absl::OkStatus();
      }));
  parts_.observer->OnSample(
      {state_->step, loss, parts_.corpus->vocab().Decode(ids)});
  return absl::OkStatus();
}

absl::StatusOr<bool> Trainer::Validate() {
  // A run that holds nothing out cannot tell models apart: the newest is best.
  if (plan_.validation.num_chunks() == 0) return true;
  CHARRNN_ASSIGN_OR_RETURN(
      const Evaluation evaluation,
      Evaluate(model_, *parts_.corpus, plan_.validation, *parts_.pool));
  validation_loss_ = evaluation.loss();
  if (!std::isfinite(validation_loss_)) {
    return NotFinite(state_->step, "the validation loss");
  }
  const bool best = validation_loss_ < state_->best_loss;
  parts_.observer->OnValidation(
      {state_->step, Epoch(), validation_loss_, evaluation.chars, best});
  return best;
}

absl::Status Trainer::Save(bool best) {
  const at::Tensor parameters = state_->parameters.to(at::kCPU);
  const auto* weights = parameters.const_data_ptr<float>();
  const DataConfig data = {options_.training.seq_len,
                           options_.training.val_fraction};
  CHARRNN_ASSIGN_OR_RETURN(
      const std::string model,
      EncodeModel({options_.model, data, parts_.corpus->vocab(),
                   std::vector<float>(weights, weights + parameters.numel())}));
  CHARRNN_ASSIGN_OR_RETURN(const std::string path,
                           parts_.store->Save(state_->step, model, best));
  saved_ = true;
  parts_.observer->OnCheckpoint({state_->step, path, best});
  return absl::OkStatus();
}

absl::Status Trainer::NotFinite(int64_t step, absl::string_view what) const {
  return absl::DataLossError(absl::StrCat(
      "step ", step, ": ", what, " is not finite: lower --learning_rate or ",
      options_.training.grad_clip > 0 ? "--grad_clip" : "set --grad_clip=1",
      saved_ ? "; the last checkpoint is kept" : ""));
}

std::string Trainer::HowItEnded() const {
  if (state_->step >= plan_.total_steps) return "finished";
  return absl::StrCat("finished with a step's loss below ",
                      options_.training.stop_loss);
}

int64_t Trainer::Epoch() const {
  return (state_->step - 1) / plan_.steps_per_epoch + 1;
}

}  // namespace charrnn
