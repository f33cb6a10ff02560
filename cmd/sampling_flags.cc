#include "cmd/sampling_flags.h"

#include <cstdint>

#include "absl/flags/flag.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "model/config.h"

ABSL_FLAG(int64_t, max_generate, 400, "Characters to generate.");
ABSL_FLAG(double, temperature, 0.9,
          "What logits are divided by: below 1 more cautious, above 1 bolder, "
          "0 always the most probable character.");
ABSL_FLAG(int, top_k, 40,
          "Sample from this many of the most probable characters; 0: all.");
ABSL_FLAG(double, top_p, 0.9,
          "Sample from the fewest most probable characters whose "
          "probabilities reach this sum; 1: all.");
ABSL_FLAG(uint64_t, seed, 42,
          "Seed of all randomness: equal seeds give equal results.");

namespace charrnn {

absl::StatusOr<SamplingConfig> SamplingConfigFromFlags() {
  SamplingConfig config;
  config.max_generate = absl::GetFlag(FLAGS_max_generate);
  config.temperature = absl::GetFlag(FLAGS_temperature);
  config.top_k = absl::GetFlag(FLAGS_top_k);
  config.top_p = absl::GetFlag(FLAGS_top_p);
  config.seed = absl::GetFlag(FLAGS_seed);
  CHARRNN_RETURN_IF_ERROR(Validate(config));
  return config;
}

}  // namespace charrnn
