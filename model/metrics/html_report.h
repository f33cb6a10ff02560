#ifndef CHARRNN_MODEL_METRICS_HTML_REPORT_H_
#define CHARRNN_MODEL_METRICS_HTML_REPORT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "model/train_observer.h"

namespace charrnn {

// What a report tells of a run.
struct ReportContent {
  std::string title;  // such as the run's name
  // Names and values in the order in which they are shown.
  std::vector<std::pair<std::string, std::string>> settings;
  RunPlan plan;
  std::vector<TrainReport> training;
  std::vector<ValidationReport> validation;
  std::vector<SampleReport> samples;
  std::optional<EndReport> end;  // none while the run goes on
};

// The report as one HTML page that needs no other file and no network:
// results, loss curves, samples and settings. Texts of the content are shown
// as they are, whatever they look like to a browser.
std::string RenderHtmlReport(const ReportContent& content);

// Keeps the page at `path` up to date: replaced as a whole after each
// validation and at the end. What is told before OnStart, such as the events
// of a run that is resumed (see ReplayMetrics), is remembered and not yet
// written. One thread at a time.
class HtmlReport : public TrainObserver {
 public:
  HtmlReport(FileSystem* files, std::string path, std::string title,
             std::vector<std::pair<std::string, std::string>> settings);

  // The last failure to write, or OK once a later page has been written.
  const absl::Status& status() const { return status_; }

  void OnStart(const RunPlan& plan) override;
  void OnTrain(const TrainReport& report) override;
  void OnValidation(const ValidationReport& report) override;
  void OnSample(const SampleReport& report) override;
  void OnEnd(const EndReport& report) override;

 private:
  void Write();

  FileSystem* const files_;
  const std::string path_;
  ReportContent content_;
  bool started_ = false;
  absl::Status status_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_HTML_REPORT_H_
