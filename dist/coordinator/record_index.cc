#include "dist/coordinator/record_index.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/metrics/metrics_log.h"
#include "model/metrics/samples_file.h"
#include "model/train_observer.h"
#include "model/train_progress.h"

namespace charrnn {
namespace {

// What kind of record a line of metrics.jsonl is, and of which step.
class LineReader : public TrainObserver {
 public:
  explicit LineReader(absl::string_view line) {
    // A line that is no event is no record, whatever it is.
    ReplayMetrics(line, this).IgnoreError();
  }

  void OnTrain(const TrainReport& report) override {
    kind = RecordKind::kTrain;
    step = report.step;
  }
  void OnValidation(const ValidationReport& report) override {
    kind = RecordKind::kValidation;
    step = report.step;
  }

  RecordKind kind = RecordKind::kOther;
  int64_t step = 0;
};

}  // namespace

void RecordIndex::Begin(absl::string_view metrics_text,
                        absl::string_view samples_text) {
  *this = RecordIndex();
  size_t begin = 0;
  for (size_t end = metrics_text.find('\n'); end != absl::string_view::npos;
       end = metrics_text.find('\n', begin)) {
    const LineReader line(metrics_text.substr(begin, end - begin));
    Note(line.kind, line.step, static_cast<int64_t>(begin));
    begin = end + 1;
  }
  sizes_.metrics = static_cast<int64_t>(begin);
  sizes_.samples = WholeSamples(samples_text);
  ForEachSample(samples_text.substr(0, sizes_.samples),
                [&](int64_t sample_begin, const SampleReport& report) {
                  Note(RecordKind::kSample, report.step, sample_begin);
                });
}

bool RecordIndex::IsNew(RecordKind kind, int64_t step) const {
  const auto newest = newest_steps_.find(kind);
  return newest == newest_steps_.end() || newest->second < step;
}

int64_t RecordIndex::Newest(RecordKind kind) const {
  const auto newest = newest_steps_.find(kind);
  return newest == newest_steps_.end() ? 0 : newest->second;
}

void RecordIndex::Note(RecordKind kind, int64_t step, int64_t begin) {
  if (kind == RecordKind::kOther) return;
  if (IsNew(kind, step)) newest_steps_[kind] = step;
  std::vector<Mark>& marks = kind == RecordKind::kSample ? samples_ : metrics_;
  if (marks.empty() || marks.back().step < step) {
    marks.push_back({step, begin});
  }
}

void RecordIndex::Added(RecordKind kind, int64_t step,
                        const RecordSizes& after) {
  Note(kind, step,
       kind == RecordKind::kSample ? sizes_.samples : sizes_.metrics);
  sizes_ = after;
}

RecordSizes RecordIndex::SizesAsOf(int64_t step) const {
  const auto size = [&](const std::vector<Mark>& marks, int64_t all) {
    const auto first = std::upper_bound(
        marks.begin(), marks.end(), step,
        [](int64_t s, const Mark& mark) { return s < mark.step; });
    return first == marks.end() ? all : first->begin;
  };
  return {size(metrics_, sizes_.metrics), size(samples_, sizes_.samples)};
}

}  // namespace charrnn
