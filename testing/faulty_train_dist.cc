// train_dist, to whose workers happens what CHARRNN_TEST_FAULTS plans.

#include <cstdlib>

#include "cmd/train_dist_main.h"
#include "dist/probe.h"
#include "dist/worker_environment.h"
#include "testing/planned_faults.h"

int main(int argc, char** argv) {
  return charrnn::TrainDistMain(
      argc, argv,
      [](const charrnn::WorkerEnvironment& worker) -> charrnn::Probe {
        const char* log = getenv(charrnn::kStepLogVariable);
        if (log != nullptr) return charrnn::StepLogProbe(log);
        const char* plan = getenv(charrnn::kFaultPlanVariable);
        if (plan == nullptr) return nullptr;
        return charrnn::ProbeOf(charrnn::FaultPlan::FromText(plan),
                                worker.local_rank);
      });
}
