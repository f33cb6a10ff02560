// Runs the main function of fuzz targets, fuzz_replay.cc, on an example.

#include <csignal>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

class FuzzReplayTest : public ::testing::Test {
 protected:
  SubprocessResult Replay(std::vector<std::string> arguments) {
    auto result = RunSubprocess(RunfilePath("testing/fuzz_replay_example"),
                                workplace_.Here(std::move(arguments)));
    EXPECT_THAT(result, IsOk());
    return result.ok() ? *std::move(result) : SubprocessResult();
  }

  Workplace workplace_;
};

TEST_F(FuzzReplayTest, TriesTheSeedItsBeginningsAndItsNeighbours) {
  workplace_.Write("seed", "az");
  const SubprocessResult result = Replay({"-seed_inputs=seed"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.stdout_text,
            "617a\n"
            "\n61\n"
            "607a\n637a\n657a\n697a\n717a\n417a\n217a\ne17a\n"
            "617b\n6178\n617e\n6172\n616a\n615a\n613a\n61fa\n");
}

TEST_F(FuzzReplayTest, TakesSeedsAsAListAndAsArgumentsAndIgnoresOtherFlags) {
  for (const absl::string_view name : {"a", "b", "c"}) {
    workplace_.Write(name, "");
  }
  EXPECT_EQ(Replay({"-dict=x", "-seed_inputs=a,b", "c"}).stdout_text, "\n\n\n");
}

TEST_F(FuzzReplayTest, LeavesTheMiddleOfALongSeedAlone) {
  workplace_.Write("seed", std::string(10'000, 'a'));
  const SubprocessResult result = Replay({"seed"});
  const std::vector<absl::string_view> inputs =
      absl::StrSplit(result.stdout_text, '\n', absl::SkipEmpty());
  // Itself; cut off, once to nothing; flipped.
  const size_t places = 2048;
  EXPECT_EQ(inputs.size(), 1 + (places - 1) + 8 * places);
}

TEST_F(FuzzReplayTest, NamesTheInputThatFails) {
  workplace_.Write("seed", "no!!");
  SubprocessResult result = Replay({"seed"});
  EXPECT_EQ(result.signal, SIGABRT);
  EXPECT_EQ(result.stderr_text,
            "fuzz_replay: it failed on the first 3 bytes of seed\n");
  workplace_.Write("seed", "oo!");
  result = Replay({"seed"});
  EXPECT_EQ(result.signal, SIGABRT);
  EXPECT_EQ(result.stderr_text,
            "fuzz_replay: it failed on seed with bit 0 of byte 0 flipped\n");
}

TEST_F(FuzzReplayTest, FailsWithoutSeeds) {
  SubprocessResult result = Replay({"-seed_inputs=", "-runs=1"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.stderr_text, "error: fuzz_replay: there are no seeds\n");
  result = Replay({"missing"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.stderr_text, HasSubstr("missing: cannot open"));
}

}  // namespace
}  // namespace charrnn
