#include "model/metrics/metrics_log.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "model/metrics/append_log.h"
#include "model/metrics/display.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string Line(const ordered_json& event) {
  // A path need not be UTF-8.
  return event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// The length of the whole lines among the first `keep` bytes of `text`.
size_t WholeLines(absl::string_view text, int64_t keep) {
  text = text.substr(0, keep);
  const size_t newline = text.rfind('\n');
  return newline == absl::string_view::npos ? 0 : newline + 1;
}

// Reads the fields of one event; one that is missing or of another type than
// its target makes the event invalid.
class EventReader {
 public:
  explicit EventReader(const json& event) : event_(event) {}

  void Read(const char* key, double* value) {
    const json field = event_.value(key, json::object());
    if (field.is_number()) {
      *value = field.get<double>();
    } else if (field.is_null()) {
      *value = std::numeric_limits<double>::quiet_NaN();
    } else {
      ok_ = false;
    }
  }
  void Read(const char* key, int64_t* value) {
    const json field = event_.value(key, json::object());
    if (field.is_number_integer()) {
      *value = field.get<int64_t>();
    } else {
      ok_ = false;
    }
  }
  // Of events where it is not known, too, and of earlier versions, which do not
  // have it.
  void ReadIfKnown(const char* key, int64_t* value) {
    if (!event_.value(key, json()).is_null()) Read(key, value);
  }
  bool ok() const { return ok_; }

 private:
  const json& event_;
  bool ok_ = true;
};

// Tells `observer` an event that is its concern; false if that is not whole.
// `lowest` is the lowest validation loss so far.
bool Replay(const json& event, double* lowest, TrainObserver* observer) {
  if (!event.is_object() || !event.contains("event")) return false;
  EventReader reader(event);
  if (event["event"] == "train") {
    TrainReport report;
    reader.Read("step", &report.step);
    reader.Read("epoch", &report.epoch);
    reader.Read("loss", &report.loss);
    reader.Read("chars_per_s", &report.chars_per_s);
    reader.Read("grad_norm", &report.grad_norm);
    reader.Read("lr", &report.learning_rate);
    reader.Read("wall_s", &report.wall_s);
    if (reader.ok()) observer->OnTrain(report);
  } else if (event["event"] == "validation") {
    ValidationReport report;
    reader.Read("step", &report.step);
    reader.Read("epoch", &report.epoch);
    reader.Read("loss", &report.loss);
    reader.Read("chars", &report.chars);
    reader.ReadIfKnown("bytes", &report.bytes);
    report.best = report.loss < *lowest;
    if (report.best) *lowest = report.loss;
    if (reader.ok()) observer->OnValidation(report);
  }
  return reader.ok();
}

}  // namespace

std::string MetricsLine(const TrainReport& report) {
  return Line({{"event", "train"},
               {"step", report.step},
               {"epoch", report.epoch},
               {"loss", report.loss},
               {"bpc", BitsPerChar(report.loss)},
               {"chars_per_s", report.chars_per_s},
               {"grad_norm", report.grad_norm},
               {"lr", report.learning_rate},
               {"wall_s", report.wall_s}});
}

std::string MetricsLine(const ValidationReport& report) {
  return Line({{"event", "validation"},
               {"step", report.step},
               {"epoch", report.epoch},
               {"loss", report.loss},
               {"bpc", BitsPerChar(report.loss)},
               {"bpb", BitsPerByte(report.loss, report.chars, report.bytes)},
               {"chars", report.chars},
               {"bytes", report.bytes > 0 ? json(report.bytes) : json()}});
}

std::string MetricsLine(const CheckpointReport& report) {
  return Line({{"event", "checkpoint"},
               {"step", report.step},
               {"path", report.path},
               {"best", report.best}});
}

std::string MetricsLine(const EndReport& report) {
  return Line({{"event", "end"},
               {"step", report.step},
               {"wall_s", report.wall_s},
               {"reason", report.reason}});
}

absl::Status ReplayMetrics(absl::string_view lines, TrainObserver* observer) {
  int64_t number = 0;
  double lowest = std::numeric_limits<double>::infinity();
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) {
    ++number;
    if (line.empty()) continue;
    const absl::StatusOr<json> event = ParseStrictJson(line, /*max_depth=*/8);
    if (!event.ok() || !Replay(*event, &lowest, observer)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " of the metrics is no event"));
    }
  }
  return absl::OkStatus();
}

bool TellsTheEnd(absl::string_view lines) {
  absl::ConsumeSuffix(&lines, "\n");
  const size_t newline = lines.rfind('\n');
  const absl::StatusOr<json> last = ParseStrictJson(
      newline == absl::string_view::npos ? lines : lines.substr(newline + 1),
      /*max_depth=*/8);
  return last.ok() && last->is_object() &&
         last->value("event", json()) == "end";
}

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(
    FileSystem* files, const std::string& path, int64_t keep) {
  if (files->Exists(path)) {
    CHARRNN_ASSIGN_OR_RETURN(const std::string old, files->ReadFile(path));
    keep = static_cast<int64_t>(WholeLines(old, keep));
  }
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<AppendLog> log,
                           AppendLog::Open(*files, path, keep));
  return absl::WrapUnique(new MetricsLog(std::move(log)));
}

void MetricsLog::Append(absl::string_view line) { log_->Append(line); }

void MetricsLog::OnTrain(const TrainReport& report) {
  Append(MetricsLine(report));
}
void MetricsLog::OnValidation(const ValidationReport& report) {
  Append(MetricsLine(report));
}
void MetricsLog::OnCheckpoint(const CheckpointReport& report) {
  Append(MetricsLine(report));
}
void MetricsLog::OnEnd(const EndReport& report) { Append(MetricsLine(report)); }

}  // namespace charrnn
