#include "base/one_line.h"

#include <string>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(OneLineTest, TextStaysAsItIs) {
  EXPECT_EQ(OneLine("na\u00efve, \"quoted\""), "na\u00efve, \"quoted\"");
  EXPECT_EQ(OneLine(""), "");
}

TEST(OneLineTest, ControlCharactersAreBlanks) {
  EXPECT_EQ(OneLine("a\nb\tc\x1b[2Jd\x7f"), "a b c [2Jd ");
  EXPECT_EQ(OneLine(std::string(2, '\0')), "  ");
}

TEST(OneLineTest, LongOnesAreCutOff) {
  EXPECT_EQ(OneLine("abcdef", 3), "abc");
  EXPECT_EQ(OneLine(std::string(5000, 'x')).size(), 1000);
}

}  // namespace
}  // namespace charrnn
