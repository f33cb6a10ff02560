#include "model/kernels/bfloat16.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

TEST(Bfloat16Test, EveryNumberComesBackAsItWas) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    const auto number = static_cast<uint16_t>(i);
    const float value = FromBfloat16(number);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(FromBfloat16(ToBfloat16(value)))) << i;
    } else {
      ASSERT_EQ(ToBfloat16(value), number);
    }
  }
}

TEST(Bfloat16Test, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(ToBfloat16(FloatOf(0x3F807FFF)), 0x3F80);
  EXPECT_EQ(ToBfloat16(FloatOf(0x3F808000)), 0x3F80);
  EXPECT_EQ(ToBfloat16(FloatOf(0x3F808001)), 0x3F81);
  EXPECT_EQ(ToBfloat16(FloatOf(0x3F817FFF)), 0x3F81);
  EXPECT_EQ(ToBfloat16(FloatOf(0x3F818000)), 0x3F82);
  EXPECT_EQ(ToBfloat16(FloatOf(0xBF818000)), 0xBF82);
  // Up to the next power of two, and to infinity.
  EXPECT_EQ(ToBfloat16(FloatOf(0x3FFFFFFF)), 0x4000);
  EXPECT_EQ(ToBfloat16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(ToBfloat16(std::numeric_limits<float>::lowest()), 0xFF80);
}

TEST(Bfloat16Test, NoNanBecomesAnInfinity) {
  // Also those whose payload is in the half that goes.
  for (const uint32_t bits : {0x7F800001u, 0xFF800001u, 0x7FFFFFFFu,
                              0xFFFFFFFFu, 0x7FC00000u, 0x7F80FFFFu}) {
    EXPECT_TRUE(std::isnan(FromBfloat16(ToBfloat16(FloatOf(bits))))) << bits;
  }
}

}  // namespace
}  // namespace charrnn
