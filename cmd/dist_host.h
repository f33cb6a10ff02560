#ifndef CHARRNN_CMD_DIST_HOST_H_
#define CHARRNN_CMD_DIST_HOST_H_

#include "absl/status/status.h"
#include "cmd/command_line.h"

namespace charrnn {

// The life of a `train_dist` that a user or a launcher has started: one host of
// a job, with its coordinator or with another host's. Starts and watches this
// host's workers until the job has ended.
//
// Possible errors: InvalidArgument and FailedPrecondition for what the user can
// mend; Cancelled if the job was stopped; Internal with its first error if it
// has failed.
absl::Status RunDistHost(const CommandLine& command_line);

}  // namespace charrnn

#endif  // CHARRNN_CMD_DIST_HOST_H_
