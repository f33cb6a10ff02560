#include "model/trainer.h"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "data/batch_plan.h"
#include "data/batch_reader.h"
#include "data/utf8_assembler.h"
#include "data/vocab.h"
#include "model/char_rnn.h"
#include "model/checkpoint.h"
#include "model/computation.h"
#include "model/config.h"
#include "model/device_transfer.h"
#include "model/evaluation_plan.h"
#include "model/evaluator.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/kernels/arithmetic.h"
#include "model/learning_rate.h"
#include "model/rnn_state.h"
#include "model/sampler.h"
#include "model/torch_status.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "model/train_state.h"
#include "model/training_plan.h"

namespace charrnn {
namespace {

bool Due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

// The same kernels in fp32; none of none.
std::optional<Arithmetic> InFp32(std::optional<Arithmetic> kernels) {
  if (kernels.has_value()) kernels->precision = Precision::kFp32;
  return kernels;
}

}  // namespace

Trainer::Trainer(const Options& options, const TrainingPlan& plan,
                 const Parts& parts, TrainState* state)
    : options_(options),
      plan_(plan),
      parts_(parts),
      state_(state),
      progress_(state->progress),
      model_(options.model, state->parameters),
      training_model_(options.model, state->parameters, options.precision),
      computation_(&training_model_, options.kernels),
      optimizer_(options.training.grad_clip, parts.pool),
      num_grains_(
          NumGrains(options.training.batch_size, options.training.grains)),
      saved_best_loss_(progress_.best_loss),
      saved_best_step_(progress_.best_step),
      saved_step_(options.saved_step.value_or(progress_.step)) {
  if (options.ahead) {
    CHARRNN_CHECK(!options.kernels.has_value() && !options.invariant &&
                  parts.reducer->num_processes() == 1);
    copier_ = std::make_unique<IdCopier>(model_.device());
  }
  const Precision precision = options.kernels.has_value()
                                  ? options.kernels->precision
                                  : options.precision;
  if (precision == Precision::kFp32) return;
  validation_ = std::make_unique<Computation>(&model_, InFp32(options.kernels));
}

bool Trainer::Finished(const TrainingConfig& config, const TrainingPlan& plan,
                       const TrainProgress& progress) {
  return progress.step >= plan.total_steps ||
         progress.step_loss < config.stop_loss;
}

absl::Status Trainer::Run() {
  begin_ = parts_.clock->Elapsed() - absl::Seconds(progress_.wall_s);
  parts_.observer->OnStart({progress_.step, plan_.total_steps,
                            plan_.steps_per_epoch,
                            progress_.step + (progress_.due ? 0 : 1)});
  absl::Status status;
  const absl::Status caught =
      CatchTorch("training", [&] { status = RunSteps(); });
  if (!caught.ok()) status = caught;
  FinishSavingOrWarn();
  progress_.wall_s = WallSeconds();
  parts_.observer->OnEnd(
      {progress_.step, progress_.wall_s,
       status.ok() ? HowItEnded() : std::string(status.message()),
       /*failed=*/!status.ok()});
  return status;
}

absl::Status Trainer::RunSteps() {
  const TrainingConfig& config = options_.training;
  CHARRNN_RETURN_IF_ERROR(CheckText());
  CHARRNN_RETURN_IF_ERROR(PrepareStep());
  CHARRNN_RETURN_IF_ERROR(PrepareStreams());
  const IndexRange rows = LocalRows();
  BatchReader::Options reading;
  reading.start_step = progress_.step;
  reading.end_step = plan_.total_steps;
  reading.prefetch = options_.prefetch;
  reading.first_row = static_cast<int>(rows.begin);
  reading.num_rows = static_cast<int>(rows.size());
  BatchReader reader(parts_.corpus, plan_.batches, reading);

  bool last = Finished(config, plan_, progress_);
  if (progress_.due) {
    CHARRNN_RETURN_IF_ERROR(DoWhatIsDue(last));
  } else if (last && saved_step_ != progress_.step) {
    CHARRNN_RETURN_IF_ERROR(StartSaving());
  }
  while (!last) {
    const absl::Duration step_begin = parts_.clock->Elapsed();
    CHARRNN_RETURN_IF_ERROR(options_.ahead ? LaunchStep(reader) : Step(reader));
    // The next step depends on it.
    if (config.stop_loss > 0) CHARRNN_RETURN_IF_ERROR(Settle());
    progress_.training_s +=
        absl::ToDoubleSeconds(parts_.clock->Elapsed() - step_begin);
    last = Finished(config, plan_, progress_);
    CHARRNN_RETURN_IF_ERROR(DoWhatIsDue(last));
  }
  return FinishSaving();
}

absl::Status Trainer::CheckText() const {
  const IndexRange rows = LocalRows();
  const IdRange training = plan_.batches.Reach(static_cast<int>(rows.begin),
                                               static_cast<int>(rows.size()));
  CHARRNN_RETURN_IF_ERROR(
      parts_.corpus->CheckPresent(training.begin, training.end));
  const IdRange validation =
      EvaluationReach(model_, plan_.validation, *parts_.reducer);
  return parts_.corpus->CheckPresent(validation.begin, validation.end);
}

absl::Status Trainer::PrepareStreams() {
  RnnState& streams = state_->streams;
  if (plan_.batches.streams() == nullptr) {
    streams = RnnState();
    return absl::OkStatus();
  }
  return CatchTorch("allocating the streams", [&] {
    RnnState none = model_.ZeroState(options_.training.batch_size);
    const bool continues = plan_.batches.Continues(progress_.step);
    // There may be others than before, if somebody said that he means it.
    const bool same =
        streams.defined() && streams.hidden.sizes() == none.hidden.sizes();
    if (continues && !same) {
      CHARRNN_LOG(WARNING) << "the streams are others than those that the run "
                              "has read so far: they begin with nothing "
                              "remembered, in the middle of the text";
    }
    if (!continues || !same) streams = std::move(none);
  });
}

absl::Status Trainer::Step(BatchReader& reader) {
  CHARRNN_ASSIGN_OR_RETURN(const Batch* batch, reader.Next());
  RnnState next_streams;
  CHARRNN_RETURN_IF_ERROR(WithWayOut(ReduceGradients(*batch, &next_streams)));
  const double loss_sum = sums_.losses.front();
  if (!std::isfinite(loss_sum)) {
    return NotFinite(progress_.step + 1, "the loss");
  }
  const int64_t targets =
      static_cast<int64_t>(options_.training.batch_size) * batch->seq_len;
  const absl::StatusOr<double> norm = optimizer_.Update(
      sums_.gradients.front(), sums_.is_mean ? 1 : targets,
      LearningRate(options_.training, progress_.step, plan_.schedule_steps),
      *state_);
  if (absl::IsDataLoss(norm.status())) {
    return NotFinite(progress_.step + 1, norm.status().message());
  }
  CHARRNN_RETURN_IF_ERROR(norm.status());
  CHARRNN_RETURN_IF_ERROR(EndStep(std::move(next_streams)));
  Count(progress_.step, targets, loss_sum, *norm);
  return absl::OkStatus();
}

absl::Status Trainer::WithWayOut(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return status;
  return absl::ResourceExhaustedError(absl::StrCat(
      status.message(), ": lower --batch_size, --seq_len or --hidden_dim"));
}

absl::Status Trainer::EndStep(RnnState streams) {
  ++progress_.step;
  progress_.due = true;
  state_->streams = std::move(streams);
  // The text has come to its end: from there on it is read once more.
  return plan_.batches.Continues(progress_.step) ? absl::OkStatus()
                                                 : PrepareStreams();
}

void Trainer::Count(int64_t step, int64_t targets, double loss_sum,
                    double norm) {
  progress_.step_loss = loss_sum / static_cast<double>(targets);
  progress_.grad_norm = norm;
  progress_.loss_sum += loss_sum;
  progress_.loss_targets += targets;
  parts_.observer->OnStep({step, EpochOf(step), progress_.step_loss, targets});
}

absl::Status Trainer::DoWhatIsDue(bool last) {
  const TrainingConfig& config = options_.training;
  const Wish wish = parts_.wish();
  if (wish == Wish::kYield) {
    return absl::AbortedError(absl::StrCat("yielded at step ", progress_.step));
  }
  const bool stop = wish == Wish::kStop;
  const bool logs =
      Due(progress_.step, config.log_every) || (last && config.log_every > 0);
  const bool samples = Due(progress_.step, config.sample_every);
  const bool validates = last || progress_.step % plan_.steps_per_epoch == 0;
  const bool saves = validates || Due(progress_.step, config.save_every);
  if (stop || logs || samples || saves) CHARRNN_RETURN_IF_ERROR(Settle());
  // The save before this one is told before what a stop may cut off again; and
  // whether it has become the best decides on the next.
  if (stop || samples || saves || SavingIsDone()) FinishSavingOrWarn();
  progress_.records = parts_.observer->Records();
  if (stop) return SaveAndStop();
  const TrainProgress before = progress_;
  const absl::Status reported = Report(logs, samples, validates);
  if (!reported.ok()) {
    // Half of it counts as nothing; what it has recorded is cut off.
    progress_ = before;
    return absl::IsCancelled(reported) ? SaveAndStop() : reported;
  }
  progress_.due = false;
  progress_.records = parts_.observer->Records();
  return saves ? StartSaving() : absl::OkStatus();
}

absl::Status Trainer::Report(bool logs, bool samples, bool validates) {
  const double loss =
      progress_.loss_sum / static_cast<double>(progress_.loss_targets);
  if (logs) Log(loss);
  if (samples) {
    CHARRNN_RETURN_IF_ERROR(Sample(loss));
  }
  if (validates) {
    CHARRNN_RETURN_IF_ERROR(Validate());
  }
  return absl::OkStatus();
}

void Trainer::Log(double loss) {
  TrainReport report;
  report.step = progress_.step;
  report.epoch = Epoch();
  report.loss = loss;
  report.chars_per_s =
      static_cast<double>(progress_.loss_targets) / progress_.training_s;
  report.grad_norm = progress_.grad_norm;
  report.learning_rate =
      LearningRate(options_.training, progress_.step - 1, plan_.schedule_steps);
  report.wall_s = WallSeconds();
  parts_.observer->OnTrain(report);
  progress_.loss_sum = 0;
  progress_.loss_targets = 0;
  progress_.training_s = 0;
}

absl::Status Trainer::Sample(double loss) {
  SamplingConfig config = options_.sampling;
  // Another text at each step, the same one whenever the step is repeated.
  config.seed = MixSeed(config.seed, static_cast<uint64_t>(progress_.step));
  const Sampler sampler(&model_, config, parts_.corpus->vocab().Beginnings(),
                        InFp32(options_.kernels));
  std::vector<int32_t> ids;
  CHARRNN_RETURN_IF_ERROR(
      sampler.Generate(/*prompt=*/{}, /*stream=*/0, [&](int32_t id) {
        ids.push_back(id);
        return ToStop() ? absl::CancelledError("stopped") : absl::OkStatus();
      }));
  parts_.observer->OnSample(
      {progress_.step, loss,
       Utf8Assembler().Push(parts_.corpus->vocab().Decode(ids))});
  return absl::OkStatus();
}

absl::Status Trainer::Validate() {
  if (NumTargets(plan_.validation) == 0) {
    // A run that holds nothing out cannot tell models apart.
    progress_.best_step = progress_.step;
    return absl::OkStatus();
  }
  Computation& computation =
      validation_ == nullptr ? computation_ : *validation_;
  computation.TakeWeights(*parts_.pool);
  CHARRNN_ASSIGN_OR_RETURN(
      const Evaluation evaluation,
      Evaluate(computation, *parts_.corpus, plan_.validation, *parts_.pool,
               *parts_.reducer, [this] { return ToStop(); }));
  const double loss = evaluation.loss();
  if (!std::isfinite(loss)) {
    return NotFinite(progress_.step, "the validation loss");
  }
  const bool best = loss < progress_.best_loss;
  if (best) {
    progress_.best_loss = loss;
    progress_.best_step = progress_.step;
  }
  parts_.observer->OnValidation({progress_.step, Epoch(), loss,
                                 evaluation.chars, evaluation.bytes, best});
  return absl::OkStatus();
}

absl::Status Trainer::StartSaving() {
  progress_.wall_s = WallSeconds();
  CHARRNN_ASSIGN_OR_RETURN(
      Checkpoint checkpoint,
      state_->ToCheckpoint(
          options_.model,
          {options_.training.seq_len, options_.training.val_fraction,
           options_.training.test_fraction, options_.training.data_order},
          parts_.corpus->vocab()));
  saving_ =
      Saving{progress_, std::async(std::launch::async,
                                   [this, checkpoint = std::move(checkpoint)] {
                                     return Save(checkpoint);
                                   })};
  return absl::OkStatus();
}

absl::StatusOr<std::string> Trainer::Save(const Checkpoint& checkpoint) {
  parts_.observer->SyncRecords();
  absl::StatusOr<std::string> path;
  // It takes memory, which there may not be.
  CHARRNN_RETURN_IF_ERROR(
      CatchTorch("saving", [&] { path = parts_.store->Save(checkpoint); }));
  return path;
}

bool Trainer::SavingIsDone() const {
  return saving_.has_value() &&
         saving_->path.wait_for(std::chrono::seconds(0)) ==
             std::future_status::ready;
}

absl::Status Trainer::FinishSaving() {
  if (!saving_.has_value()) return absl::OkStatus();
  Saving saving = *std::move(saving_);
  saving_.reset();
  const absl::StatusOr<std::string> path = saving.path.get();
  const TrainProgress& saved = saving.progress;
  const bool best = saved.best_step == saved.step;
  if (!path.ok()) {
    if (best) {
      // It is nowhere, so that a later one may be worse and yet the best.
      progress_.best_loss = saved_best_loss_;
      progress_.best_step = saved_best_step_;
    }
    return path.status();
  }
  saved_step_ = saved.step;
  saved_best_loss_ = saved.best_loss;
  saved_best_step_ = saved.best_step;
  parts_.observer->OnCheckpoint({saved.step, *path, best});
  return absl::OkStatus();
}

void Trainer::FinishSavingOrWarn() {
  if (!saving_.has_value()) return;
  const int64_t step = saving_->progress.step;
  if (const absl::Status saved = FinishSaving(); !saved.ok()) {
    CHARRNN_LOG(WARNING) << "the checkpoint of step " << step
                         << " was not saved, the next one is the next attempt: "
                         << saved.message();
  }
}

absl::Status Trainer::SaveAndStop() {
  if (saved_step_ != progress_.step) {
    CHARRNN_RETURN_IF_ERROR(StartSaving());
    CHARRNN_RETURN_IF_ERROR(FinishSaving());
  }
  return absl::CancelledError(
      absl::StrCat("stopped at step ", progress_.step,
                   " and saved: --resume goes on from there"));
}

absl::Status Trainer::NotFinite(int64_t step, absl::string_view what) {
  FinishSavingOrWarn();
  return absl::DataLossError(absl::StrCat(
      "step ", step, ": ", what, " is not finite: lower --learning_rate or ",
      options_.training.grad_clip > 0 ? "--grad_clip" : "set --grad_clip=1",
      saved_step_ > 0 ? "; the last checkpoint is kept" : ""));
}

std::string Trainer::HowItEnded() const {
  if (progress_.step >= plan_.total_steps) return "finished";
  return absl::StrCat("finished with a step's loss below ",
                      options_.training.stop_loss);
}

int64_t Trainer::EpochOf(int64_t step) const {
  return (step - 1) / plan_.steps_per_epoch + 1;
}

double Trainer::WallSeconds() const {
  return absl::ToDoubleSeconds(parts_.clock->Elapsed() - begin_);
}

}  // namespace charrnn
