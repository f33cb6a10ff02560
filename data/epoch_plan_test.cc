#include "data/epoch_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace charrnn {
namespace {

std::vector<int64_t> Order(int64_t num_chunks, uint64_t seed, int64_t epoch) {
  const EpochPlan plan(num_chunks, seed, epoch);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < num_chunks; ++i) order.push_back(plan.Chunk(i));
  return order;
}

// How many chunks stand where they do in the other order.
int CountEqual(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  int count = 0;
  for (size_t i = 0; i < a.size(); ++i) count += a[i] == b[i];
  return count;
}

TEST(EpochPlanTest, EachChunkComesExactlyOnce) {
  for (int64_t num_chunks : {1, 2, 3, 64, 65, 8'278}) {
    std::vector<int64_t> order = Order(num_chunks, 42, 3);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < num_chunks; ++i) ASSERT_EQ(order[i], i);
  }
}

TEST(EpochPlanTest, TheOrderIsAFunctionOfSeedAndEpoch) {
  EXPECT_EQ(Order(1000, 42, 7), Order(1000, 42, 7));
}

// Two unrelated orders agree in about one place; in ten, with probability
// below 10^-6.
TEST(EpochPlanTest, EpochsAndSeedsHaveUnrelatedOrders) {
  const std::vector<int64_t> order = Order(1000, 42, 0);
  std::vector<int64_t> unshuffled(order);
  std::sort(unshuffled.begin(), unshuffled.end());
  EXPECT_LT(CountEqual(order, unshuffled), 10);
  EXPECT_LT(CountEqual(order, Order(1000, 42, 1)), 10);
  EXPECT_LT(CountEqual(order, Order(1000, 43, 0)), 10);
  // Seed and epoch do not merely add up.
  EXPECT_LT(CountEqual(Order(1000, 42, 1), Order(1000, 43, 0)), 10);
}

TEST(EpochPlanTest, TenBillionChunksTakeNoTimeToEnter) {
  const int64_t num_chunks = 10'000'000'000;
  const EpochPlan plan(num_chunks, 42, 5);
  for (int64_t position : {int64_t{0}, num_chunks / 2, num_chunks - 1}) {
    EXPECT_GE(plan.Chunk(position), 0);
    EXPECT_LT(plan.Chunk(position), num_chunks);
  }
}

TEST(EpochPlanDeathTest, PositionsEndWithTheEpoch) {
  const EpochPlan plan(10, 42, 0);
  EXPECT_DEATH(plan.Chunk(10), "position 10 of 10");
  EXPECT_DEATH(plan.Chunk(-1), "position -1 of 10");
}

}  // namespace
}  // namespace charrnn
