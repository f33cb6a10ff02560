#ifndef CHARRNN_CMD_PRESET_H_
#define CHARRNN_CMD_PRESET_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace charrnn {

// Gives the flags that --preset names their values there, but for those that
// are in `typed`, and returns which these are. InvalidArgument if there is no
// such preset.
absl::StatusOr<std::set<std::string>> ApplyPreset(
    const std::set<std::string>& typed);

}  // namespace charrnn

#endif  // CHARRNN_CMD_PRESET_H_
