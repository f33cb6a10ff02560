#include "model/flat_blocks.h"

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::Each;

TEST(FlatBlocksTest, BlocksTileTheArrayWhateverItsSize) {
  ThreadPool pool(2);
  for (const int64_t size : {int64_t{0}, int64_t{1}, kFlatBlock - 1, kFlatBlock,
                             kFlatBlock + 1, 3 * kFlatBlock}) {
    std::vector<int> visits(size);
    std::vector<int64_t> begins(NumFlatBlocks(size), -1);
    ForEachBlock(pool, size, [&](int64_t begin, int64_t end) {
      begins[begin / kFlatBlock] = begin;
      for (int64_t i = begin; i < end; ++i) ++visits[i];
    });
    EXPECT_THAT(visits, Each(1));
    EXPECT_THAT(begins, Each(testing::Ge(0)));
  }
}

}  // namespace
}  // namespace charrnn
