#include "model/metrics/display.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(DisplayTest, TurnsNatsIntoBits) {
  EXPECT_DOUBLE_EQ(BitsPerChar(std::log(2.0)), 1);
  EXPECT_DOUBLE_EQ(BitsPerChar(std::log(65.0)), std::log2(65.0));
}

TEST(DisplayTest, BitsPerByteAreThoseOfTheSameText) {
  const double nats = std::log(2.0);
  EXPECT_DOUBLE_EQ(BitsPerChar(3 * nats), 3);
  EXPECT_DOUBLE_EQ(BitsPerByte(3 * nats, 100, 100), 3);
  EXPECT_DOUBLE_EQ(BitsPerByte(3 * nats, 100, 200), 1.5);
  EXPECT_TRUE(std::isnan(BitsPerByte(3 * nats, 100, 0)));
}

TEST(DisplayTest, GroupsDigitsByThree) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1000), "1,000");
  EXPECT_EQ(WithThousands(1059624), "1,059,624");
  EXPECT_EQ(WithThousands(-999), "-999");
  EXPECT_EQ(WithThousands(-123456), "-123,456");
  EXPECT_EQ(WithThousands(std::numeric_limits<int64_t>::min()),
            "-9,223,372,036,854,775,808");
}

TEST(DisplayTest, CountsOneAndMany) {
  EXPECT_EQ(Counted(1, "step"), "1 step");
  EXPECT_EQ(Counted(0, "step"), "0 steps");
  EXPECT_EQ(Counted(2048, "thread"), "2,048 threads");
}

TEST(DisplayTest, ShowsTwoUnitsOfADuration) {
  EXPECT_EQ(ShortDuration(absl::ZeroDuration()), "0.0s");
  EXPECT_EQ(ShortDuration(absl::Milliseconds(420)), "0.4s");
  EXPECT_EQ(ShortDuration(absl::Seconds(9.96)), "10s");
  EXPECT_EQ(ShortDuration(absl::Seconds(59.4)), "59s");
  EXPECT_EQ(ShortDuration(absl::Seconds(59.6)), "1m 00s");
  EXPECT_EQ(ShortDuration(absl::Seconds(185)), "3m 05s");
  EXPECT_EQ(ShortDuration(absl::Minutes(127)), "2h 07m");
  EXPECT_EQ(ShortDuration(absl::Hours(99)), "4d 03h");
  EXPECT_EQ(ShortDuration(absl::InfiniteDuration()), "?");
  EXPECT_EQ(ShortDuration(-absl::Seconds(1)), "?");
}

TEST(DisplayTest, LeavesReadableTextAsItIs) {
  constexpr absl::string_view kText = u8"a\tb\n\u00e9\u20ac\U0001F600\u00a0";
  EXPECT_EQ(DisplayText(kText), kText);
  EXPECT_EQ(DisplayText(""), "");
}

TEST(DisplayTest, ReplacesWhatATerminalWouldObey) {
  EXPECT_EQ(DisplayText("\x1b[2Jx\ry\x7f"), u8"\ufffd[2Jx\ufffdy\ufffd");
  EXPECT_EQ(DisplayText(absl::string_view("\0", 1)), u8"\ufffd");
  // U+009B introduces an escape sequence by itself.
  EXPECT_EQ(DisplayText("\xc2\x9b"), u8"\ufffd");
}

TEST(DisplayTest, ReplacesMalformedUtf8ByteByByte) {
  EXPECT_EQ(DisplayText("a\xff"), u8"a\ufffd");
  EXPECT_EQ(DisplayText("\xc3"), u8"\ufffd");
  EXPECT_EQ(DisplayText("\xc0\x80"), u8"\ufffd\ufffd");            // overlong
  EXPECT_EQ(DisplayText("\xed\xa0\x80"), u8"\ufffd\ufffd\ufffd");  // surrogate
  EXPECT_EQ(DisplayText("\xf4\x90\x80\x80"), u8"\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(DisplayText("\xe2\x82z"), u8"\ufffd\ufffdz");
}

}  // namespace
}  // namespace charrnn
