#include "base/terminal_line.h"

#include <string>

#include "absl/strings/string_view.h"
#include "base/log.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

class TerminalLineTest : public testing::Test {
 protected:
  TerminalLine::Options Options(bool is_terminal) {
    TerminalLine::Options options;
    options.write = [this](absl::string_view text) {
      output_.append(text.data(), text.size());
    };
    options.is_terminal = is_terminal;
    options.width = [this] { return width_; };
    return options;
  }

  std::string output_;
  int width_ = 10;
};

TEST_F(TerminalLineTest, ALineIsDrawnInThePlaceOfTheLast) {
  {
    TerminalLine line(Options(/*is_terminal=*/true));
    line.Draw("34%");
    line.Draw("35%");
  }
  EXPECT_EQ(output_, "\r\x1b[K34%\r\x1b[K35%\n");
}

TEST_F(TerminalLineTest, ALineIsCutToTheWidthAtThatMoment) {
  TerminalLine line(Options(/*is_terminal=*/true));
  line.Draw("0123456789abc");
  width_ = 5;
  line.Draw("0123456789abc");
  EXPECT_EQ(output_, "\r\x1b[K012345678\r\x1b[K0123");
}

TEST_F(TerminalLineTest, OtherLinesAndTheLogStandAboveIt) {
  TerminalLine line(Options(/*is_terminal=*/true));
  line.Print("a\n");
  line.Draw("34%");
  line.Print("b\nc\n");
  CHARRNN_LOG(INFO) << "d";
  EXPECT_EQ(output_, "a\n\r\x1b[K34%\r\x1b[Kb\nc\n34%\r\x1b[Kd\n34%");
}

TEST_F(TerminalLineTest, WhatIsLeftStaysAndNothingFollowsIt) {
  {
    TerminalLine line(Options(/*is_terminal=*/true));
    line.Draw("34%");
    line.Leave();
    line.Print("a\n");
  }
  EXPECT_EQ(output_, "\r\x1b[K34%\na\n");
}

TEST_F(TerminalLineTest, ElsewhereNothingIsDrawn) {
  {
    TerminalLine line(Options(/*is_terminal=*/false));
    line.Draw("34%");
    line.Print("a\n");
  }
  EXPECT_EQ(output_, "a\n");
}

}  // namespace
}  // namespace charrnn
