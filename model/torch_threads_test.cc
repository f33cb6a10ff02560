#include "model/torch_threads.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::Each;

TEST(TorchThreadsTest, EveryThreadOfThePoolComputesAlone) {
  const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(3);
  EXPECT_EQ(pool->num_threads(), 3);
  std::vector<int> threads(64);
  pool->ParallelFor(64, [&](int64_t i) { threads[i] = at::get_num_threads(); });
  EXPECT_THAT(threads, Each(1));
}

TEST(TorchThreadsTest, ZeroStandsForTheCoresThatTheProcessMayUse) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  EXPECT_EQ(MakeTorchThreadPool(0)->num_threads(), CPU_COUNT(&all));
  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(MakeTorchThreadPool(0)->num_threads(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

}  // namespace
}  // namespace charrnn
