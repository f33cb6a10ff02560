#ifndef CHARRNN_TESTING_PLANNED_FAULTS_H_
#define CHARRNN_TESTING_PLANNED_FAULTS_H_

#include <string>
#include <vector>

#include "dist/probe.h"

namespace charrnn {

// Something that goes wrong at a point of a worker's life (dist/probe.h).
struct PlannedFault {
  enum class Kind {
    kKill,             // kill -9
    kKillSoon,         // the same by another thread, while this one goes on
    kStop,             // SIGSTOP
    kError,            // an error of the worker's own
    kKillCoordinator,  // kill -9 of the process that a file in the folder names
  };

  std::string point;
  Kind kind = Kind::kKill;
  int local_rank = -1;  // of the worker; -1: whichever comes first
  // Steps that the worker has taken since the fault before this one.
  int calm_steps = 0;
};

// Faults that happen one after the other, each once, to whichever of a job's
// processes gets there; until the last one has, steps are slow. What has
// happened is in `folder`: an empty file "fault-<number>" each, counted from 0.
// It may hold "coordinator.pid".
struct FaultPlan {
  std::string folder;
  std::vector<PlannedFault> faults;

  // For a process's environment, and back.
  std::string ToText() const;
  static FaultPlan FromText(const std::string& text);
};

// The environment variable that carries a plan.
inline constexpr char kFaultPlanVariable[] = "CHARRNN_TEST_FAULTS";

// What the worker `local_rank` calls, so that the plan's faults happen to it.
Probe ProbeOf(const FaultPlan& plan, int local_rank);

// The environment variable that names a folder where workers note when they
// have finished a step: "steps-<process number>", a double a step, seconds of
// CLOCK_MONOTONIC.
inline constexpr char kStepLogVariable[] = "CHARRNN_TEST_STEP_LOG";

// What a worker calls that notes its steps in `folder`.
Probe StepLogProbe(const std::string& folder);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_PLANNED_FAULTS_H_
