#include "base/thread_pool.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

#include "absl/functional/function_ref.h"
#include "base/log.h"

namespace charrnn {

ThreadPool::ThreadPool(int num_threads,
                       const std::function<void()>& on_thread_start) {
  CHARRNN_CHECK(num_threads >= 1) << "num_threads " << num_threads;
  helpers_.reserve(num_threads - 1);
  try {
    for (int i = 1; i < num_threads; ++i) {
      helpers_.emplace_back([this, on_thread_start] {
        if (on_thread_start != nullptr) on_thread_start();
        Help();
      });
    }
  } catch (const std::system_error& error) {
    // The system allows no more: fewer threads do the same work.
    CHARRNN_LOG(WARNING) << "computing with " << this->num_threads()
                         << " threads instead of " << num_threads << ": "
                         << error.what();
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::Loop::Run() {
  // Relaxed: the mutex, not the counter, makes writes visible.
  for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) f(i);
}

void ThreadPool::ParallelFor(int64_t n, absl::FunctionRef<void(int64_t)> f) {
  if (n <= 1 || helpers_.empty()) {
    for (int64_t i = 0; i < n; ++i) f(i);
    return;
  }
  Loop loop{n, f};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    CHARRNN_CHECK(loop_ == nullptr && num_running_ == 0)
        << "ParallelFor has two callers at a time";
    loop_ = &loop;
  }
  work_.notify_all();
  loop.Run();
  std::unique_lock<std::mutex> lock(mutex_);
  // A helper that wakes up late finds nothing to join, and is not waited for.
  loop_ = nullptr;
  no_work_.wait(lock, [this] { return num_running_ == 0; });
}

void ThreadPool::Help() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return loop_ != nullptr || stopping_; });
    if (stopping_) return;
    Loop* const loop = loop_;
    ++num_running_;
    lock.unlock();
    loop->Run();
    lock.lock();
    // All indices are handed out: nobody else needs to join, least of all this
    // thread again.
    loop_ = nullptr;
    if (--num_running_ == 0) no_work_.notify_one();
  }
}

}  // namespace charrnn
