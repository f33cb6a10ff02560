#ifndef CHARRNN_CMD_TRAIN_DIST_MAIN_H_
#define CHARRNN_CMD_TRAIN_DIST_MAIN_H_

#include <functional>

#include "dist/probe.h"
#include "dist/worker_environment.h"

namespace charrnn {

// The main function of train_dist: a host, or one of its workers. `probe` makes
// what a worker is to call at the points of its life; for tests.
int TrainDistMain(
    int argc, const char* const* argv,
    const std::function<Probe(const WorkerEnvironment&)>& probe = nullptr);

}  // namespace charrnn

#endif  // CHARRNN_CMD_TRAIN_DIST_MAIN_H_
