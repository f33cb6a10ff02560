#include "data/chunk_index.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace charrnn {
namespace {

TEST(ChunkIndexTest, TinyShakespeareHasTheNotebooksChunks) {
  const ChunkIndex train = ChunkIndex::Training(0, 1'059'625, 128, 0);
  EXPECT_EQ(train.num_chunks(), 8'278);
  EXPECT_EQ(train.num_chunks() / 128, 64);  // Batches an epoch.
  const ChunkIndex validation = ChunkIndex::Validation(1'059'625, 55'769, 128);
  EXPECT_EQ(validation.num_chunks(), 435);
  EXPECT_EQ(validation.offset(0), 1'059'625);
}

// Counted one by one: a chunk at k * step fits if its last target does.
TEST(ChunkIndexTest, TrainingHoldsEveryChunkThatFitsAndNoOther) {
  for (int64_t length = 0; length < 40; ++length) {
    for (int seq_len = 1; seq_len < 12; ++seq_len) {
      for (int step = 0; step < 14; ++step) {
        const int64_t stride = step == 0 ? seq_len : step;
        const auto chunks = ChunkIndex::Training(100, length, seq_len, step);
        int64_t expected = 0;
        while (expected * stride + seq_len + 1 <= length) ++expected;
        ASSERT_EQ(chunks.num_chunks(), expected)
            << length << ", " << seq_len << ", " << step;
        ASSERT_EQ(chunks.chunk_len(), seq_len);
        for (int64_t i = 0; i < expected; ++i) {
          ASSERT_EQ(chunks.offset(i), 100 + i * stride);
        }
      }
    }
  }
}

TEST(ChunkIndexTest, ValidationCountsEachTargetAtMostOnce) {
  for (int64_t length = 2; length < 60; ++length) {
    for (int seq_len = 1; seq_len < 12; ++seq_len) {
      const auto chunks = ChunkIndex::Validation(7, length, seq_len);
      ASSERT_GE(chunks.num_chunks(), 1);
      for (int64_t i = 0; i < chunks.num_chunks(); ++i) {
        ASSERT_EQ(chunks.offset(i), 7 + i * chunks.chunk_len());
      }
      // All targets are inside, and too few are left over for one more chunk.
      const int64_t targets = chunks.num_chunks() * chunks.chunk_len();
      ASSERT_LE(targets, length - 1);
      ASSERT_GT(targets + chunks.chunk_len(), length - 1);
    }
  }
}

TEST(ChunkIndexTest, AValidationPartShorterThanAChunkIsOneShortChunk) {
  for (int64_t length : {2, 17, 128}) {
    const auto chunks = ChunkIndex::Validation(1000, length, 128);
    EXPECT_EQ(chunks.num_chunks(), 1) << length;
    EXPECT_EQ(chunks.chunk_len(), length - 1);
    EXPECT_EQ(chunks.offset(0), 1000);
  }
  EXPECT_EQ(ChunkIndex::Validation(0, 129, 128).chunk_len(), 128);
}

TEST(ChunkIndexTest, AValidationPartWithoutATargetHasNoChunk) {
  EXPECT_EQ(ChunkIndex::Validation(10, 0, 128).num_chunks(), 0);
  EXPECT_EQ(ChunkIndex::Validation(10, 1, 128).num_chunks(), 0);
}

TEST(ChunkIndexTest, CorporaBeyondThirtyTwoBitsAreCounted) {
  const int64_t length = int64_t{1} << 40;
  const auto chunks = ChunkIndex::Training(0, length, 128, 1);
  EXPECT_EQ(chunks.num_chunks(), length - 128);
  EXPECT_EQ(chunks.offset(length - 129), length - 129);
}

TEST(ChunkIndexDeathTest, AChunkThatDoesNotExistHasNoOffset) {
  const auto chunks = ChunkIndex::Training(0, 100, 10, 0);
  EXPECT_DEATH(chunks.offset(chunks.num_chunks()), "chunk 9 of 9");
  EXPECT_DEATH(chunks.offset(-1), "chunk -1 of 9");
}

}  // namespace
}  // namespace charrnn
