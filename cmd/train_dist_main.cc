#include "cmd/train_dist_main.h"

#include <cstdlib>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/dist_host.h"
#include "cmd/dist_worker.h"
#include "dist/launch_environment.h"
#include "dist/probe.h"
#include "dist/supervisor.h"
#include "dist/worker_environment.h"

namespace charrnn {
namespace {

absl::Status TrainDist(
    const CommandLine& command_line,
    const std::function<Probe(const WorkerEnvironment&)>& probe) {
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<WorkerEnvironment> worker,
                           ReadWorkerEnvironment(CurrentEnvironment()));
  if (!worker.has_value()) return RunDistHost(command_line);
  absl::Status status =
      RunDistWorker(*worker, command_line, probe ? probe(*worker) : nullptr);
  // The supervisor starts another one, and nobody needs to read why.
  if (absl::IsAborted(status)) std::_Exit(kStartAnewExitCode);
  return status;
}

}  // namespace

int TrainDistMain(int argc, const char* const* argv,
                  const std::function<Probe(const WorkerEnvironment&)>& probe) {
  return RunMain(argc, argv,
                 {"train_dist",
                  "Trains a character-level recurrent language model with one "
                  "process a GPU, or a core, on one host or as one host of "
                  "many.",
                  /*arguments=*/""},
                 [&](const CommandLine& command_line) {
                   return TrainDist(command_line, probe);
                 });
}

}  // namespace charrnn
