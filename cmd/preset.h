#ifndef CHARRNN_CMD_PRESET_H_
#define CHARRNN_CMD_PRESET_H_

#include <set>
#include <string>

#include "absl/status/status.h"

namespace charrnn {

// Gives the flags that --preset names their values there, but for those that
// are in `typed`. InvalidArgument if there is no such preset.
absl::Status ApplyPreset(const std::set<std::string>& typed);

}  // namespace charrnn

#endif  // CHARRNN_CMD_PRESET_H_
