#include "cmd/run_start.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/run_config.h"
#include "cmd/training_flags.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/metrics/metrics_log.h"
#include "model/parameter_layout.h"
#include "model/run_directory.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/training_plan.h"

ABSL_FLAG(std::string, run_dir, "",
          "Folder of the run; empty: runs/<UTC time>, or with --resume "
          "runs/latest.");
ABSL_FLAG(bool, resume, false,
          "Go on with the run in --run_dir from its newest checkpoint, with "
          "the flags that it had unless others are given; begin it if there is "
          "none.");
ABSL_FLAG(bool, allow_changes, false,
          "Let --resume change flags, or the text, that the run's numbers "
          "depend on.");

namespace charrnn {
namespace {

// What is known of a run before its flags are.
struct Earlier {
  RunDirectory directory;
  std::string config_json;
  LocalCheckpointStore::Found found;
};

std::string Runs() { return UserPath("runs"); }

// The run to go on with; none if there is none.
absl::StatusOr<std::optional<Earlier>> OpenEarlier(FileSystem& files) {
  CHARRNN_ASSIGN_OR_RETURN(
      std::optional<RunDirectory> directory,
      OpenRunDirectory(files, Runs(), UserPath(absl::GetFlag(FLAGS_run_dir))));
  if (!directory.has_value()) return std::optional<Earlier>();
  Earlier earlier;
  earlier.directory = *std::move(directory);
  const std::string config = JoinPath(earlier.directory.path, kConfigFileName);
  CHARRNN_ASSIGN_OR_RETURN(earlier.config_json, files.ReadFile(config));
  CHARRNN_ASSIGN_OR_RETURN(
      earlier.found,
      LocalCheckpointStore(&files, earlier.directory.path, 1).Find());
  return std::make_optional(std::move(earlier));
}

absl::Status ConfigError(const Earlier& earlier, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(
      JoinPath(earlier.directory.path, kConfigFileName), ": ", status.message(),
      ": restore it, or begin a new run with another --run_dir"));
}

// The run that --resume goes on with, its flags taken over where it has come so
// far as to have any; none without --resume, or without a run.
absl::StatusOr<std::optional<Earlier>> FindEarlier(
    FileSystem& files, std::set<std::string>& typed) {
  if (!absl::GetFlag(FLAGS_resume)) {
    if (!absl::GetFlag(FLAGS_allow_changes)) return std::nullopt;
    return absl::InvalidArgumentError(
        "--allow_changes: is about a run that goes on: add --resume");
  }
  CHARRNN_ASSIGN_OR_RETURN(std::optional<Earlier> earlier, OpenEarlier(files));
  if (earlier.has_value() && !earlier->config_json.empty()) {
    const absl::Status taken = TakeOverFlags(earlier->config_json, typed);
    if (!taken.ok()) return ConfigError(*earlier, taken);
  }
  return earlier;
}

// Where a new run is to lie, as far as that is known.
std::string Place() {
  std::string run_dir = UserPath(absl::GetFlag(FLAGS_run_dir));
  return run_dir.empty() ? Runs() : run_dir;
}

// Whether the checkpoints of the run have room in `path`.
absl::Status CheckSpace(FileSystem& files, const std::string& path,
                        const RunStart& run) {
  const TrainingConfig& config = run.request.training;
  const ModelConfig& model = run.request.model;
  const int64_t stream_values =
      config.data_order == DataOrder::kStreams
          ? int64_t{2} * model.num_layers * model.hidden_dim * config.batch_size
          : 0;
  const int64_t steps = run.plan.total_steps - run.state.progress.step;
  const int64_t saves = std::min(
      steps, steps / run.plan.steps_per_epoch + 1 +
                 (config.save_every > 0 ? steps / config.save_every : 0));
  return LocalCheckpointStore(&files, path, config.keep_checkpoints)
      .CheckSpace(
          CheckpointBytes(ParameterLayout(model).flat_size(), stream_values),
          saves);
}

// Whether the run in `path` has got to telling that it has ended.
bool EndIsRecorded(FileSystem& files, const std::string& path) {
  const auto metrics = files.ReadFile(JoinPath(path, kMetricsFileName));
  return metrics.ok() && TellsTheEnd(*metrics);
}

// The state that the run begins with.
absl::StatusOr<TrainState> MakeState(const TrainingRequest& request,
                                     const std::string& device,
                                     const Checkpoint* checkpoint) {
  return checkpoint != nullptr ? TrainState::FromCheckpoint(*checkpoint, device)
                               : InitialState(request, device);
}

// Takes the folder of `earlier`, or makes one, and puts it in order; where
// there is something to train, it gets its config.json.
absl::Status OwnDirectory(FileSystem& files, Clock& clock,
                          const std::set<std::string>& typed,
                          std::optional<Earlier> earlier, RunStart& run) {
  LocalCheckpointStore::Found found;
  if (earlier.has_value()) {
    run.directory = std::move(earlier->directory);
    found = std::move(earlier->found);
  } else {
    CHARRNN_RETURN_IF_ERROR(CheckSpace(files, Place(), run));
    CHARRNN_ASSIGN_OR_RETURN(
        run.directory,
        CreateRunDirectory(files, clock, Runs(),
                           UserPath(absl::GetFlag(FLAGS_run_dir))));
  }
  const std::string& path = run.directory.path;
  run.store = std::make_unique<LocalCheckpointStore>(
      &files, path, run.request.training.keep_checkpoints);
  CHARRNN_RETURN_IF_ERROR(run.store->TidyUp(found));
  if (run.finished) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(CheckSpace(files, path, run));
  CHARRNN_RETURN_IF_ERROR(WriteFileAtomically(
      files, JoinPath(path, kConfigFileName),
      RunConfigJson(run.request, typed, run.compute.device)));
  return MarkLatest(files, Runs(), path);
}

// Whether the run may go on as it is now asked for, and what there is to say of
// it. `newest` is the checkpoint of `earlier`, if it has one; `typed` is what
// was typed this time.
absl::Status Compare(const std::optional<Earlier>& earlier,
                     const Checkpoint* newest,
                     const std::set<std::string>& typed, RunStart& run) {
  run.notes = run.request.notes;
  if (newest != nullptr) {
    auto notes =
        CompareWithRun(earlier->config_json, run.request, run.compute.device,
                       absl::GetFlag(FLAGS_allow_changes));
    if (absl::IsInvalidArgument(notes.status())) {
      return ConfigError(*earlier, notes.status());
    }
    CHARRNN_RETURN_IF_ERROR(notes.status());
    CHARRNN_RETURN_IF_ERROR(CheckLimits(run.request.training, run.plan, typed,
                                        newest->progress.step));
    run.notes.insert(run.notes.end(), notes->begin(), notes->end());
    run.notes.push_back(
        absl::StrCat("going on from step ", newest->progress.step));
  } else if (absl::GetFlag(FLAGS_resume)) {
    run.notes.push_back(
        earlier.has_value()
            ? absl::StrCat(earlier->directory.path,
                           " has no checkpoint yet: beginning at step 0")
            : "there is no run to resume yet: beginning a new one");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainState> InitialState(const TrainingRequest& request,
                                        const std::string& device) {
  if (request.initial_parameters.has_value()) {
    return TrainState::FromParameters(*request.initial_parameters, device);
  }
  return TrainState::Initial(ParameterLayout(request.model),
                             request.training.seed, device);
}

absl::StatusOr<RunStart> StartRun(
    FileSystem& files, Clock& clock, const CommandLine& command_line,
    const std::function<absl::Status(const RunStart&)>& check) {
  std::set<std::string> typed = command_line.typed;
  CHARRNN_ASSIGN_OR_RETURN(std::optional<Earlier> earlier,
                           FindEarlier(files, typed));
  const Checkpoint* const newest =
      earlier.has_value() && earlier->found.newest.has_value()
          ? &*earlier->found.newest
          : nullptr;
  CHARRNN_ASSIGN_OR_RETURN(
      TrainingRequest request,
      TrainingRequestFromFlags(files, typed,
                               newest == nullptr ? nullptr : &newest->model));
  CHARRNN_ASSIGN_OR_RETURN(
      const TrainingPlan plan,
      MakeTrainingPlan(request.training, request.corpus->size()));
  RunStart run(std::move(request), plan);
  CHARRNN_ASSIGN_OR_RETURN(run.compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(
      run.kernels, TrainingKernelsFor(run.compute.isa, run.request.precision));
  CHARRNN_RETURN_IF_ERROR(Compare(earlier, newest, command_line.typed, run));
  CHARRNN_ASSIGN_OR_RETURN(run.state,
                           MakeState(run.request, run.compute.device, newest));
  run.finished =
      newest != nullptr && !newest->progress.due &&
      Trainer::Finished(run.request.training, run.plan, newest->progress) &&
      EndIsRecorded(files, earlier->directory.path);
  if (check && !run.finished) CHARRNN_RETURN_IF_ERROR(check(run));
  const bool resumed = newest != nullptr;
  CHARRNN_RETURN_IF_ERROR(
      OwnDirectory(files, clock, typed, std::move(earlier), run));
  if (resumed && command_line.typed.count("init_from") > 0) {
    run.notes.emplace_back("--init_from is for a new run, and left alone here");
  }
  return run;
}

}  // namespace charrnn
