#ifndef CHARRNN_MODEL_LEARNING_RATE_H_
#define CHARRNN_MODEL_LEARNING_RATE_H_

#include <cstdint>

#include "model/config.h"

namespace charrnn {

// The learning rate of step `step`, counted from 0, of a run that ends at
// `total_steps`: a linear rise over `warmup_steps`, (step + 1) / warmup_steps
// of the full rate, so that the first step already learns; then the full rate
// or, under kCosine, half a cosine from it to 0 at `total_steps` (Loshchilov
// and Hutter, "SGDR", 2017, equation 5, without restarts).
//
// A function of its arguments alone: a resumed run needs no schedule state.
double LearningRate(const TrainingConfig& config, int64_t step,
                    int64_t total_steps);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_LEARNING_RATE_H_
