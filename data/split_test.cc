#include "data/split.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace charrnn {
namespace {

TEST(SplitCorpusTest, TinyShakespeareSplitsAsInTheNotebook) {
  const auto split = SplitCorpus(1'115'394, {0.05});
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->train_size, 1'059'625);
  EXPECT_EQ(split->validation_size, 55'769);
  EXPECT_EQ(split->test_size, 0);
}

TEST(SplitCorpusTest, TheFractionIsRoundedDownButNeverToNothing) {
  for (double fraction : {0.0, 0.05, 0.1}) {
    const auto split = SplitCorpus(19, {fraction});
    ASSERT_TRUE(split.ok()) << split.status();
    EXPECT_EQ(split->validation_size, 1) << fraction;
    EXPECT_EQ(split->train_size, 18) << fraction;
  }
  EXPECT_EQ(SplitCorpus(19, {0.5})->validation_size, 9);
}

TEST(SplitCorpusTest, AFractionOutsideItsRangeIsRefusedByName) {
  using Limits = std::numeric_limits<double>;
  for (double fraction : {-0.1, 1.0, 1.5, Limits::quiet_NaN(),
                          Limits::infinity(), -Limits::infinity()}) {
    const absl::Status status = SplitCorpus(1000, {fraction}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << fraction;
    EXPECT_NE(status.message().find("--val_fraction="), std::string::npos);
  }
}

TEST(SplitCorpusTest, FractionsThatLeaveNothingOfAnyTextAreRefusedByName) {
  EXPECT_TRUE(CheckSplitFractions({0.5, 0.49}).ok());
  const absl::Status status = CheckSplitFractions({0.5, 0.5});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(
      status.message().find("--val_fraction=0.5 and --test_fraction=0.5: must"),
      std::string::npos);
}

TEST(SplitCorpusTest, ATextThatLeavesNothingToLearnIsRefused) {
  EXPECT_TRUE(SplitCorpus(3, {0.05}).ok());
  for (int64_t n : {0, 1, 2}) {
    EXPECT_EQ(SplitCorpus(n, {0.05}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << n;
  }
  EXPECT_FALSE(SplitCorpus(100, {0.99}).ok());
}

TEST(SplitCorpusTest, TheTestPartIsTakenFromTheEnd) {
  const auto split = SplitCorpus(1000, {0.05, 0.1});
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->train_size, 850);
  EXPECT_EQ(split->validation_size, 50);
  EXPECT_EQ(split->test_size, 100);
  EXPECT_NE(SplitCorpus(1000, {0.05, 1.5})
                .status()
                .message()
                .find("--test_fraction=1.5"),
            std::string::npos);
  EXPECT_NE(SplitCorpus(100, {0.5, 0.49})
                .status()
                .message()
                .find("--val_fraction=0.5 and --test_fraction=0.49"),
            std::string::npos);
}

}  // namespace
}  // namespace charrnn
