#ifndef CHARRNN_MODEL_TORCH_THREADS_H_
#define CHARRNN_MODEL_TORCH_THREADS_H_

#include <memory>

#include "base/thread_pool.h"

namespace charrnn {

// Threads that LibTorch's own operators use, when this thread calls them.
void SetTorchThreads(int num_threads);

// A pool whose threads compute with LibTorch, and the calling thread with it,
// each by itself: LibTorch's own parallelism is turned off, because the bits
// of its matrix products depend on the number of threads that share them.
// `num_threads` 0 stands for NumUsableCores().
std::unique_ptr<ThreadPool> MakeTorchThreadPool(int num_threads);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TORCH_THREADS_H_
