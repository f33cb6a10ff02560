#ifndef CHARRNN_MODEL_METRICS_RUN_OUTPUT_H_
#define CHARRNN_MODEL_METRICS_RUN_OUTPUT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "model/metrics/html_report.h"
#include "model/metrics/metrics_log.h"
#include "model/metrics/progress_line.h"
#include "model/metrics/samples_file.h"
#include "model/metrics/tensorboard_log.h"
#include "model/train_observer.h"
#include "model/train_progress.h"

namespace charrnn {

// All that a run shows and writes beside its checkpoints: the progress line on
// stderr, and in the run's folder metrics.jsonl, TensorBoard's events,
// samples.txt and report.html.
class RunOutput : public TrainObserver {
 public:
  // Opens them in `run_dir`, the folder of a run that has its config.json, to
  // be continued: of what an earlier session recorded, all behind `keep` is cut
  // off. Possible errors: what the file system says, naming the path.
  static absl::StatusOr<std::unique_ptr<RunOutput>> Open(
      FileSystem* files, Clock* clock, const std::string& run_dir,
      const RecordSizes& keep);

  // Why a file is not complete, or OK.
  absl::Status status() const;

  // Adds a line of a kind that training does not know to metrics.jsonl, with
  // its newline.
  void AppendMetrics(absl::string_view line);

  // Tries to make up for what could not be written to metrics.jsonl and
  // samples.txt; whether they are complete then.
  absl::Status CompleteRecords();

  void OnStart(const RunPlan& plan) override;
  void OnStep(const StepReport& report) override;
  void OnTrain(const TrainReport& report) override;
  void OnValidation(const ValidationReport& report) override;
  void OnSample(const SampleReport& report) override;
  void OnCheckpoint(const CheckpointReport& report) override;
  void OnEnd(const EndReport& report) override;
  RecordSizes Records() const override;
  void SyncRecords() override;

 private:
  RunOutput(std::unique_ptr<MetricsLog> metrics,
            std::unique_ptr<TensorBoardLog> events,
            std::unique_ptr<SamplesFile> samples,
            std::unique_ptr<HtmlReport> report);

  // Tells all of them, and a person when one of them cannot write.
  template <typename Event>
  void Tell(void (TrainObserver::*handler)(const Event&), const Event& event);

  bool complete_ = true;  // as a person was last told
  const std::unique_ptr<MetricsLog> metrics_;
  const std::unique_ptr<TensorBoardLog> events_;
  const std::unique_ptr<SamplesFile> samples_;
  const std::unique_ptr<HtmlReport> report_;
  ProgressLine progress_;
  const std::vector<TrainObserver*> all_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_RUN_OUTPUT_H_
