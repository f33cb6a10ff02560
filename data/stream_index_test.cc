#include "data/stream_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>

namespace charrnn {
namespace {

TEST(StreamIndexTest, EachIdIsATargetOnceButForTheRestAtTheEnd) {
  constexpr int64_t kBegin = 1000;
  for (int64_t length = 0; length < 50; ++length) {
    for (int64_t num_streams = 1; num_streams < 7; ++num_streams) {
      for (int seq_len = 1; seq_len < 6; ++seq_len) {
        const StreamIndex streams(kBegin, length, num_streams, seq_len);
        std::map<int64_t, int> targets;
        for (int64_t stream = 0; stream < num_streams; ++stream) {
          for (int64_t chunk = 0; chunk < streams.num_chunks(); ++chunk) {
            for (int t = 0; t < streams.chunk_len(chunk); ++t) {
              ++targets[streams.offset(stream, chunk) + t + 1];
            }
          }
        }
        const int64_t num_targets =
            length == 0 ? 0 : length - 1 - streams.num_unread();
        ASSERT_EQ(targets.size(), num_targets) << length << ", " << num_streams;
        ASSERT_LT(streams.num_unread(), num_streams);
        for (int64_t i = 1; i <= num_targets; ++i) {
          ASSERT_EQ(targets[kBegin + i], 1) << length << ", " << num_streams;
        }
      }
    }
  }
}

TEST(StreamIndexTest, AChunkGoesOnWhereTheOneBeforeItEnded) {
  const StreamIndex streams(10, 100, 3, 7);
  EXPECT_EQ(streams.stream_len(), 33);
  EXPECT_EQ(streams.num_chunks(), 5);
  for (int64_t stream = 0; stream < 3; ++stream) {
    EXPECT_EQ(streams.offset(stream, 0), 10 + 33 * stream);
    for (int64_t chunk = 1; chunk < 5; ++chunk) {
      EXPECT_EQ(
          streams.offset(stream, chunk),
          streams.offset(stream, chunk - 1) + streams.chunk_len(chunk - 1));
    }
  }
}

TEST(StreamIndexTest, OnlyTheLastChunkMayBeShorter) {
  const StreamIndex streams(0, 100, 3, 7);
  for (int64_t chunk = 0; chunk < 4; ++chunk) {
    EXPECT_EQ(streams.chunk_len(chunk), 7);
  }
  EXPECT_EQ(streams.chunk_len(4), 5);
  EXPECT_EQ(streams.max_chunk_len(), 7);
  EXPECT_EQ(StreamIndex(0, 13, 3, 7).max_chunk_len(), 4);
}

TEST(StreamIndexTest, ARangeTooSmallForItsStreamsHasNoChunk) {
  EXPECT_EQ(StreamIndex(0, 8, 8, 5).num_chunks(), 0);
  EXPECT_EQ(StreamIndex(0, 9, 8, 5).num_chunks(), 1);
  EXPECT_EQ(StreamIndex(0, 0, 8, 5).num_chunks(), 0);
}

TEST(StreamIndexTest, CorporaBeyondThirtyTwoBitsAreCounted) {
  const int64_t length = int64_t{1} << 40;
  const StreamIndex streams(0, length + 1, 128, 128);
  EXPECT_EQ(streams.stream_len(), length / 128);
  EXPECT_EQ(streams.offset(127, streams.num_chunks() - 1), length - 128);
}

TEST(StreamIndexDeathTest, WhatDoesNotExistHasNoOffset) {
  const StreamIndex streams(0, 100, 3, 7);
  EXPECT_DEATH(streams.offset(3, 0), "stream 3 of 3");
  EXPECT_DEATH(streams.offset(0, 5), "chunk 5 of 5");
}

}  // namespace
}  // namespace charrnn
