#ifndef CHARRNN_CMD_COORDINATOR_STATUS_H_
#define CHARRNN_CMD_COORDINATOR_STATUS_H_

#include <string>

#include "dist/coordinator/coordinator.pb.h"

namespace charrnn {

// How a job stands, for a person, in a few lines: its workers with the slowest
// one marked, its last checkpoint, its generations and why each began.
std::string StatusText(const wire::GetStatusResponse& status);

}  // namespace charrnn

#endif  // CHARRNN_CMD_COORDINATOR_STATUS_H_
