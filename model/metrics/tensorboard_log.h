#ifndef CHARRNN_MODEL_METRICS_TENSORBOARD_LOG_H_
#define CHARRNN_MODEL_METRICS_TENSORBOARD_LOG_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "model/metrics/append_log.h"
#include "model/train_observer.h"

namespace charrnn {

// Writes events.out.tfevents.<unix time>.<host>, for `tensorboard --logdir`:
// the curves loss/train, loss/validation, bpc/train, bpc/validation,
// bpb/validation, chars_per_s, grad_norm and learning_rate, and the texts
// "sample". A run that is resumed adds a file, and TensorBoard shows one curve
// without the steps that were done twice. One thread at a time.
class TensorBoardLog : public TrainObserver {
 public:
  // Opens a file in the folder `run_dir`, which must exist. `clock` gives the
  // time of each event and outlives the log.
  static absl::StatusOr<std::unique_ptr<TensorBoardLog>> Open(
      FileSystem* files, const std::string& run_dir, Clock* clock);

  // Why records are missing from the file; OK if none is.
  const absl::Status& status() const { return log_->status(); }

  void OnStart(const RunPlan& plan) override;
  void OnTrain(const TrainReport& report) override;
  void OnValidation(const ValidationReport& report) override;
  void OnSample(const SampleReport& report) override;

 private:
  TensorBoardLog(std::unique_ptr<AppendLog> log, Clock* clock);

  double Now() const;
  void Append(absl::string_view event);

  Clock* const clock_;
  const std::unique_ptr<AppendLog> log_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_TENSORBOARD_LOG_H_
