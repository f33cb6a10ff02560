#ifndef CHARRNN_BASE_THREAD_POOL_H_
#define CHARRNN_BASE_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace charrnn {

// Threads that wait for loops to share. Between loops they sleep.
//
//   ThreadPool pool(4);
//   pool.ParallelFor(grains, [&](int64_t grain) { Compute(grain); });
//
// One thread at a time calls it; that thread works along. The destructor waits
// for the threads to end.
class ThreadPool {
 public:
  // `num_threads`, at least 1, counts the calling thread, so that one fewer are
  // started. Each of those runs `on_thread_start` before anything else. Where
  // the system refuses a thread, the pool does with fewer and logs a warning.
  explicit ThreadPool(int num_threads,
                      const std::function<void()>& on_thread_start = nullptr);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Calls f(0), ..., f(n - 1), each once, on whichever thread is free, and
  // returns when all have returned; what they wrote is then visible to the
  // caller. Indices are handed out in ascending order. `f` must not throw nor
  // call ParallelFor of the same pool; its calls may wait for one another only
  // if n <= num_threads(), when each has a thread to itself.
  void ParallelFor(int64_t n, absl::FunctionRef<void(int64_t)> f);

  int num_threads() const { return static_cast<int>(helpers_.size()) + 1; }

 private:
  // A loop under way; lives on the stack of ParallelFor.
  struct Loop {
    const int64_t n;
    const absl::FunctionRef<void(int64_t)> f;
    std::atomic<int64_t> next{0};  // the first index not yet handed out

    // Takes and runs indices until none is left.
    void Run();
  };

  // What a helper thread does all its life.
  void Help();

  // std:: and not absl::, because ThreadSanitizer sees these operations and not
  // those of the system's abseil.
  std::mutex mutex_;
  std::condition_variable work_;     // a loop has begun, or the pool ends
  std::condition_variable no_work_;  // the last helper has left the loop
  Loop* loop_ = nullptr;             // guarded by mutex_; null: none to join
  int num_running_ = 0;              // guarded by mutex_; helpers in a loop
  bool stopping_ = false;            // guarded by mutex_
  std::vector<std::thread> helpers_;
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_THREAD_POOL_H_
