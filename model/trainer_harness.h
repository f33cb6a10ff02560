// What the trainer's tests have in common.

#ifndef CHARRNN_MODEL_TRAINER_HARNESS_H_
#define CHARRNN_MODEL_TRAINER_HARNESS_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/corpus.h"
#include "model/checkpoint_store.h"
#include "model/gradient_reducer.h"
#include "model/parameter_layout.h"
#include "model/torch_threads.h"
#include "model/train_observer.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/training_plan.h"

namespace charrnn {

// The state that a run of `options` begins with.
inline TrainState FirstState(const Trainer::Options& options) {
  return *TrainState::Initial(ParameterLayout(options.model),
                              options.training.seed, "cpu");
}

// Trains from where `state` is, as one process with `threads` threads.
inline absl::Status RunTrainer(
    const Trainer::Options& options, const Corpus& corpus, int threads,
    TrainObserver& observer, CheckpointStore& store, TrainState& state,
    const std::function<Wish()>& wish = [] { return Wish::kNone; }) {
  const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(threads);
  LocalReducer reducer(pool.get());
  CHARRNN_ASSIGN_OR_RETURN(const TrainingPlan plan,
                           MakeTrainingPlan(options.training, corpus.size()));
  return Trainer(options, plan,
                 {&corpus, pool.get(), &reducer, &observer, &store,
                  Clock::Real(), wish},
                 &state)
      .Run();
}

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TRAINER_HARNESS_H_
