#include "base/thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

class ThreadPoolSizeTest : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolSizeTest,
                         ::testing::Values(1, 2, 3, 8));

TEST_P(ThreadPoolSizeTest, EveryIndexIsRunOnceAndSeenByTheCaller) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.num_threads(), GetParam());
  for (const int64_t n : {0, 1, 2, 7, 1000}) {
    // Plain integers: ThreadSanitizer reports it if the loop's end does not
    // order these writes before the caller's reads.
    std::vector<int> runs(n, 0);
    pool.ParallelFor(n, [&runs](int64_t i) { ++runs[i]; });
    EXPECT_EQ(runs, std::vector<int>(n, 1));
  }
}

TEST_P(ThreadPoolSizeTest, ManyShortLoopsFollowOneAnother) {
  ThreadPool pool(GetParam());
  int64_t expected = 0;
  std::atomic<int64_t> sum{0};
  for (int64_t n = 0; n < 2000; ++n) {
    pool.ParallelFor(n % 5, [&sum](int64_t i) { sum += i + 1; });
    expected += (n % 5) * (n % 5 + 1) / 2;
    ASSERT_EQ(sum, expected) << "loop " << n;
  }
}

TEST_P(ThreadPoolSizeTest, AsManyIndicesAsThreadsRunAtTheSameTime) {
  const int size = GetParam();
  ThreadPool pool(size);
  std::mutex mutex;
  std::condition_variable all_here;
  std::set<std::thread::id> threads;
  bool together = true;
  pool.ParallelFor(size, [&](int64_t) {
    std::unique_lock<std::mutex> lock(mutex);
    threads.insert(std::this_thread::get_id());
    all_here.notify_all();
    const auto complete = [&] {
      return static_cast<int>(threads.size()) == size;
    };
    if (!all_here.wait_for(lock, std::chrono::seconds(30), complete)) {
      together = false;
    }
  });
  EXPECT_TRUE(together) << threads.size() << " of " << size;
  EXPECT_EQ(threads.count(std::this_thread::get_id()), 1)
      << "the calling thread works along";
}

TEST_P(ThreadPoolSizeTest, OnThreadStartRunsOnceOnEachHelperBeforeItsWork) {
  thread_local bool started;
  started = false;
  std::atomic<int> starts{0};
  std::atomic<int> unprepared{0};
  const std::thread::id caller = std::this_thread::get_id();
  {
    ThreadPool pool(GetParam(), [&starts] {
      started = true;
      ++starts;
    });
    pool.ParallelFor(1000, [&](int64_t) {
      if (std::this_thread::get_id() != caller && !started) ++unprepared;
    });
  }
  EXPECT_EQ(starts, GetParam() - 1);
  EXPECT_EQ(unprepared, 0);
  EXPECT_FALSE(started) << "not for the calling thread";
}

TEST(ThreadPoolTest, OneSlowIndexDoesNotHoldUpTheOthers) {
  ThreadPool pool(2);
  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;
  bool others_done = false;
  pool.ParallelFor(100, [&](int64_t i) {
    std::unique_lock<std::mutex> lock(mutex);
    if (i == 0) {
      others_done = changed.wait_for(lock, std::chrono::seconds(30),
                                     [&] { return done == 99; });
    } else {
      ++done;
      changed.notify_all();
    }
  });
  EXPECT_TRUE(others_done) << done << " of 99";
}

TEST(ThreadPoolTest, SeveralPoolsWorkInsideOneAnother) {
  ThreadPool outer(2);
  std::atomic<int> count{0};
  outer.ParallelFor(4, [&count](int64_t) {
    ThreadPool inner(2);
    inner.ParallelFor(10, [&count](int64_t) { ++count; });
  });
  EXPECT_EQ(count, 40);
}

TEST(ThreadPoolDeathTest, RefusesToHaveNoThread) {
  EXPECT_DEATH(ThreadPool(0), "num_threads 0");
}

}  // namespace
}  // namespace charrnn
