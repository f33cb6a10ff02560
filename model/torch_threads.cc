#include "model/torch_threads.h"

#include <ATen/Parallel.h>

#include <memory>

#include "base/thread_pool.h"
#include "base/usable_cores.h"

namespace charrnn {

void SetTorchThreads(int num_threads) { at::set_num_threads(num_threads); }

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
