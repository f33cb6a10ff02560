#include "dist/collective/invariant_reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/collective/thread_group.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/trainer.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// Terms of very different sizes, so that every order of sums has bits of its
// own.
GradientSums Grains(IndexRange range, int64_t size) {
  GradientSums sums;
  for (int64_t grain = range.begin; grain < range.end; ++grain) {
    const double scale = grain % 3 == 0 ? 1e6 : 1e-2;
    sums.gradients.push_back(
        at::linspace(-1.0 - static_cast<double>(grain), 2, size).mul(scale));
    sums.losses.push_back(scale + 0.1 * static_cast<double>(grain));
  }
  return sums;
}

class InvariantReducerTest
    : public testing::TestWithParam<std::tuple<int, int64_t, int64_t>> {};

TEST_P(InvariantReducerTest, TheBitsAreThoseOfOneProcess) {
  const auto [world_size, num_grains, size] = GetParam();
  ThreadPool pool(2);
  GradientSums expected = Grains({0, num_grains}, size);
  ASSERT_THAT(LocalReducer(&pool).Reduce(num_grains, expected), IsOk());
  RunAsGroup(
      world_size, kLong,
      [&, num_grains = num_grains, size = size](Collective& group) {
        ThreadPool own_pool(1);
        Agreement agreement(&group, Clock::Real(), [] { return Wish::kNone; });
        InvariantReducer reducer(&group, &own_pool, &agreement);
        for (int step = 0; step < 2; ++step) {
          GradientSums sums = Grains(reducer.LocalShare(num_grains), size);
          ASSERT_THAT(reducer.Reduce(num_grains, sums), IsOk());
          EXPECT_TRUE(
              at::equal(sums.gradients.front(), expected.gradients.front()));
          EXPECT_EQ(sums.losses.front(), expected.losses.front());
        }
      });
}

INSTANTIATE_TEST_SUITE_P(
    WorldsGrainsAndSizes, InvariantReducerTest,
    testing::Combine(testing::Values(1, 2, 3, 4, 5), testing::Values(5, 7, 8),
                     // Also fewer numbers than a piece for everybody.
                     testing::Values(3, 40000)));

TEST(InvariantReducerTest, WhatIsNotFiniteInOneProcessIsSoInAll) {
  RunAsGroup(3, kLong, [](Collective& group) {
    ThreadPool pool(1);
    Agreement agreement(&group, Clock::Real(), [] { return Wish::kNone; });
    InvariantReducer reducer(&group, &pool, &agreement);
    const IndexRange own = reducer.LocalShare(8);
    GradientSums sums = Grains(own, 100);
    if (own.begin <= 4 && 4 < own.end) {
      sums.losses[4 - own.begin] = std::numeric_limits<double>::quiet_NaN();
      sums.gradients[4 - own.begin].mutable_data_ptr<float>()[7] =
          std::numeric_limits<float>::infinity();
    }
    ASSERT_THAT(reducer.Reduce(8, sums), IsOk());
    EXPECT_TRUE(std::isnan(sums.losses.front()));
    const auto* sum = sums.gradients.front().const_data_ptr<float>();
    EXPECT_FALSE(std::isfinite(sum[7]));
    EXPECT_TRUE(std::isfinite(sum[8]));
  });
}

TEST(InvariantReducerTest, EveryProcessGetsTheNumbersOfAll) {
  RunAsGroup(3, kLong, [](Collective& group) {
    ThreadPool pool(1);
    Agreement agreement(&group, Clock::Real(), [] { return Wish::kNone; });
    InvariantReducer reducer(&group, &pool, &agreement);
    std::vector<double> values(7);
    const IndexRange own = reducer.LocalShare(7);
    for (int64_t i = own.begin; i < own.end; ++i) {
      values[i] = 0.1 * static_cast<double>(i);
    }
    ASSERT_THAT(reducer.Share(absl::MakeSpan(values)), IsOk());
    for (int i = 0; i < 7; ++i) EXPECT_EQ(values[i], 0.1 * i);
  });
}

}  // namespace
}  // namespace charrnn
