#include "dist/coordinator/counts.h"

#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

TEST(CountsTest, NumbersThatAJobMayReachAreBelieved) {
  EXPECT_THAT(CheckCounts({0, 1, 1'000'000'000'000, kMostCount}), IsOk());
}

TEST(CountsTest, NegativeOnesAndThoseThatCannotBeCountedOnAreNot) {
  for (const int64_t count :
       {int64_t{-1}, kMostCount + 1, std::numeric_limits<int64_t>::max(),
        std::numeric_limits<int64_t>::min()}) {
    EXPECT_THAT(CheckCounts({5, count}),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace charrnn
