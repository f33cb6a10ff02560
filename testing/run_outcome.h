#ifndef CHARRNN_TESTING_RUN_OUTCOME_H_
#define CHARRNN_TESTING_RUN_OUTCOME_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "testing/workplace.h"

namespace charrnn {

// Where RunOutcome() has the lines on checkpoints of metrics.jsonl.
inline constexpr char kCheckpointRecords[] = "metrics.jsonl, checkpoints";

// What a run has come to, and must be the same however it came there: the
// weights and moments of its newest checkpoint, its progress, samples, metrics
// and links, by what it is. Without what a clock has said, and without the
// lines that tell of generations.
std::map<std::string, std::string> RunOutcome(const Workplace& workplace,
                                              absl::string_view run_dir);

// A failure of the test, naming it, for each thing that differs.
void ExpectSameOutcome(const std::map<std::string, std::string>& outcome,
                       const std::map<std::string, std::string>& expected);

// The steps of a run's training records, in their order: with --log_every=1
// the ledger of the steps that count.
std::vector<int64_t> RecordedSteps(const Workplace& workplace,
                                   absl::string_view run_dir);

// The losses of a run's training records, nats per character.
std::vector<double> RecordedLosses(const Workplace& workplace,
                                   absl::string_view run_dir);

// Those of its validations.
std::vector<double> ValidationLosses(const Workplace& workplace,
                                     absl::string_view run_dir);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_RUN_OUTCOME_H_
