#ifndef CHARRNN_CMD_RUN_TRAINING_H_
#define CHARRNN_CMD_RUN_TRAINING_H_

#include <functional>

#include "absl/status/status.h"
#include "base/clock.h"
#include "cmd/run_start.h"
#include "model/train_observer.h"
#include "model/trainer.h"

namespace charrnn {

// Trains what StartRun() has begun, in this process, until its end or until
// `wish` has it otherwise. What is told to whom is up to the caller, so that
// whoever watches `train` by a program of its own sees the steps that a user
// gets.
//
// Possible errors: those of Trainer::Run.
absl::Status RunTraining(Clock& clock, RunStart& run, TrainObserver& observer,
                         const std::function<Wish()>& wish);

}  // namespace charrnn

#endif  // CHARRNN_CMD_RUN_TRAINING_H_
