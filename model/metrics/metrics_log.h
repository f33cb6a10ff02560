#ifndef CHARRNN_MODEL_METRICS_METRICS_LOG_H_
#define CHARRNN_MODEL_METRICS_METRICS_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "model/metrics/append_log.h"
#include "model/train_observer.h"

namespace charrnn {

// One event as a line of metrics.jsonl: a JSON object and a newline. Losses
// are in nats per character, "bpc" in bits, "bpb" in bits per byte; a number
// that is not finite is null, which JSON has no other word for, and so are
// bytes that are not known.
//
//   {"event":"train","step":100,"epoch":2,"loss":..,"bpc":..,
//    "chars_per_s":..,"grad_norm":..,"lr":..,"wall_s":..}
//   {"event":"validation","step":..,"epoch":..,"loss":..,"bpc":..,
//    "bpb":..,"chars":..,"bytes":..}
//   {"event":"checkpoint","step":..,"path":..,"best":..}
//   {"event":"end","step":..,"wall_s":..,"reason":..}
std::string MetricsLine(const TrainReport& report);
std::string MetricsLine(const ValidationReport& report);
std::string MetricsLine(const CheckpointReport& report);
std::string MetricsLine(const EndReport& report);

// Tells `observer` the train and validation events in `lines`, the content of
// a metrics.jsonl, so that it knows of a resumed run's beginning. Lines of
// other kinds are left out. InvalidArgument names the first line that is no
// event, having told those before it.
absl::Status ReplayMetrics(absl::string_view lines, TrainObserver* observer);

inline constexpr char kMetricsFileName[] = "metrics.jsonl";

// Whether `lines`, the content of a metrics.jsonl, tell of the run's end.
bool TellsTheEnd(absl::string_view lines);

// Writes metrics.jsonl while a model is trained, each line when it happens.
// One thread at a time.
class MetricsLog : public TrainObserver {
 public:
  // Opens the file at `path`, new or to be continued. Of an old one the first
  // `keep` bytes stay, less a line without an end.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(
      FileSystem* files, const std::string& path,
      int64_t keep = AppendLog::kAll);

  // Adds a line of a kind that training does not know, with its newline.
  void Append(absl::string_view line);

  // The file's length in bytes: what `keep` is to be after a resume.
  int64_t size() const { return log_->size(); }

  // Returns once all lines would survive a power cut. From any thread.
  absl::Status Sync() { return log_->Sync(); }

  // Why records are missing from the file; OK if none is.
  const absl::Status& status() const { return log_->status(); }

  void OnTrain(const TrainReport& report) override;
  void OnValidation(const ValidationReport& report) override;
  void OnCheckpoint(const CheckpointReport& report) override;
  void OnEnd(const EndReport& report) override;

 private:
  explicit MetricsLog(std::unique_ptr<AppendLog> log) : log_(std::move(log)) {}

  const std::unique_ptr<AppendLog> log_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_METRICS_LOG_H_
