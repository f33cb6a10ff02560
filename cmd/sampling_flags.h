#ifndef CHARRNN_CMD_SAMPLING_FLAGS_H_
#define CHARRNN_CMD_SAMPLING_FLAGS_H_

#include <cstdint>

#include "absl/flags/declare.h"
#include "absl/status/statusor.h"
#include "model/config.h"

// Of the shuffle, the initial weights, dropout and sampling alike.
ABSL_DECLARE_FLAG(uint64_t, seed);

namespace charrnn {

// What the sampling flags say, checked.
absl::StatusOr<SamplingConfig> SamplingConfigFromFlags();

}  // namespace charrnn

#endif  // CHARRNN_CMD_SAMPLING_FLAGS_H_
