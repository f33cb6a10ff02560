#include "data/symbol_counts.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "data/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SymbolCounts Of(absl::string_view text) {
  SymbolCounts counts;
  EXPECT_EQ(counts.Add(text), text.size());
  return counts;
}

TEST(SymbolCountsTest, NothingHasNoCharacters) {
  EXPECT_EQ(SymbolCounts().total(), 0);
  EXPECT_THAT(SymbolCounts().AtLeast(1), IsEmpty());
}

TEST(SymbolCountsTest, CharactersOfAllLengthsAreCounted) {
  const SymbolCounts counts =
      Of("banana \u0416\u4E2D\u4E2D\U0001F600e\u0301\u4E2D\U0010FFFF");
  EXPECT_EQ(counts.total(), 15);
  EXPECT_THAT(counts.AtLeast(1),
              ElementsAre(U' ', U'a', U'b', U'e', U'n', U'\u0301', U'\u0416',
                          U'\u4E2D', U'\U0001F600', U'\U0010FFFF'));
  EXPECT_THAT(counts.AtLeast(2), ElementsAre(U'a', U'n', U'\u4E2D'));
  EXPECT_THAT(counts.AtLeast(3), ElementsAre(U'a', U'\u4E2D'));
  EXPECT_THAT(counts.AtLeast(4), IsEmpty());
}

TEST(SymbolCountsTest, EveryCharacterThereIsCanBeCounted) {
  std::string text;
  std::vector<char32_t> expected;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;  // surrogates
    AppendUtf8(c, &text);
    expected.push_back(c);
  }
  EXPECT_EQ(Of(text).AtLeast(1), expected);
}

TEST(SymbolCountsTest, TheCountsOfTwoPartsAddUpToTheWholes) {
  SymbolCounts counts = Of("aab\u4E2D");
  counts.Add(Of("ac\u4E2D\U0001F600"));
  EXPECT_EQ(counts.total(), 8);
  EXPECT_THAT(counts.AtLeast(2), ElementsAre(U'a', U'\u4E2D'));
  EXPECT_THAT(counts.AtLeast(1),
              ElementsAre(U'a', U'b', U'c', U'\u4E2D', U'\U0001F600'));
}

TEST(SymbolCountsTest, TheFirstIllFormedByteIsFound) {
  EXPECT_EQ(SymbolCounts().Add("ab\u4E2D\xFFz"), 5);
  EXPECT_EQ(SymbolCounts().Add("\xE4\xB8"), 0);
}

}  // namespace
}  // namespace charrnn
