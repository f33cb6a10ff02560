#include "dist/collective/agreement.h"

#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "dist/collective/collective.h"
#include "dist/collective/thread_group.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/trainer.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

TEST(AgreementTest, AWishOfOneIsAWishOfAllAfterTheSameStep) {
  RunAsGroup(3, kLong, [](Collective& group) {
    Wish local = Wish::kNone;
    Agreement agreement(&group, Clock::Real(), [&] { return local; });
    std::vector<double> none;
    ASSERT_THAT(agreement.Agree(absl::MakeSpan(none)), IsOk());
    EXPECT_EQ(agreement.wish(), Wish::kNone);
    if (group.rank() == 2) local = Wish::kYield;
    EXPECT_EQ(agreement.wish(), Wish::kNone);
    ASSERT_THAT(agreement.Agree(absl::MakeSpan(none)), IsOk());
    EXPECT_EQ(agreement.wish(), Wish::kYield);
    if (group.rank() == 1) local = Wish::kStop;
    ASSERT_THAT(agreement.Agree(absl::MakeSpan(none)), IsOk());
    EXPECT_EQ(agreement.wish(), Wish::kStop);
  });
}

TEST(AgreementTest, AllKnowWhoWasTheSlowest) {
  RunAsGroup(3, kLong, [](Collective& group) {
    FakeClock clock;
    Agreement agreement(&group, &clock, [] { return Wish::kNone; });
    clock.Advance(group.rank() == 1 ? absl::Seconds(3) : absl::Seconds(1));
    std::vector<double> none;
    ASSERT_THAT(agreement.Agree(absl::MakeSpan(none)), IsOk());
    EXPECT_EQ(agreement.slowest_rank(), 1);
    EXPECT_EQ(agreement.slowest_step(), absl::Seconds(3));
  });
}

TEST(AgreementTest, AllGetTheValuesOfEach) {
  RunAsGroup(3, kLong, [](Collective& group) {
    Agreement agreement(&group, Clock::Real(), [] { return Wish::kNone; });
    std::vector<double> values(3);
    values[group.rank()] = 0.1 * group.rank();
    ASSERT_THAT(agreement.Agree(absl::MakeSpan(values)), IsOk());
    for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(values[rank], 0.1 * rank);
  });
}

}  // namespace
}  // namespace charrnn
