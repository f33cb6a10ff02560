#include "testing/lines.h"

#include <functional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "base/log.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(LinesTest, ALineThatIsThereIsFoundAtOnce) {
  Lines lines;
  lines.Add("step 1");
  lines.Add("step 2");
  EXPECT_EQ(lines.Await("step ", [] {}), "1");
  EXPECT_TRUE(lines.Has("step 2"));
  EXPECT_FALSE(lines.Has("tep"));
}

TEST(LinesTest, ALineIsAwaited) {
  Lines lines;
  std::thread other;
  const std::string rest = lines.Await("step ", [&] {
    if (!other.joinable()) other = std::thread([&] { lines.Add("step 3"); });
  });
  other.join();
  EXPECT_EQ(rest, "3");
}

TEST(LinesTest, ALineThatDoesNotComeFailsTheTest) {
  static Lines lines;  // which EXPECT_NONFATAL_FAILURE asks for
  EXPECT_NONFATAL_FAILURE(lines.Await(
                              "step ", [] {}, absl::ZeroDuration()),
                          "no line began with 'step '");
}

TEST(LogCaptureTest, HasTheLinesOfTheLogWhileItLives) {
  Lines lines;
  {
    const LogCapture capture(&lines);
    CHARRNN_LOG(WARNING) << "it is late";
  }
  CHARRNN_LOG(INFO) << "it is later";
  EXPECT_TRUE(lines.Has("warning: it is late"));
  EXPECT_FALSE(lines.Has("it is later"));
}

}  // namespace
}  // namespace charrnn
