#include "model/torch_threads.h"

#include <ATen/Parallel.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "base/usable_cores.h"
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
  EXPECT_EQ(MakeTorchThreadPool(0)->num_threads(), NumUsableCores());
}

}  // namespace
}  // namespace charrnn
