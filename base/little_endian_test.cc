#include "base/little_endian.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(LittleEndianTest, TheLeastSignificantByteIsFirst) {
  std::string bytes;
  AppendLittleEndian(0x0102, 2, &bytes);
  AppendLittleEndian(0xfffefdfc, 4, &bytes);
  EXPECT_EQ(bytes, "\x02\x01\xfc\xfd\xfe\xff");
  EXPECT_EQ(LittleEndian(bytes), 0xfffefdfc0102U);
  EXPECT_EQ(LittleEndian("\x80"), 0x80U);
  EXPECT_EQ(LittleEndian(""), 0U);
}

TEST(LittleEndianTest, EightBytesHoldEveryNumber) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}}) {
    std::string bytes;
    AppendLittleEndian(value, 8, &bytes);
    EXPECT_EQ(bytes.size(), 8);
    EXPECT_EQ(LittleEndian(bytes), value);
  }
}

}  // namespace
}  // namespace charrnn
