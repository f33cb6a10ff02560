#include "model/metrics/run_output.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/terminal_line.h"
#include "model/metrics/html_report.h"
#include "model/metrics/metrics_log.h"
#include "model/metrics/progress_line.h"
#include "model/metrics/samples_file.h"
#include "model/metrics/tensorboard_log.h"
#include "model/run_directory.h"
#include "model/train_observer.h"
#include "model/train_progress.h"

namespace charrnn {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// The settings as a person wants them listed: what the run came to. Of a
// config.json that cannot be read there are none, which is no reason not to
// train.
Settings ReadSettings(FileSystem& files, const std::string& run_dir) {
  const auto text = files.ReadFile(JoinPath(run_dir, kConfigFileName));
  const auto config = nlohmann::ordered_json::parse(text.value_or(""), nullptr,
                                                    /*allow_exceptions=*/false);
  Settings settings;
  const auto add = [&](const std::string& name,
                       const nlohmann::ordered_json& value) {
    settings.emplace_back(
        name, value.is_string() ? value.get<std::string>() : value.dump());
  };
  if (!config.is_object()) return settings;
  for (const char* part : {"corpus", "model", "training"}) {
    const auto fields = config.find(part);
    if (fields == config.end() || !fields->is_object()) continue;
    if (part == std::string("corpus")) {
      if (fields->contains("name")) add("text", (*fields)["name"]);
      continue;
    }
    for (const auto& [name, value] : fields->items()) add(name, value);
  }
  for (const char* name : {"device", "kernels", "precision", "reduction"}) {
    if (config.contains(name)) add(name, config[name]);
  }
  return settings;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunOutput>> RunOutput::Open(
    FileSystem* files, Clock* clock, const std::string& run_dir,
    const RecordSizes& keep) {
  const std::string metrics_path = JoinPath(run_dir, kMetricsFileName);
  const std::string samples_path = JoinPath(run_dir, "samples.txt");
  CHARRNN_ASSIGN_OR_RETURN(auto metrics,
                           MetricsLog::Open(files, metrics_path, keep.metrics));
  CHARRNN_ASSIGN_OR_RETURN(auto events,
                           TensorBoardLog::Open(files, run_dir, clock));
  CHARRNN_ASSIGN_OR_RETURN(
      auto samples, SamplesFile::Open(files, samples_path, keep.samples));
  auto report = std::make_unique<HtmlReport>(
      files, JoinPath(run_dir, "report.html"), Basename(run_dir),
      ReadSettings(*files, run_dir));
  if (metrics->size() < keep.metrics) {
    CHARRNN_LOG(WARNING)
        << metrics_path << ": records are missing that the checkpoint knows of";
  }
  // The report shows the whole run.
  CHARRNN_ASSIGN_OR_RETURN(const std::string metrics_text,
                           files->ReadFile(metrics_path));
  CHARRNN_ASSIGN_OR_RETURN(const std::string samples_text,
                           files->ReadFile(samples_path));
  if (const absl::Status told = ReplayMetrics(metrics_text, report.get());
      !told.ok()) {
    CHARRNN_LOG(WARNING) << metrics_path
                         << ": the report begins here: " << told.message();
  }
  ReplaySamples(samples_text, report.get());
  return std::unique_ptr<RunOutput>(
      new RunOutput(std::move(metrics), std::move(events), std::move(samples),
                    std::move(report)));
}

RunOutput::RunOutput(std::unique_ptr<MetricsLog> metrics,
                     std::unique_ptr<TensorBoardLog> events,
                     std::unique_ptr<SamplesFile> samples,
                     std::unique_ptr<HtmlReport> report)
    : metrics_(std::move(metrics)),
      events_(std::move(events)),
      samples_(std::move(samples)),
      report_(std::move(report)),
      progress_(TerminalLine::ToStderr()),
      all_({metrics_.get(), events_.get(), samples_.get(), report_.get(),
            &progress_}) {}

absl::Status RunOutput::status() const {
  for (const absl::Status& status : {metrics_->status(), events_->status(),
                                     samples_->status(), report_->status()}) {
    CHARRNN_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

void RunOutput::AppendMetrics(absl::string_view line) {
  metrics_->Append(line);
}

absl::Status RunOutput::CompleteRecords() {
  if (!metrics_->status().ok()) metrics_->Append("");
  if (!samples_->status().ok()) samples_->Append("");
  CHARRNN_RETURN_IF_ERROR(metrics_->status());
  return samples_->status();
}

template <typename Event>
void RunOutput::Tell(void (TrainObserver::*handler)(const Event&),
                     const Event& event) {
  for (TrainObserver* observer : all_) (observer->*handler)(event);
  const bool complete = status().ok();
  if (complete == complete_) return;
  complete_ = complete;
  if (complete) {
    CHARRNN_LOG(INFO) << "the run's records are complete again";
  } else {
    CHARRNN_LOG(WARNING) << "a record of the run is incomplete: "
                         << status().message();
  }
}

void RunOutput::OnStart(const RunPlan& plan) {
  Tell(&TrainObserver::OnStart, plan);
}

void RunOutput::OnStep(const StepReport& report) {
  Tell(&TrainObserver::OnStep, report);
}

void RunOutput::OnTrain(const TrainReport& report) {
  Tell(&TrainObserver::OnTrain, report);
}

void RunOutput::OnValidation(const ValidationReport& report) {
  Tell(&TrainObserver::OnValidation, report);
}

void RunOutput::OnSample(const SampleReport& report) {
  Tell(&TrainObserver::OnSample, report);
}

void RunOutput::OnCheckpoint(const CheckpointReport& report) {
  Tell(&TrainObserver::OnCheckpoint, report);
}

void RunOutput::OnEnd(const EndReport& report) {
  Tell(&TrainObserver::OnEnd, report);
}

RecordSizes RunOutput::Records() const {
  return {metrics_->size(), samples_->size()};
}

void RunOutput::SyncRecords() {
  // What cannot be written has been reported as such.
  metrics_->Sync().IgnoreError();
  samples_->Sync().IgnoreError();
}

}  // namespace charrnn
