#include "data/batch_plan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "absl/types/span.h"
#include "data/chunk_index.h"
#include "data/epoch_plan.h"
#include "data/stream_index.h"

namespace charrnn {
namespace {

std::vector<int64_t> Offsets(const BatchPlan& plan, int64_t step,
                             int first_row = 0, int rows = 0) {
  std::vector<int64_t> offsets(rows > 0 ? rows : plan.batch_size());
  plan.Offsets(step, first_row, absl::MakeSpan(offsets));
  return offsets;
}

TEST(BatchPlanTest, ShuffledBatchesFollowTheEpochPlan) {
  const auto chunks = ChunkIndex::Training(100, 71, 5, 0);  // 14
  const BatchPlan plan = BatchPlan::Shuffled(chunks, 4, 42);
  EXPECT_EQ(plan.batches_per_epoch(), 3);
  for (int64_t step = 0; step < 9; ++step) {
    const EpochPlan order(14, 42, step / 3);
    const std::vector<int64_t> offsets = Offsets(plan, step);
    for (int row = 0; row < 4; ++row) {
      EXPECT_EQ(offsets[row], chunks.offset(order.Chunk(step % 3 * 4 + row)));
    }
    EXPECT_EQ(plan.seq_len(step), 5);
    EXPECT_FALSE(plan.Continues(step));
  }
}

TEST(BatchPlanTest, SeedsReadInOrdersOfTheirOwn) {
  const auto chunks = ChunkIndex::Training(0, 1000, 5, 0);
  EXPECT_NE(Offsets(BatchPlan::Shuffled(chunks, 4, 42), 0),
            Offsets(BatchPlan::Shuffled(chunks, 4, 43), 0));
}

TEST(BatchPlanTest, StreamsGoOnWhereTheyWereUntilTheEpochEnds) {
  const StreamIndex streams(100, 70, 4, 5);  // 17 inputs each
  const BatchPlan plan = BatchPlan::Streams(streams);
  EXPECT_EQ(plan.batch_size(), 4);
  ASSERT_EQ(plan.batches_per_epoch(), 4);
  for (int64_t step = 0; step < 12; ++step) {
    EXPECT_EQ(plan.Continues(step), step % 4 != 0) << step;
    EXPECT_EQ(plan.seq_len(step), step % 4 == 3 ? 2 : 5) << step;
    for (int row = 0; row < 4; ++row) {
      EXPECT_EQ(Offsets(plan, step)[row], streams.offset(row, step % 4));
    }
  }
}

TEST(BatchPlanTest, SomeRowsAreThoseOfTheWholeBatch) {
  const BatchPlan shuffled =
      BatchPlan::Shuffled(ChunkIndex::Training(0, 1000, 5, 0), 8, 1);
  const BatchPlan streams = BatchPlan::Streams(StreamIndex(0, 1000, 8, 5));
  for (const BatchPlan& plan : {shuffled, streams}) {
    const std::vector<int64_t> all = Offsets(plan, 7);
    EXPECT_EQ(Offsets(plan, 7, 3, 4),
              std::vector<int64_t>(all.begin() + 3, all.begin() + 7));
  }
}

TEST(BatchPlanTest, RowsOfStreamsReachNoFurtherThanTheirStreams) {
  const BatchPlan streams = BatchPlan::Streams(StreamIndex(100, 70, 4, 5));
  EXPECT_EQ(streams.Reach(1, 2).begin, 117);
  EXPECT_EQ(streams.Reach(1, 2).end, 152);
  const BatchPlan shuffled =
      BatchPlan::Shuffled(ChunkIndex::Training(100, 71, 5, 0), 4, 42);
  EXPECT_EQ(shuffled.Reach(1, 2).begin, 100);
  EXPECT_EQ(shuffled.Reach(1, 2).end, 171);
}

TEST(BatchPlanTest, TenBillionChunksTakeNoMoreThanAFew) {
  const auto chunks = ChunkIndex::Training(0, 10'000'000'000 + 128, 128, 1);
  ASSERT_EQ(chunks.num_chunks(), 10'000'000'000);
  const BatchPlan plan = BatchPlan::Shuffled(chunks, 128, 42);
  std::set<int64_t> offsets;
  for (const int64_t step : {int64_t{0}, plan.batches_per_epoch() - 1}) {
    for (const int64_t offset : Offsets(plan, step)) {
      EXPECT_GE(offset, 0);
      EXPECT_LT(offset, chunks.num_chunks());
      offsets.insert(offset);
    }
  }
  EXPECT_EQ(offsets.size(), 256);
}

}  // namespace
}  // namespace charrnn
