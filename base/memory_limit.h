#ifndef CHARRNN_BASE_MEMORY_LIMIT_H_
#define CHARRNN_BASE_MEMORY_LIMIT_H_

#include <cstdint>
#include <string>

namespace charrnn {

// Bytes of memory that this process can have at most: the least of what the
// machine has, what its control groups allow it, as containers and Slurm do,
// and RLIMIT_AS (`ulimit -v`).
int64_t MemoryLimit();

// What the control groups alone allow, of version 1 or 2, as /proc and /sys
// under `root` say; the greatest int64_t if they set no limit.
int64_t ControlGroupLimit(const std::string& root);

}  // namespace charrnn

#endif  // CHARRNN_BASE_MEMORY_LIMIT_H_
