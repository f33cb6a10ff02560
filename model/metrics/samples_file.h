#ifndef CHARRNN_MODEL_METRICS_SAMPLES_FILE_H_
#define CHARRNN_MODEL_METRICS_SAMPLES_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "model/metrics/append_log.h"
#include "model/train_observer.h"

namespace charrnn {

// Tells `observer` the samples in `text`, the content of a samples.txt, so that
// it knows of a resumed run's beginning.
void ReplaySamples(absl::string_view text, TrainObserver* observer);

// Likewise, with the byte of `text` at which the sample's heading begins.
void ForEachSample(
    absl::string_view text,
    absl::FunctionRef<void(int64_t begin, const SampleReport&)> tell);

// The length of the whole samples in `text`, the content of a samples.txt: less
// what a power cut has left of one at its end. A sample that was cut just where
// its own text has an empty line cannot be told from a whole one.
int64_t WholeSamples(absl::string_view text);

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
  // Opens the file at `path`, new or to be continued behind its first `keep`
  // bytes.
  static absl::StatusOr<std::unique_ptr<SamplesFile>> Open(
      FileSystem* files, const std::string& path,
      int64_t keep = AppendLog::kAll);

  // Adds text as it is.
  void Append(absl::string_view text) { log_->Append(text); }

  // The file's length in bytes: what `keep` is to be after a resume.
  int64_t size() const { return log_->size(); }

  // Returns once all samples would survive a power cut. From any thread.
  absl::Status Sync() { return log_->Sync(); }

  // Why records are missing from the file; OK if none is.
  const absl::Status& status() const { return log_->status(); }

  void OnSample(const SampleReport& report) override;

 private:
  explicit SamplesFile(std::unique_ptr<AppendLog> log) : log_(std::move(log)) {}

  const std::unique_ptr<AppendLog> log_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_SAMPLES_FILE_H_
