#include "model/metrics/tensorboard_log.h"

#include <limits.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "model/metrics/append_log.h"
#include "model/metrics/display.h"
#include "model/metrics/tensorboard_format.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  if (gethostname(name, HOST_NAME_MAX) != 0) return "localhost";
  return name;
}

// TensorBoard renders Markdown; indented, a text is shown as it is.
std::string AsMarkdownCode(absl::string_view text) {
  return absl::StrCat(
      "    ", absl::StrReplaceAll(DisplayText(text), {{"\n", "\n    "}}));
}

float ToFloat(double value) { return static_cast<float>(value); }

}  // namespace

absl::StatusOr<std::unique_ptr<TensorBoardLog>> TensorBoardLog::Open(
    FileSystem* files, const std::string& run_dir, Clock* clock) {
  const std::string prefix =
      absl::StrCat("events.out.tfevents.", absl::ToUnixSeconds(clock->Now()),
                   ".", HostName());
  // Two starts within a second must not share a file.
  std::string path = JoinPath(run_dir, prefix);
  for (int i = 1; files->Exists(path); ++i) {
    path = JoinPath(run_dir, absl::StrCat(prefix, ".", i));
  }
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<AppendLog> log,
                           AppendLog::Open(*files, path));
  return absl::WrapUnique(new TensorBoardLog(std::move(log), clock));
}

TensorBoardLog::TensorBoardLog(std::unique_ptr<AppendLog> log, Clock* clock)
    : clock_(clock), log_(std::move(log)) {
  Append(VersionEvent(Now()));
}

double TensorBoardLog::Now() const {
  return static_cast<double>(absl::ToUnixMicros(clock_->Now())) / 1e6;
}

void TensorBoardLog::Append(absl::string_view event) {
  log_->Append(TfRecord(event));
}

void TensorBoardLog::OnStart(const RunPlan& plan) {
  if (plan.start_step == 0) return;
  Append(RestartEvent(Now(), plan.first_report_step));
}

void TensorBoardLog::OnTrain(const TrainReport& report) {
  Append(ScalarsEvent(Now(), report.step,
                      {{"loss/train", ToFloat(report.loss)},
                       {"bpc/train", ToFloat(BitsPerChar(report.loss))},
                       {"chars_per_s", ToFloat(report.chars_per_s)},
                       {"grad_norm", ToFloat(report.grad_norm)},
                       {"learning_rate", ToFloat(report.learning_rate)}}));
}

void TensorBoardLog::OnValidation(const ValidationReport& report) {
  std::vector<std::pair<std::string, float>> scalars = {
      {"loss/validation", ToFloat(report.loss)},
      {"bpc/validation", ToFloat(BitsPerChar(report.loss))}};
  if (report.bytes > 0) {
    const double bits = BitsPerByte(report.loss, report.chars, report.bytes);
    scalars.emplace_back("bpb/validation", ToFloat(bits));
  }
  Append(ScalarsEvent(Now(), report.step, scalars));
}

void TensorBoardLog::OnSample(const SampleReport& report) {
  Append(TextEvent(Now(), report.step, "sample", AsMarkdownCode(report.text)));
}

}  // namespace charrnn
