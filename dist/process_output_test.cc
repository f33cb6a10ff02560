#include "dist/process_output.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ProcessOutputTest : public testing::Test {
 protected:
  std::vector<std::string> lines_;
  ProcessOutput output_{"[alpha/1] ", [this](absl::string_view line) {
                          lines_.emplace_back(line);
                        }};
};

// The lines of `text` that comes in pieces of `size` bytes, without a prefix.
std::vector<std::string> LinesOf(absl::string_view text, size_t size) {
  std::vector<std::string> lines;
  ProcessOutput output(
      "", [&](absl::string_view line) { lines.emplace_back(line); });
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
    output.Append(text.substr(0, size));
  }
  output.Finish();
  return lines;
}

TEST_F(ProcessOutputTest, WritesWholeLinesWithThePrefix) {
  output_.Append("one\ntwo\nth");
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] one", "[alpha/1] two"));
  lines_.clear();
  output_.Append("r");
  EXPECT_THAT(lines_, IsEmpty());
  output_.Append("ee\n");
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] three"));
}

TEST_F(ProcessOutputTest, WritesTheRestAtTheEnd) {
  output_.Append("one\ntwo");
  lines_.clear();
  output_.Finish();
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] two"));
  output_.Finish();
  EXPECT_EQ(lines_.size(), 1);
}

TEST_F(ProcessOutputTest, WritesNothingAtTheEndOfWholeLines) {
  output_.Finish();
  EXPECT_THAT(lines_, IsEmpty());
  output_.Append("one\n");
  output_.Finish();
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] one"));
}

TEST_F(ProcessOutputTest, KeepsEmptyLines) {
  output_.Append("\n\none\n\n");
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] ", "[alpha/1] ", "[alpha/1] one",
                                  "[alpha/1] "));
}

TEST_F(ProcessOutputTest, ACarriageReturnEndsALine) {
  output_.Append("\r10%\r20%\r\rdone\n");
  EXPECT_THAT(lines_,
              ElementsAre("[alpha/1] 10%", "[alpha/1] 20%", "[alpha/1] done"));
}

TEST_F(ProcessOutputTest, ACarriageReturnBeforeANewlineIsOneLineEnd) {
  output_.Append("one\r\ntwo\r");
  output_.Append("\n\r\n\nthree\r\n");
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] one", "[alpha/1] two",
                                  "[alpha/1] ", "[alpha/1] three"));
}

TEST_F(ProcessOutputTest, HandsOnAllOtherBytes) {
  const std::string bytes("\0\x1b[1m\xff\t ", 8);
  output_.Append(absl::StrCat(bytes, "\n"));
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat("[alpha/1] ", bytes)));
}

TEST_F(ProcessOutputTest, HoldsBackALineOfTheGreatestLength) {
  const std::string longest(ProcessOutput::kMaxLine, 'x');
  output_.Append(longest);
  EXPECT_THAT(lines_, IsEmpty());
  output_.Append("\n");
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat("[alpha/1] ", longest)));
}

TEST_F(ProcessOutputTest, WritesALongerLineAsSeveral) {
  const std::string longest(ProcessOutput::kMaxLine, 'x');
  output_.Append(absl::StrCat(longest, longest, "y"));
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat("[alpha/1] ", longest),
                                  absl::StrCat("[alpha/1] ", longest)));
  lines_.clear();
  output_.Append("z\n\n");
  EXPECT_THAT(lines_, ElementsAre("[alpha/1] yz", "[alpha/1] "));
}

TEST_F(ProcessOutputTest, CutsALongLineBetweenCharacters) {
  for (const std::string character :
       {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8e\xad"}) {
    for (size_t in_first = 0; in_first < character.size(); ++in_first) {
      lines_.clear();
      const std::string head(ProcessOutput::kMaxLine - in_first, 'x');
      output_.Append(absl::StrCat(head, character, "\n"));
      EXPECT_THAT(lines_, ElementsAre(absl::StrCat("[alpha/1] ", head),
                                      absl::StrCat("[alpha/1] ", character)));
    }
  }
}

TEST_F(ProcessOutputTest, CutsALineThatIsNoTextAnywhere) {
  const std::string bytes(ProcessOutput::kMaxLine + 1, '\x80');
  output_.Append(bytes);
  EXPECT_THAT(lines_, ElementsAre(absl::StrCat("[alpha/1] ", bytes.substr(1))));
}

TEST_F(ProcessOutputTest, RemembersTheLastLineThatSaysSomething) {
  EXPECT_EQ(output_.last_line(), "");
  output_.Append("warning\ntrain: out of memory\n\n \t\n");
  EXPECT_EQ(output_.last_line(), "train: out of memory");
  output_.Append("train: no, that");
  EXPECT_EQ(output_.last_line(), "train: out of memory");
  output_.Finish();
  EXPECT_EQ(output_.last_line(), "train: no, that");
}

TEST_F(ProcessOutputTest, RemembersTheBeginningOfALongLine) {
  const std::string line =
      absl::StrCat("train: ", std::string(3 * ProcessOutput::kMaxLine, 'x'));
  output_.Append(absl::StrCat(line, "\n"));
  EXPECT_EQ(output_.last_line(), line.substr(0, ProcessOutput::kMaxLine));
}

TEST(ProcessOutputPiecesTest, PiecesMakeNoDifference) {
  std::string text = "one\r\ntwo\r\r\n\n10%\r20%\n\r\n\rthree \xe2\x82\xac\r";
  for (int i = 0; i < 3000; ++i) absl::StrAppend(&text, "\xe2\x82\xac");
  absl::StrAppend(&text, "\n\nlast");
  const std::vector<std::string> whole = LinesOf(text, text.size());
  EXPECT_EQ(whole.size(), 11);
  for (const size_t size : {1, 2, 3, 5, 7, 4095, 4096, 4097}) {
    EXPECT_EQ(LinesOf(text, size), whole) << size;
  }
}

}  // namespace
}  // namespace charrnn
