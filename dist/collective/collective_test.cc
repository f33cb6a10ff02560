#include "dist/collective/collective.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <c10/util/intrusive_ptr.h>

#include <cstdint>
#include <future>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "dist/collective/thread_group.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

class CollectiveTest : public testing::TestWithParam<int> {};

TEST_P(CollectiveTest, EveryProcessGetsTheSum) {
  RunAsGroup(GetParam(), kLong, [](Collective& group) {
    std::vector<double> values(group.world_size());
    values[group.rank()] = group.rank() + 0.5;
    ASSERT_THAT(group.Sum(absl::MakeSpan(values)), IsOk());
    for (int rank = 0; rank < group.world_size(); ++rank) {
      EXPECT_EQ(values[rank], rank + 0.5);
    }
  });
}

TEST_P(CollectiveTest, ProcessesOverwriteTheirsWithTheRootsTensor) {
  RunAsGroup(GetParam(), kLong, [](Collective& group) {
    const int root = group.world_size() - 1;
    at::Tensor tensor = at::full({1000}, group.rank());
    ASSERT_THAT(group.Broadcast(tensor, root), IsOk());
    EXPECT_TRUE(at::equal(tensor, at::full({1000}, root)));
  });
}

TEST_P(CollectiveTest, EveryProcessGathersAllTensorsByRank) {
  RunAsGroup(GetParam(), kLong, [](Collective& group) {
    at::Tensor all = at::empty({int64_t{3} * group.world_size()}, at::kFloat);
    ASSERT_THAT(group.Gather(at::full({3}, group.rank(), at::kFloat), all),
                IsOk());
    for (int rank = 0; rank < group.world_size(); ++rank) {
      EXPECT_TRUE(at::equal(all.narrow(0, 3L * rank, 3),
                            at::full({3}, rank, at::kFloat)));
    }
  });
}

TEST_P(CollectiveTest, PiecesOfAnySizeAreExchanged) {
  RunAsGroup(GetParam(), kLong, [](Collective& group) {
    // Process r sends s + 1 numbers to process s, all of them r.
    std::vector<int64_t> to_counts;
    std::vector<int64_t> from_counts;
    int64_t total = 0;
    for (int rank = 0; rank < group.world_size(); ++rank) {
      to_counts.push_back(rank + 1);
      from_counts.push_back(group.rank() + 1);
      total += rank + 1;
    }
    at::Tensor from = at::empty(
        {int64_t{group.world_size()} * (group.rank() + 1)}, at::kFloat);
    ASSERT_THAT(group.Exchange(at::full({total}, group.rank(), at::kFloat),
                               to_counts, from, from_counts),
                IsOk());
    for (int64_t i = 0; i < from.numel(); ++i) {
      EXPECT_EQ(from[i].item<float>(), i / (group.rank() + 1));
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Worlds, CollectiveTest, testing::Values(1, 2, 3, 5));

TEST(CollectiveFailureTest, TheOthersFailOnceOneHasGone) {
  RunAsGroup(3, kLong, [](Collective& group) {
    std::vector<double> values(1);
    // Who leaves earlier may do so while others still meet.
    ASSERT_THAT(group.Sum(absl::MakeSpan(values)), IsOk());
    if (group.rank() == 1) return;
    EXPECT_THAT(group.Sum(absl::MakeSpan(values)),
                StatusIs(absl::StatusCode::kUnavailable));
  });
}

TEST(CollectiveFailureTest, OneThatDoesNotComeIsWaitedForNoLongerThanAllowed) {
  std::promise<void> gave_up;
  RunAsGroup(2, absl::Milliseconds(500), [&](Collective& group) {
    std::vector<double> values(1);
    if (group.rank() == 1) {
      gave_up.get_future().wait();
      return;
    }
    EXPECT_THAT(group.Sum(absl::MakeSpan(values)),
                StatusIs(absl::StatusCode::kUnavailable));
    gave_up.set_value();
  });
}

TEST(CollectiveFailureTest, AnotherBackendThanTheFirstOnesIsRefused) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  store->set("backend", std::vector<uint8_t>{'n', 'c', 'c', 'l'});
  Collective::Options options;
  options.rank = 1;
  options.world_size = 2;
  EXPECT_THAT(Collective::Create(store, options),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("this worker's is gloo, and that of the first "
                                 "is nccl")));
}

}  // namespace
}  // namespace charrnn
