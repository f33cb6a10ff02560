#include "testing/pytorch_comparison/turns.h"

#include <sstream>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

TEST(TurnsTest, EachTurnIsAnsweredWithItsStepsTimes) {
  FakeClock clock;
  std::istringstream in("2\n1\n");
  std::ostringstream out;
  Turns turns(&clock, &in, &out);
  ASSERT_TRUE(turns.Begin());
  EXPECT_EQ(out.str(), "ready\n");
  clock.Advance(absl::Milliseconds(5));
  EXPECT_TRUE(turns.StepDone());
  clock.Advance(absl::Microseconds(7250));
  EXPECT_TRUE(turns.StepDone());
  EXPECT_EQ(out.str(), "ready\n5.000 7.250\n");
  clock.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(turns.StepDone());
  EXPECT_EQ(out.str(), "ready\n5.000 7.250\n1.000\n");
  EXPECT_THAT(turns.status(), IsOk());
}

TEST(TurnsTest, ThereMayBeNone) {
  std::istringstream in;
  std::ostringstream out;
  Turns turns(Clock::Real(), &in, &out);
  EXPECT_FALSE(turns.Begin());
  EXPECT_THAT(turns.status(), IsOk());
}

TEST(TurnsTest, WhatIsNoTurnIsNamed) {
  for (const char* line : {"x\n", "0\n", "-1\n", "\n"}) {
    std::istringstream in(line);
    std::ostringstream out;
    Turns turns(Clock::Real(), &in, &out);
    EXPECT_FALSE(turns.Begin());
    EXPECT_THAT(turns.status(), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr("at least 1")));
  }
}

}  // namespace
}  // namespace charrnn
