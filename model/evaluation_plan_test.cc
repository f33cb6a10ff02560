#include "model/evaluation_plan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <variant>

#include "data/chunk_index.h"
#include "data/stream_index.h"
#include "model/config.h"

namespace charrnn {
namespace {

// The part of tiny Shakespeare that the notebook validates with.
constexpr int64_t kBegin = 1'059'625;
constexpr int64_t kLength = 55'769;

TEST(EvaluationPlanTest, ShuffledTextIsEvaluatedChunkByChunk) {
  const EvaluationPlan plan =
      MakeEvaluationPlan(DataOrder::kShuffled, kBegin, kLength, 128);
  const auto* const chunks = std::get_if<ChunkIndex>(&plan);
  ASSERT_NE(chunks, nullptr);
  EXPECT_EQ(chunks->num_chunks(), 435);
  EXPECT_EQ(chunks->offset(0), kBegin);
  EXPECT_EQ(NumTargets(plan), 435 * 128);
}

TEST(EvaluationPlanTest, StreamsAreEvaluatedAs128) {
  const EvaluationPlan plan =
      MakeEvaluationPlan(DataOrder::kStreams, kBegin, kLength, 128);
  const auto* const streams = std::get_if<StreamIndex>(&plan);
  ASSERT_NE(streams, nullptr);
  EXPECT_EQ(streams->num_streams(), 128);
  EXPECT_EQ(streams->offset(0, 0), kBegin);
  EXPECT_EQ(NumTargets(plan), 128 * 435);
}

TEST(EvaluationPlanTest, StreamsAreNoShorterThanAChunk) {
  for (const int64_t length : {2, 100, 129, 130, 1000, 16384, 16385}) {
    const EvaluationPlan plan =
        MakeEvaluationPlan(DataOrder::kStreams, 0, length, 128);
    const auto& streams = std::get<StreamIndex>(plan);
    if (streams.num_streams() > 1) {
      EXPECT_GE(streams.stream_len(), 128) << length;
    }
    EXPECT_GT(NumTargets(plan), length - 1 - streams.num_streams()) << length;
  }
}

TEST(EvaluationPlanTest, APartWithoutATargetHasNone) {
  for (const DataOrder order : {DataOrder::kShuffled, DataOrder::kStreams}) {
    for (const int64_t length : {0, 1}) {
      EXPECT_EQ(NumTargets(MakeEvaluationPlan(order, 10, length, 128)), 0);
    }
  }
}

}  // namespace
}  // namespace charrnn
