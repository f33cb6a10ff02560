#ifndef CHARRNN_DIST_COORDINATOR_RECORD_INDEX_H_
#define CHARRNN_DIST_COORDINATOR_RECORD_INDEX_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/train_progress.h"

namespace charrnn {

enum class RecordKind {
  kTrain,
  kValidation,
  kSample,
  // A line of metrics.jsonl on something else (a generation, a checkpoint, the
  // end): it has a length and no step of its own.
  kOther,
};

// What a run's metrics.jsonl and samples.txt hold, by step, so that each record
// is kept once although a step may be done again after a failure.
//
//   RecordIndex index;
//   index.Begin(metrics_text, samples_text);
//   auto metrics = MetricsLog::Open(files, path, index.sizes().metrics);
//   if (index.IsNew(RecordKind::kTrain, report.step)) {
//     metrics->OnTrain(report);
//     index.Added(RecordKind::kTrain, report.step, {metrics->size(), ...});
//   }
//
// A kind's records come in ascending order of step. Not thread-safe.
class RecordIndex {
 public:
  // Starts anew with what the two files hold. What a power cut has left of a
  // record at the end of one does not count, nor does what is no record. A
  // sample whose own text has a heading in it is taken for two.
  void Begin(absl::string_view metrics_text, absl::string_view samples_text);

  // How long both files are, less what does not count at their ends: whoever
  // opens them to go on keeps as much.
  const RecordSizes& sizes() const { return sizes_; }

  // False if there is a record of this kind of `step` or a later one. One of
  // kOther is always new.
  bool IsNew(RecordKind kind, int64_t step) const;

  // The greatest step of a record of this kind; 0: there is none.
  int64_t Newest(RecordKind kind) const;

  // A record was written, and the files are as long as `after` now. Each has to
  // be told, those of kOther too: the next one begins there. The step of kOther
  // counts for nothing.
  void Added(RecordKind kind, int64_t step, const RecordSizes& after);

  // What a run that goes on from a checkpoint of `step` has to keep: of each
  // file all up to its first record of training, validation or a sample with a
  // greater step.
  RecordSizes SizesAsOf(int64_t step) const;

 private:
  // Where a record begins whose step is greater than all before it in its file.
  struct Mark {
    int64_t step = 0;
    int64_t begin = 0;
  };

  // Notes a record that begins at `begin` of its file.
  void Note(RecordKind kind, int64_t step, int64_t begin);

  RecordSizes sizes_;
  std::map<RecordKind, int64_t> newest_steps_;
  // In ascending order, of steps and places both.
  std::vector<Mark> metrics_;
  std::vector<Mark> samples_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_RECORD_INDEX_H_
