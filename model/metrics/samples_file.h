#ifndef CHARRNN_MODEL_METRICS_SAMPLES_FILE_H_
#define CHARRNN_MODEL_METRICS_SAMPLES_FILE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "model/metrics/append_log.h"
#include "model/train_observer.h"

namespace charrnn {

// Writes samples.txt: the texts sampled on the way, as they are, each below a
// line that tells its step and the training loss.
//
//   ==== step 100, loss 2.1034 (3.035 bpc) ====
//   ROMEO:
//   Whe the sore
//
// One thread at a time.
class SamplesFile : public TrainObserver {
 public:
  // Opens the file at `path`, new or to be continued.
  static absl::StatusOr<std::unique_ptr<SamplesFile>> Open(
      FileSystem* files, const std::string& path);

  // The first failure to write, or OK. After it nothing more is written.
  const absl::Status& status() const { return log_.status(); }

  void OnSample(const SampleReport& report) override;

 private:
  explicit SamplesFile(std::unique_ptr<WritableFile> file)
      : log_(std::move(file)) {}

  AppendLog log_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_SAMPLES_FILE_H_
