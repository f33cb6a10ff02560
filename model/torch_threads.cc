#include "model/torch_threads.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "base/thread_pool.h"

namespace charrnn {

std::unique_ptr<ThreadPool> MakeTorchThreadPool(int num_threads) {
  if (num_threads == 0) {
    num_threads =
        std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  // OpenMP and MKL keep the number of threads per calling thread.
  const auto compute_alone = [] { at::set_num_threads(1); };
  compute_alone();
  return std::make_unique<ThreadPool>(num_threads, compute_alone);
}

}  // namespace charrnn
