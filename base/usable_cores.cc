#include "base/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace charrnn {

// Not std::thread::hardware_concurrency(), which counts the machine's cores:
// batch systems and containers give a process some of them.
int NumUsableCores() {
  cpu_set_t cores;
  if (sched_getaffinity(/*pid=*/0, sizeof(cores), &cores) == 0) {
    return CPU_COUNT(&cores);
  }
  // A machine with more cores than such a set holds.
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace charrnn
