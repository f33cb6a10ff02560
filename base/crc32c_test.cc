#include "base/crc32c.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

// Bytes first, first + step, ...
std::string Ramp(size_t size, int first = 0, int step = 1) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>(first + step * static_cast<int>(i));
  }
  return text;
}

// The definition, bit by bit: a second opinion that shares no table.
uint32_t BitwiseCrc32c(absl::string_view data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : data) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
    }
  }
  return ~crc;
}

struct Golden {
  std::string data;
  uint32_t crc;
};

class Crc32cGoldenTest : public ::testing::TestWithParam<Golden> {};

TEST_P(Crc32cGoldenTest, BothImplementationsGiveThePublishedChecksum) {
  EXPECT_EQ(Crc32c(GetParam().data), GetParam().crc);
  EXPECT_EQ(internal::ExtendCrc32cPortable(0, GetParam().data), GetParam().crc);
}

// The examples of RFC 3720, appendix B.4, whose bytes are printed lowest
// first; then the check value of the Rocksoft model.
INSTANTIATE_TEST_SUITE_P(
    Rfc3720, Crc32cGoldenTest,
    ::testing::Values(Golden{std::string(32, '\0'), 0x8A9136AA},
                      Golden{std::string(32, '\xFF'), 0x62A8AB43},
                      Golden{Ramp(32), 0x46DD794E},
                      Golden{Ramp(32, 31, -1), 0x113FDB5C},
                      // An iSCSI READ (10) command.
                      Golden{
                          std::string("\x01\xC0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                      "\x14\0\0\0\0\0\x04\0\0\0\0\x14\0\0\0\x18"
                                      "\x28\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0",
                                      48),
                          0xD9963A56},
                      Golden{"123456789", 0xE3069283}, Golden{"", 0}));

TEST(Crc32cTest, EveryLengthAndAlignmentAgreesWithTheDefinition) {
  const std::string text = Ramp(80, 7, 37);
  for (size_t offset = 0; offset < 8; ++offset) {
    for (size_t size = 0; size <= 64; ++size) {
      const auto part = absl::string_view(text).substr(offset, size);
      const uint32_t expected = BitwiseCrc32c(part);
      ASSERT_EQ(Crc32c(part), expected) << offset << " " << size;
      ASSERT_EQ(internal::ExtendCrc32cPortable(0, part), expected)
          << offset << " " << size;
    }
  }
}

// Where lanes side by side begin to pay, and how many of them fit.
TEST(Crc32cTest, LongTextsAgreeWithTheDefinition) {
  const std::string text = Ramp(10'000, 7, 37);
  for (const size_t lanes : {0, 1, 2, 3, 6, 9}) {
    for (size_t size = lanes * 1024; size < lanes * 1024 + 20; ++size) {
      const auto part = absl::string_view(text).substr(3, size);
      ASSERT_EQ(Crc32c(part), BitwiseCrc32c(part)) << size;
      ASSERT_EQ(ExtendCrc32c(0x12345678, part),
                internal::ExtendCrc32cPortable(0x12345678, part))
          << size;
    }
  }
}

TEST(Crc32cTest, ChecksumOfPiecesIsThatOfTheWhole) {
  const std::string text = Ramp(64, 3, 91);
  const uint32_t whole = Crc32c(text);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const absl::string_view head = absl::string_view(text).substr(0, cut);
    const absl::string_view tail = absl::string_view(text).substr(cut);
    ASSERT_EQ(ExtendCrc32c(Crc32c(head), tail), whole) << cut;
    ASSERT_EQ(internal::ExtendCrc32cPortable(Crc32c(head), tail), whole) << cut;
  }
}

TEST(Crc32cTest, EveryFlippedBitChangesTheChecksum) {
  std::string text = Ramp(40, 11, 53);
  const uint32_t intact = Crc32c(text);
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    text[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_NE(Crc32c(text), intact) << bit;
    text[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

}  // namespace
}  // namespace charrnn
