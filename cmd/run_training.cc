#include "cmd/run_training.h"

#include <functional>

#include "absl/status/status.h"
#include "base/clock.h"
#include "cmd/run_start.h"
#include "cmd/training_flags.h"
#include "model/determinism.h"
#include "model/gradient_reducer.h"
#include "model/train_observer.h"
#include "model/trainer.h"

namespace charrnn {

absl::Status RunTraining(Clock& clock, RunStart& run, TrainObserver& observer,
                         const std::function<Wish()>& wish) {
  LocalReducer reducer(run.compute.pool.get());
  Trainer::Options options;
  options.model = run.request.model;
  options.training = run.request.training;
  options.sampling = run.request.sampling;
  options.kernels = run.kernels;
  options.precision = run.request.precision;
  options.invariant = ResolvedReduction(run.request.reduction,
                                        run.compute.device) == "invariant";
  if (options.invariant) ComputeDeterministically();
  options.ahead = !options.invariant && run.compute.device != "cpu";
  Trainer trainer(options, run.plan,
                  {run.request.corpus.get(), run.compute.pool.get(), &reducer,
                   &observer, run.store.get(), &clock, wish},
                  &run.state);
  return trainer.Run();
}

}  // namespace charrnn
