#include "cmd/prepare_progress.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/terminal_line.h"
#include "data/prepare.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

class PrepareProgressTest : public testing::Test {
 protected:
  TerminalLine::Options Options(bool is_terminal) {
    TerminalLine::Options options;
    options.write = [this](absl::string_view text) {
      output_.append(text.data(), text.size());
    };
    options.is_terminal = is_terminal;
    return options;
  }

  // How far it is, after a while.
  PrepareOptions::Progress After(absl::Duration duration, int pass,
                                 int64_t megabytes, int num_passes = 2) {
    clock_.Advance(duration);
    return {pass, num_passes, megabytes * 1000000, int64_t{4000} * 1000000};
  }

  // What has been written since the last call.
  std::string Output() { return std::exchange(output_, ""); }

  FakeClock clock_;
  std::string output_;
};

TEST_F(PrepareProgressTest, OnATerminalALineIsDrawnTenTimesASecondAtMost) {
  PrepareProgress progress(Options(/*is_terminal=*/true), &clock_);
  progress.Show(After(absl::ZeroDuration(), 1, 1));
  EXPECT_EQ(Output(), "\r\x1b[K  0%  pass 1 of 2  1 of 4,000 MB");
  progress.Show(After(absl::Milliseconds(99), 1, 2));
  EXPECT_EQ(Output(), "");
  progress.Show(After(absl::Milliseconds(4901), 1, 2000));
  EXPECT_EQ(Output(),
            "\r\x1b[K 25%  pass 1 of 2  2,000 of 4,000 MB  400 MB/s  15s left");
  progress.Show(After(absl::Seconds(10), 2, 2000));
  EXPECT_EQ(
      Output(),
      "\r\x1b[K 75%  pass 2 of 2  2,000 of 4,000 MB  400 MB/s  5.0s left");
}

TEST_F(PrepareProgressTest, ElsewhereALineIsWrittenNowAndThen) {
  PrepareProgress progress(Options(/*is_terminal=*/false), &clock_);
  progress.Show(After(absl::Milliseconds(999), 1, 1, 1));
  EXPECT_EQ(Output(), "");
  progress.Show(After(absl::Milliseconds(1), 1, 100, 1));
  EXPECT_EQ(Output(), "  3%  100 of 4,000 MB  100 MB/s  39s left\n");
  progress.Show(After(absl::Milliseconds(9999), 1, 500, 1));
  EXPECT_EQ(Output(), "");
  progress.Show(After(absl::Milliseconds(9001), 1, 1000, 1));
  EXPECT_EQ(Output(), " 25%  1,000 of 4,000 MB  50 MB/s  1m 00s left\n");
}

TEST_F(PrepareProgressTest, ATextThatGrowsIsNoMoreThanAll) {
  PrepareProgress progress(Options(/*is_terminal=*/true), &clock_);
  progress.Show(After(absl::Seconds(10), 1, 5000, 1));
  EXPECT_EQ(Output(), "\r\x1b[K100%  4,000 of 4,000 MB  400 MB/s  0.0s left");
}

}  // namespace
}  // namespace charrnn
