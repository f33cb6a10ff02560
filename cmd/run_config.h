#ifndef CHARRNN_CMD_RUN_CONFIG_H_
#define CHARRNN_CMD_RUN_CONFIG_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cmd/training_flags.h"
#include "model/config.h"
#include "model/training_plan.h"

// A run's config.json: what was asked for, and what it came to.
//
//   {"version": .., "corpus": {"name": .., "chars": .., "fingerprint": ..},
//    "device": .., "reduction": .., "model": {..}, "training": {..},
//    "sampling": {..}, "flags": {<name>: <value as it would be typed>, ..},
//    "typed": [<names of the flags that the user gave>]}

namespace charrnn {

// The text of config.json. `device` is "cpu" or "cuda:N".
std::string RunConfigJson(const TrainingRequest& request,
                          const std::set<std::string>& typed,
                          const std::string& device);

// Gives every flag that the user has not typed the value that it had in the run
// of `config_json`, but for those that say which run it is and how it is to go
// on; `typed` grows by those that were typed then, and by the precision, which
// not even a preset changes. InvalidArgument if the text is no config.json of
// this program.
absl::Status TakeOverFlags(absl::string_view config_json,
                           std::set<std::string>& typed);

// Compares the run of `config_json` with how it is now asked to go on. Returns
// a line for each change that a user should know of. FailedPrecondition, naming
// the flag and both values, if a change alters the numbers, unless
// `allow_changes` says that it is meant.
absl::StatusOr<std::vector<std::string>> CompareWithRun(
    absl::string_view config_json, const TrainingRequest& request,
    const std::string& device, bool allow_changes);

// Whether a run that has come to `step` may end where --max_steps or
// --num_epochs says, if this was typed. InvalidArgument, naming it, if that
// lies behind.
absl::Status CheckLimits(const TrainingConfig& training,
                         const TrainingPlan& plan,
                         const std::set<std::string>& typed, int64_t step);

}  // namespace charrnn

#endif  // CHARRNN_CMD_RUN_CONFIG_H_
