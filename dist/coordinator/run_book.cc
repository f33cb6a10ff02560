#include "dist/coordinator/run_book.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "dist/coordinator/record_index.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/grains.h"
#include "model/manifest.h"
#include "model/metrics/metrics_log.h"
#include "model/metrics/run_output.h"
#include "model/run_directory.h"
#include "model/train_observer.h"
#include "model/train_progress.h"

namespace charrnn {
namespace {

// How deep a config.json is.
constexpr int kDepth = 2;

absl::StatusOr<TrainingConfig> TrainingOf(const std::string& config_json) {
  CHARRNN_ASSIGN_OR_RETURN(const nlohmann::json config,
                           ParseStrictJson(config_json, kDepth));
  if (!config.is_object() || !config.contains("training")) {
    return absl::InvalidArgumentError("it has no object 'training'");
  }
  return TrainingConfigFromJson(config["training"].dump());
}

int WorkersOf(const TrainingConfig& training) {
  return static_cast<int>(NumGrains(training.batch_size, training.grains));
}

absl::Status NotBegun() {
  return absl::FailedPreconditionError(
      "the run has no config.json yet: register a host first");
}

absl::StatusOr<Checkpoint> Decode(const std::vector<CheckpointFile>& files) {
  return DecodeCheckpoint(
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        for (const CheckpointFile& file : files) {
          if (file.name == name) return file.bytes;
        }
        return absl::DataLossError(absl::StrCat(name, ": it is missing"));
      });
}

}  // namespace

RunBook::RunBook(FileSystem* files, Clock* clock, std::string run_dir,
                 Session session)
    : files_(files),
      clock_(clock),
      run_dir_(std::move(run_dir)),
      session_(session) {}

absl::StatusOr<std::unique_ptr<RunBook>> RunBook::Open(
    FileSystem* files, Clock* clock, const std::string& run_dir,
    Session session) {
  std::unique_ptr<RunBook> book(new RunBook(files, clock, run_dir, session));
  const std::string path = JoinPath(run_dir, kConfigFileName);
  auto config = files->ReadFile(path);
  if (absl::IsNotFound(config.status())) return book;
  CHARRNN_RETURN_IF_ERROR(config.status());
  book->config_json_ = *std::move(config);
  if (!book->config_json_.empty()) {
    CHARRNN_RETURN_IF_ERROR(book->PutInOrder());
  }
  return book;
}

absl::StatusOr<int> RunBook::MaxWorkers(const std::string& config_json) {
  CHARRNN_ASSIGN_OR_RETURN(const TrainingConfig training,
                           TrainingOf(config_json));
  return WorkersOf(training);
}

absl::Status RunBook::Begin(const std::string& config_json) {
  CHARRNN_RETURN_IF_ERROR(TrainingOf(config_json).status());
  CHARRNN_RETURN_IF_ERROR(WriteFileAtomically(
      *files_, JoinPath(run_dir_, kConfigFileName), config_json));
  config_json_ = config_json;
  output_.reset();
  const absl::Status ready = PutInOrder();
  if (!ready.ok()) {
    // It has not begun, and the same again tries again.
    config_json_.clear();
    store_.reset();
    output_.reset();
  }
  return ready;
}

absl::Status RunBook::PutInOrder() {
  const auto training = TrainingOf(config_json_);
  if (!training.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(JoinPath(run_dir_, kConfigFileName), ": ",
                     training.status().message()));
  }
  max_workers_ = WorkersOf(*training);
  store_ = std::make_unique<LocalCheckpointStore>(files_, run_dir_,
                                                  training->keep_checkpoints);
  CHARRNN_ASSIGN_OR_RETURN(const LocalCheckpointStore::Found found,
                           store_->Find());
  CHARRNN_RETURN_IF_ERROR(store_->TidyUp(found));
  RecordSizes keep;
  if (found.newest.has_value()) {
    committed_step_ = found.newest->progress.step;
    best_step_ = found.newest->progress.best_step;
    keep = found.newest->progress.records;
  }
  const std::string metrics = JoinPath(run_dir_, kMetricsFileName);
  const std::string samples = JoinPath(run_dir_, "samples.txt");
  if (session_ == Session::kSame) {
    index_.Begin(files_->ReadFile(metrics).value_or(""),
                 files_->ReadFile(samples).value_or(""));
    keep = index_.sizes();
  }
  CHARRNN_ASSIGN_OR_RETURN(output_,
                           RunOutput::Open(files_, clock_, run_dir_, keep));
  index_.Begin(files_->ReadFile(metrics).value_or(""),
               files_->ReadFile(samples).value_or(""));
  return Complete();
}

absl::Status RunBook::Complete() {
  CHARRNN_RETURN_IF_ERROR(output_->CompleteRecords());
  for (const RecordKind kind :
       {RecordKind::kTrain, RecordKind::kValidation, RecordKind::kSample}) {
    recorded_[kind] = index_.Newest(kind);
  }
  return absl::OkStatus();
}

absl::Status RunBook::Added(RecordKind kind, int64_t step) {
  index_.Added(kind, step, output_->Records());
  return Complete();
}

int64_t RunBook::Recorded(RecordKind kind) const {
  const auto recorded = recorded_.find(kind);
  return recorded == recorded_.end() ? 0 : recorded->second;
}

absl::Status RunBook::Train(const TrainReport& report) {
  if (output_ == nullptr) return NotBegun();
  if (!index_.IsNew(RecordKind::kTrain, report.step)) return Complete();
  output_->OnTrain(report);
  return Added(RecordKind::kTrain, report.step);
}

absl::Status RunBook::Validation(const ValidationReport& report) {
  if (output_ == nullptr) return NotBegun();
  if (!index_.IsNew(RecordKind::kValidation, report.step)) return Complete();
  output_->OnValidation(report);
  return Added(RecordKind::kValidation, report.step);
}

absl::Status RunBook::Sample(const SampleReport& report) {
  if (output_ == nullptr) return NotBegun();
  if (!index_.IsNew(RecordKind::kSample, report.step)) return Complete();
  output_->OnSample(report);
  return Added(RecordKind::kSample, report.step);
}

void RunBook::Plan(const RunPlan& plan) {
  if (output_ == nullptr || plan.total_steps == total_steps_) return;
  total_steps_ = plan.total_steps;
  shown_step_ = plan.start_step;
  output_->OnStart(plan);
}

void RunBook::Step(const StepReport& report) {
  if (total_steps_ == 0 || report.step <= shown_step_) return;
  shown_step_ = report.step;
  output_->OnStep(report);
}

void RunBook::Generation(int64_t generation, int world_size, int64_t step,
                         absl::string_view reason) {
  if (output_ == nullptr) return;
  nlohmann::ordered_json line;
  line["event"] = "generation";
  line["generation"] = generation;
  line["world_size"] = world_size;
  line["step"] = step;
  line["reason"] = std::string(reason);
  output_->AppendMetrics(
      line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
      "\n");
  Added(RecordKind::kOther, step).IgnoreError();
}

void RunBook::End(const EndReport& report) {
  if (output_ == nullptr) return;
  output_->OnEnd(report);
  Added(RecordKind::kOther, report.step).IgnoreError();
}

absl::Status RunBook::Save(int64_t step,
                           const std::vector<CheckpointFile>& files,
                           absl::FunctionRef<absl::Status()> confirm) {
  if (step <= committed_step_) return absl::OkStatus();
  if (store_ == nullptr) return NotBegun();
  CHARRNN_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Decode(files));
  const TrainProgress& progress = checkpoint.progress;
  if (progress.step != step) {
    return absl::DataLossError(absl::StrCat(
        "a checkpoint of step ", progress.step, " came as step ", step));
  }
  output_->SyncRecords();
  const absl::StatusOr<std::string> path = store_->Save(checkpoint, confirm);
  if (!path.ok()) {
    if (!absl::IsAborted(path.status())) {
      CHARRNN_LOG(WARNING) << "the checkpoint of step " << step
                           << " could not be saved: "
                           << path.status().message();
    }
    return path.status();
  }
  committed_step_ = step;
  best_step_ = progress.best_step;
  output_->OnCheckpoint({step, *path, progress.best_step == step});
  Added(RecordKind::kOther, step).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CheckpointFile>> RunBook::Read(int64_t step) {
  if (store_ == nullptr) {
    return absl::NotFoundError("the run has no checkpoint yet");
  }
  return store_->ReadFiles(step);
}

}  // namespace charrnn
