#include "base/clock.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

TEST(ClockTest, RealClockTellsTheTimeOfDay) {
  const absl::Time before = absl::Now();
  const absl::Time now = Clock::Real()->Now();
  EXPECT_THAT(now, AllOf(Ge(before), Le(absl::Now())));
}

TEST(ClockTest, RealElapsedTimePassesAndNeverGoesBack) {
  const absl::Duration start = Clock::Real()->Elapsed();
  absl::Duration last = start;
  // Ends as soon as the clock has ticked.
  while (last == start) {
    const absl::Duration elapsed = Clock::Real()->Elapsed();
    ASSERT_GE(elapsed, last);
    last = elapsed;
  }
}

TEST(ClockTest, FakeClockStandsStillUntilAdvanced) {
  FakeClock clock(absl::FromUnixSeconds(1000));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(1000));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(1000));
  EXPECT_EQ(clock.Elapsed(), absl::ZeroDuration());

  clock.Advance(absl::Seconds(3));
  clock.Advance(absl::Milliseconds(500));
  EXPECT_EQ(clock.Now(), absl::FromUnixMillis(1003500));
  EXPECT_EQ(clock.Elapsed(), absl::Milliseconds(3500));
}

}  // namespace
}  // namespace charrnn
