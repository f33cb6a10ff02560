#include "data/utf8_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;

std::string Assemble(absl::string_view bytes) {
  return Utf8Assembler().Push(bytes);
}

// What comes out at each byte.
std::vector<std::string> ByteByByte(absl::string_view bytes) {
  Utf8Assembler assembler;
  std::vector<std::string> texts;
  for (const char byte : bytes) {
    texts.push_back(assembler.Push(absl::string_view(&byte, 1)));
  }
  return texts;
}

TEST(Utf8AssemblerTest, LeavesUtf8AsItIs) {
  std::string text;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c < 0xD800 || c > 0xDFFF) AppendUtf8(c, &text);
  }
  EXPECT_TRUE(Assemble(text) == text);
  EXPECT_EQ(Assemble(""), "");
}

TEST(Utf8AssemblerTest, HoldsBytesBackUntilTheirCharacterIsWhole) {
  EXPECT_THAT(ByteByByte(u8"a\u00e9\u20ac"),
              ElementsAre("a", "", u8"\u00e9", "", "", u8"\u20ac"));
  EXPECT_THAT(ByteByByte(u8"\U0001F600z"),
              ElementsAre("", "", "", u8"\U0001F600", "z"));
}

TEST(Utf8AssemblerTest, LeavesOutACharacterThatEndsTooEarly) {
  for (const char* text : {u8"a\u00e9", u8"a\u20ac", u8"a\U0001F600"}) {
    const absl::string_view whole = text;
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(Assemble(whole.substr(0, size)), "a") << whole << size;
    }
  }
}

struct IllFormedCase {
  const char* what;
  std::string bytes;
  int replacements;
};

TEST(Utf8AssemblerTest, ReplacesEachMaximalSubpartOnce) {
  const std::vector<IllFormedCase> cases = {
      {"a continuation byte alone", "\x80", 1},
      {"two of them", "\x80\xBF", 2},
      {"a byte that leads nothing", "\xFF", 1},
      {"an overlong form of two bytes", "\xC0\xAF", 2},
      {"an overlong form of three bytes", "\xE0\x80\xAF", 3},
      {"an overlong form of four bytes", "\xF0\x80\x80\xAF", 4},
      {"a surrogate", "\xED\xA0\x80", 3},
      {"a code point past U+10FFFF", "\xF4\x90\x80\x80", 4},
      {"a lead byte past U+10FFFF", "\xF5\x80\x80\x80", 4},
      {"two bytes cut short", "\xC3", 1},
      {"three bytes cut short after one", "\xE2", 1},
      {"three bytes cut short after two", "\xE2\x82", 1},
      {"four bytes cut short after one", "\xF0", 1},
      {"four bytes cut short after two", "\xF0\x9F", 1},
      {"four bytes cut short after three", "\xF0\x9F\x98", 1},
      // Tables 3-8 to 3-11 of the Unicode Standard.
      {"overlong forms", "\xC0\xAF\xE0\x80\xBF\xF0\x81\x82", 8},
      {"surrogates", "\xED\xA0\x80\xED\xBF\xBF\xED\xAF", 8},
      {"others", "\xF4\x91\x92\x93\xFF", 5},
      {"sequences cut short", "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF", 4},
  };
  for (const IllFormedCase& c : cases) {
    std::string replaced = "a";
    for (int i = 0; i < c.replacements; ++i) replaced += u8"\ufffd";
    // Whatever begins behind it.
    for (const char* after : {"z", u8"\u00e9", u8"\U0001F600"}) {
      EXPECT_EQ(Assemble(absl::StrCat("a", c.bytes, after)), replaced + after)
          << c.what;
    }
  }
}

// Bytes at the edges of all ranges of table 3-7.
TEST(Utf8AssemblerTest, HoweverBytesAreCutTheTextIsTheSameAndWellFormed) {
  constexpr std::array<uint8_t, 16> kBytes = {
      0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
      0xC1, 0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF4, 0xF5};
  for (uint32_t choice = 0; choice < 0x100000; ++choice) {
    std::string bytes;
    for (int shift = 0; shift < 20; shift += 4) {
      bytes += static_cast<char>(kBytes[choice >> shift & 0xF]);
    }
    std::string text;
    for (const std::string& piece : ByteByByte(bytes)) {
      // No character comes out in pieces.
      ASSERT_TRUE(DecodeUtf8(piece, [](char32_t) {}).ok()) << choice;
      text += piece;
    }
    ASSERT_EQ(text, Assemble(bytes)) << choice;
  }
}

}  // namespace
}  // namespace charrnn
