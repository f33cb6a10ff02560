#ifndef CHARRNN_DIST_COORDINATOR_DURABLE_STATE_H_
#define CHARRNN_DIST_COORDINATOR_DURABLE_STATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dist/coordinator/membership.h"

namespace charrnn {

// What a coordinator's next process needs, beside the run's folder, to go on
// with the job: the content of its coordinator.json.
struct DurableState {
  Membership::Durable membership;
  std::string instruction_set;  // empty: not agreed upon yet
};

std::string ToJson(const DurableState& state);

// Reads what ToJson wrote. InvalidArgument, naming what is wrong, for anything
// else.
absl::StatusOr<DurableState> DurableStateFromJson(absl::string_view text);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_DURABLE_STATE_H_
