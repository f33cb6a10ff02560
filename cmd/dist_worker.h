#ifndef CHARRNN_CMD_DIST_WORKER_H_
#define CHARRNN_CMD_DIST_WORKER_H_

#include <functional>

#include "absl/status/status.h"
#include "cmd/command_line.h"
#include "dist/worker/worker.h"
#include "dist/worker_environment.h"

namespace charrnn {

// The life of a process that a supervisor has started: trains until the job has
// ended. Possible errors: Worker::Run()'s; Aborted if it is no fault of its own
// and another process is to take its place.
absl::Status RunDistWorker(const WorkerEnvironment& environment,
                           const CommandLine& command_line,
                           decltype(Worker::Options::probe) probe = nullptr);

}  // namespace charrnn

#endif  // CHARRNN_CMD_DIST_WORKER_H_
