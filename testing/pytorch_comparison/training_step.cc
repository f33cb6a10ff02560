// Trains as `train` does, with its flags, in the turns that standard input
// gives it (turns.h): what is timed is all that lies between two steps of a
// user's run.

#include <atomic>
#include <iostream>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/run_start.h"
#include "cmd/run_training.h"
#include "model/train_observer.h"
#include "model/trainer.h"
#include "testing/pytorch_comparison/turns.h"

namespace charrnn {
namespace {

// Lets the trainer go from step to step as long as there are turns.
class TurnObserver : public TrainObserver {
 public:
  explicit TurnObserver(Turns* turns) : turns_(*turns) {}

  void OnStart(const RunPlan&) override { goes_on_ = turns_.Begin(); }
  void OnStep(const StepReport&) override {
    if (goes_on_) goes_on_ = turns_.StepDone();
  }

  bool goes_on() const { return goes_on_; }

 private:
  Turns& turns_;
  std::atomic<bool> goes_on_ = true;  // any thread may ask
};

absl::Status TrainInTurns(const CommandLine& command_line) {
  Clock& clock = *Clock::Real();
  CHARRNN_ASSIGN_OR_RETURN(RunStart run,
                           StartRun(*FileSystem::Real(), clock, command_line));
  Turns turns(&clock, &std::cin, &std::cout);
  TurnObserver observer(&turns);
  const absl::Status status = RunTraining(clock, run, observer, [&] {
    return observer.goes_on() ? Wish::kNone : Wish::kYield;
  });
  CHARRNN_RETURN_IF_ERROR(turns.status());
  return absl::IsAborted(status) ? absl::OkStatus() : status;
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"training_step", "Trains in turns that standard input gives.",
       /*arguments=*/""},
      charrnn::TrainInTurns);
}
