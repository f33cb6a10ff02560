#include "model/torch_threads.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "base/thread_pool.h"

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

std::unique_ptr<ThreadPool> MakeTorchThreadPool(int num_threads) {
  if (num_threads == 0) {
    num_threads = NumUsableCores();
  }
  // OpenMP and MKL keep the number of threads per calling thread.
  const auto compute_alone = [] { at::set_num_threads(1); };
  compute_alone();
  return std::make_unique<ThreadPool>(num_threads, compute_alone);
}

}  // namespace charrnn
