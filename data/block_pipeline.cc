#include "data/block_pipeline.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "data/text_source.h"

namespace charrnn {
namespace {

class Pipeline {
 public:
  explicit Pipeline(const BlockStages* stages) : stages_(*stages) {}

  // What each thread does: takes blocks until there are no more.
  void Work(int worker) {
    TextBlock block;
    bool more = true;
    while (more) {
      const auto [number, got] = Read(&block);
      if (number < 0) return;
      more = got.ok() && *got;
      if (more) stages_.work(worker, block);
      more = Finish(number,
                    [&, got = got] {
                      if (!got.ok() || !*got) return got.status();
                      return stages_.finish(worker, block);
                    }) &&
             more;
    }
  }

  absl::Status status() const { return status_; }

 private:
  struct Fetched {
    int64_t number;  // of the block; -1: there are no more
    absl::StatusOr<bool> got;
  };

  Fetched Read(TextBlock* block) {
    const std::lock_guard<std::mutex> lock(read_mutex_);
    if (at_end_) return {-1, false};
    absl::StatusOr<bool> got = stages_.read(block);
    at_end_ = !got.ok() || !*got;
    return {num_read_++, std::move(got)};
  }

  // Calls `finish` when block `number` has its turn. False once there is an
  // error, here or before.
  template <typename Function>
  bool Finish(int64_t number, const Function& finish) {
    std::unique_lock<std::mutex> lock(turn_mutex_);
    turn_.wait(lock, [&] { return num_finished_ == number || !status_.ok(); });
    if (!status_.ok()) return false;
    // Whoever waits for the lock has to wait for this block anyway.
    status_ = finish();
    ++num_finished_;
    turn_.notify_all();
    return status_.ok();
  }

  const BlockStages& stages_;

  // std:: and not absl::, as in ThreadPool.
  std::mutex read_mutex_;
  bool at_end_ = false;   // guarded by read_mutex_
  int64_t num_read_ = 0;  // guarded by read_mutex_

  std::mutex turn_mutex_;
  std::condition_variable turn_;  // a block is finished
  int64_t num_finished_ = 0;      // guarded by turn_mutex_
  absl::Status status_;           // guarded by turn_mutex_ until all have ended
};

}  // namespace

absl::Status RunBlockPipeline(ThreadPool& pool, const BlockStages& stages) {
  Pipeline pipeline(&stages);
  pool.ParallelFor(pool.num_threads(), [&](int64_t worker) {
    pipeline.Work(static_cast<int>(worker));
  });
  return pipeline.status();
}

}  // namespace charrnn
