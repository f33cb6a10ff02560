#include "data/unknown_characters.h"

#include <gtest/gtest.h>

namespace charrnn {
namespace {

UnknownCharacters Of(const char32_t* text) {
  UnknownCharacters unknown;
  for (; *text != 0; ++text) unknown.Add(*text);
  return unknown;
}

TEST(UnknownCharactersTest, NoneAreNone) {
  EXPECT_EQ(UnknownCharacters().count(), 0);
  EXPECT_EQ(UnknownCharacters().Shown(), "");
}

TEST(UnknownCharactersTest, AllAreCountedAndDifferentOnesShown) {
  const UnknownCharacters unknown = Of(U"x\u00E9x\u202E\u00E9");
  EXPECT_EQ(unknown.count(), 5);
  EXPECT_EQ(unknown.Shown(), "x \u00E9 U+202E");
}

TEST(UnknownCharactersTest, NoMoreThanTenAreShown) {
  const UnknownCharacters unknown = Of(U"abcdefghijklmnop");
  EXPECT_EQ(unknown.count(), 16);
  EXPECT_EQ(unknown.Shown(), "a b c d e f g h i j");
}

TEST(UnknownCharactersTest, ATextInTwoPartsIsAsOneText) {
  UnknownCharacters unknown = Of(U"abcabc");
  unknown.Append(Of(U"bdefghijkl"));
  EXPECT_EQ(unknown.count(), 16);
  EXPECT_EQ(unknown.Shown(), Of(U"abcabcbdefghijkl").Shown());
}

}  // namespace
}  // namespace charrnn
