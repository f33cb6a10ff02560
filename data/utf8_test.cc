#include "data/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <utf8.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

struct Decoded {
  absl::Status status;
  std::u32string code_points;
};

Decoded Decode(absl::string_view text) {
  Decoded decoded;
  decoded.status =
      DecodeUtf8(text, [&](char32_t c) { decoded.code_points.push_back(c); });
  return decoded;
}

TEST(Utf8Test, EmptyTextHasNoCodePoints) {
  const Decoded decoded = Decode("");
  EXPECT_TRUE(decoded.status.ok());
  EXPECT_TRUE(decoded.code_points.empty());
}

TEST(Utf8Test, AWideCharacterAnywhereAmongAsciiIsDecodedInOrder) {
  // Lengths and positions around the eight bytes that are read at once.
  for (size_t length = 0; length < 27; ++length) {
    for (size_t at = 0; at <= length; ++at) {
      std::string text;
      std::u32string expected;
      for (size_t i = 0; i <= length; ++i) {
        const char32_t c = i == at ? U'\u20AC' : U'a' + i % 26;
        AppendUtf8(c, &text);
        expected.push_back(c);
      }
      const Decoded decoded = Decode(text);
      ASSERT_TRUE(decoded.status.ok()) << text;
      ASSERT_EQ(decoded.code_points, expected) << text;
    }
  }
}

TEST(Utf8Test, EveryScalarValueComesBackFromItsUtf8Form) {
  std::string text;
  std::u32string expected;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    AppendUtf8(c, &text);
    expected.push_back(c);
  }
  const Decoded decoded = Decode(text);
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_TRUE(decoded.code_points == expected);
}

TEST(Utf8Test, TheByteOrderMarkIsAnOrdinaryCharacter) {
  EXPECT_EQ(Decode("\xEF\xBB\xBFx").code_points, U"\uFEFFx");
}

struct IllFormedCase {
  const char* what;
  std::string bytes;
};

std::vector<IllFormedCase> IllFormedCases() {
  return {
      {"a continuation byte alone, lowest", "\x80"},
      {"a continuation byte alone, highest", "\xBF"},
      {"an overlong NUL", std::string("\xC0\x80")},
      {"an overlong slash of two bytes", "\xC0\xAF"},
      {"the longest overlong form of two bytes", "\xC1\xBF"},
      {"an overlong form of three bytes, lowest", "\xE0\x80\x80"},
      {"an overlong form of three bytes, highest", "\xE0\x9F\xBF"},
      {"an overlong form of four bytes, lowest", "\xF0\x80\x80\x80"},
      {"an overlong form of four bytes, highest", "\xF0\x8F\xBF\xBF"},
      {"the first surrogate", "\xED\xA0\x80"},
      {"the last surrogate", "\xED\xBF\xBF"},
      {"a pair of surrogates (CESU-8)", "\xED\xA0\xBD\xED\xB8\x80"},
      {"the first code point past U+10FFFF", "\xF4\x90\x80\x80"},
      {"a lead byte past U+10FFFF", "\xF5\x80\x80\x80"},
      {"a lead byte of five bytes", "\xF8\x88\x80\x80\x80"},
      {"a lead byte of six bytes", "\xFC\x84\x80\x80\x80\x80"},
      {"FE", "\xFE"},
      {"FF", "\xFF"},
      {"two bytes cut short", "\xC3"},
      {"three bytes cut short after one", "\xE2"},
      {"three bytes cut short after two", "\xE2\x82"},
      {"four bytes cut short after three", "\xF0\x9F\x98"},
      {"two bytes, the second ASCII", "\xC3("},
      {"two bytes, the second a lead", "\xC3\xC3\xA9"},
      {"three bytes, the third ASCII", "\xE2\x82("},
      {"four bytes, the fourth ASCII", "\xF0\x9F\x98("},
  };
}

TEST(Utf8Test, EveryClassOfIllFormedSequenceIsRefusedWithItsOffsetAndByte) {
  for (const IllFormedCase& c : IllFormedCases()) {
    // At the text's end and inside it; beyond the first eight bytes, too.
    for (const char* before : {"", "ab", "0123456789", "\u00E9\u20AC"}) {
      for (const char* after : {"", "c", "0123456789"}) {
        const Decoded decoded = Decode(absl::StrCat(before, c.bytes, after));
        ASSERT_EQ(decoded.status.code(), absl::StatusCode::kInvalidArgument)
            << c.what << ", after '" << before << "'";
        EXPECT_THAT(std::string(decoded.status.message()),
                    HasSubstr(absl::StrFormat(
                        "byte offset %d (0x%02X)", std::strlen(before),
                        static_cast<uint8_t>(c.bytes[0]))))
            << c.what;
        EXPECT_EQ(decoded.code_points, Decode(before).code_points) << c.what;
      }
    }
  }
}

// utfcpp, written by others, is the judge: of all sequences of three bytes, and
// of those of four with a fourth byte at each edge.
TEST(Utf8Test, AcceptsExactlyWhatUtfcppAccepts) {
  const auto agree = [](absl::string_view bytes) {
    const Utf8Character first = FirstUtf8Character(bytes);
    const bool ours = first.length != 0;
    const bool theirs =
        utf8::find_invalid(bytes.begin(), bytes.end()) != bytes.begin();
    return ours == theirs &&
           (!ours ||
            first.code_point == utf8::unchecked::peek_next(bytes.begin()));
  };
  int64_t disagreements = 0;
  for (uint32_t first = 0; first < 0x1000000; ++first) {
    const char three[] = {static_cast<char>(first >> 16),
                          static_cast<char>(first >> 8),
                          static_cast<char>(first)};
    disagreements += !agree(absl::string_view(three, 3));
    if (static_cast<uint8_t>(three[0]) < 0xF0) continue;
    for (int last : {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF}) {
      const char four[] = {three[0], three[1], three[2],
                           static_cast<char>(last)};
      disagreements += !agree(absl::string_view(four, 4));
    }
  }
  EXPECT_EQ(disagreements, 0);
}

TEST(Utf8Test, TheWellFormedPrefixEndsWhereDecodingFails) {
  EXPECT_EQ(WellFormedUtf8Prefix(""), 0);
  EXPECT_EQ(WellFormedUtf8Prefix("a\u00E9\u4E2D\U0001F600"), 10);
  EXPECT_EQ(WellFormedUtf8Prefix("a\u00E9\xFF\u4E2D"), 3);
  EXPECT_EQ(WellFormedUtf8Prefix("a\xE4\xB8"), 1);
}

TEST(Utf8Test, ACharacterThatIsCutIsAnUnfinishedSuffix) {
  for (const absl::string_view character :
       {"a", "\u00E9", "\u4E2D", "\U0001F600"}) {
    for (size_t length = 0; length <= character.size(); ++length) {
      const std::string text =
          absl::StrCat("\U0001F600", character.substr(0, length));
      EXPECT_EQ(UnfinishedUtf8Suffix(text),
                length == character.size() ? 0 : length)
          << character << " cut to " << length;
    }
  }
  EXPECT_EQ(UnfinishedUtf8Suffix("\xF0"), 1);
}

TEST(Utf8Test, WhatNothingCompletesIsNoUnfinishedSuffix) {
  for (const char* text :
       {"\x80", "\x80\x80\x80\x80", "a\xC1", "a\xF5", "\u00E9\x80"}) {
    EXPECT_EQ(UnfinishedUtf8Suffix(text), 0) << text;
  }
}

TEST(Utf8Test, MessagesShowACharacterUnlessItIsInvisible) {
  EXPECT_EQ(PrintableCharacter(U'a'), "a");
  EXPECT_EQ(PrintableCharacter(U'\u00E9'), "\u00E9");
  EXPECT_EQ(PrintableCharacter(U'\U0001F600'), "\U0001F600");
  EXPECT_EQ(PrintableCharacter(U'\0'), "U+0000");
  EXPECT_EQ(PrintableCharacter(U'\x1B'), "U+001B");  // Escape sequences.
  EXPECT_EQ(PrintableCharacter(U' '), "U+0020");
  EXPECT_EQ(PrintableCharacter(0x9B), "U+009B");    // As ESC [.
  EXPECT_EQ(PrintableCharacter(0x202E), "U+202E");  // Right-to-left.
  EXPECT_EQ(PrintableCharacter(0x2067), "U+2067");
  EXPECT_EQ(PrintableCharacter(0xFEFF), "U+FEFF");
  EXPECT_EQ(PrintableCharacter(0x10FFFF), "U+10FFFF");
}

}  // namespace
}  // namespace charrnn
