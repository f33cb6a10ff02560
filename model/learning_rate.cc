#include "model/learning_rate.h"

#include <cmath>
#include <cstdint>

#include "model/config.h"

namespace charrnn {

double LearningRate(const TrainingConfig& config, int64_t step,
                    int64_t total_steps) {
  const double full = config.learning_rate;
  const int64_t warmup = config.warmup_steps;
  if (step < warmup) return full * (step + 1) / warmup;
  if (config.lr_schedule == LrSchedule::kConstant) return full;
  if (step >= total_steps) return 0;
  constexpr double kPi = 3.141592653589793;
  const double progress =
      static_cast<double>(step - warmup) / (total_steps - warmup);
  return full * 0.5 * (1 + std::cos(kPi * progress));
}

}  // namespace charrnn
