#include "data/block_pipeline.h"

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "data/text_source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

// Blocks number 0 to `count` - 1, which know nothing but their number.
class Blocks {
 public:
  explicit Blocks(int64_t count) : count_(count) {}

  absl::StatusOr<bool> Next(TextBlock* block) {
    EXPECT_EQ(readers_.fetch_add(1), 0);
    if (next_ == broken_) return absl::DataLossError("broken");
    block->offset = next_++;
    readers_.fetch_sub(1);
    return block->offset < count_;
  }

  void BreakAt(int64_t block) { broken_ = block; }

 private:
  const int64_t count_;
  int64_t next_ = 0;
  int64_t broken_ = -1;
  std::atomic<int> readers_{0};
};

class BlockPipelineTest : public testing::TestWithParam<int> {
 protected:
  // Takes the blocks through `finish`, and checks that each worker's work is
  // its own until it is finished.
  absl::Status Run(Blocks& blocks) {
    ThreadPool pool(GetParam());
    std::vector<int64_t> worked_on(GetParam(), -1);
    return RunBlockPipeline(
        pool, {[&](TextBlock* block) { return blocks.Next(block); },
               [&](int worker, const TextBlock& block) {
                 worked_on[worker] = block.offset;
               },
               [&](int worker, const TextBlock& block) {
                 EXPECT_EQ(worked_on[worker], block.offset);
                 EXPECT_EQ(block.offset, num_finished_);
                 if (block.offset == refused_) {
                   return absl::InvalidArgumentError("refused");
                 }
                 ++num_finished_;
                 return absl::OkStatus();
               }});
  }

  int64_t num_finished_ = 0;
  int64_t refused_ = -1;
};

TEST_P(BlockPipelineTest, EveryBlockIsFinishedOnceInItsOrder) {
  for (const int64_t count : {0, 1, 2, 3, 1000}) {
    num_finished_ = 0;
    Blocks blocks(count);
    EXPECT_THAT(Run(blocks), IsOk());
    EXPECT_EQ(num_finished_, count);
  }
}

TEST_P(BlockPipelineTest, AnErrorEndsItAndNoLaterBlockIsFinished) {
  for (const int64_t refused : {0, 1, 7, 500}) {
    num_finished_ = 0;
    refused_ = refused;
    Blocks blocks(1000);
    EXPECT_THAT(Run(blocks), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_EQ(num_finished_, refused);
  }
}

TEST_P(BlockPipelineTest, WhatCannotBeReadComesAfterWhatWasReadBefore) {
  for (const int64_t broken : {0, 1, 7, 500}) {
    num_finished_ = 0;
    Blocks blocks(1000);
    blocks.BreakAt(broken);
    EXPECT_THAT(Run(blocks), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_EQ(num_finished_, broken);
  }
}

TEST_P(BlockPipelineTest, TheFirstOfTwoErrorsIsTheOneThatIsTold) {
  refused_ = 10;
  Blocks blocks(1000);
  blocks.BreakAt(11);
  EXPECT_THAT(Run(blocks), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(num_finished_, 10);
}

INSTANTIATE_TEST_SUITE_P(Threads, BlockPipelineTest,
                         testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace charrnn
