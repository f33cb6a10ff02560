// Trains a model with several processes, on one host or as one host of many.

#include <cstdlib>
#include <optional>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/dist_host.h"
#include "cmd/dist_worker.h"
#include "dist/launch_environment.h"
#include "dist/supervisor.h"
#include "dist/worker_environment.h"

namespace charrnn {
namespace {

absl::Status TrainDist(const CommandLine& command_line) {
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<WorkerEnvironment> worker,
                           ReadWorkerEnvironment(CurrentEnvironment()));
  if (!worker.has_value()) return RunDistHost(command_line);
  absl::Status status = RunDistWorker(*worker, command_line);
  // The supervisor starts another one, and nobody needs to read why.
  if (absl::IsAborted(status)) std::_Exit(kStartAnewExitCode);
  return status;
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"train_dist",
       "Trains a character-level recurrent language model with one process a "
       "GPU, or a core, on one host or as one host of many.",
       /*arguments=*/""},
      charrnn::TrainDist);
}
