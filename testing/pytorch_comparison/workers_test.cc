// Our side of the comparison, as the driver meets it.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr char kTimes[] = "[0-9]+\\.[0-9]+";

class WorkersTest : public testing::Test {
 protected:
  WorkersTest() { workplace_.Write("text.txt", PlainText(200)); }

  // What a small worker says to `turns`, a line each.
  SubprocessResult Train(const std::string& turns,
                         std::vector<std::string> flags = {}) const {
    flags.insert(flags.end(),
                 {"--data_path=text.txt", "--run_dir=run", "--threads=1",
                  "--embedding_dim=4", "--hidden_dim=8", "--batch_size=4",
                  "--seq_len=16", "--num_epochs=1000", "--log_every=0",
                  "--sample_every=0"});
    return Run("training_step", turns, flags);
  }

  SubprocessResult Run(const std::string& program, const std::string& turns,
                       const std::vector<std::string>& flags) const {
    SubprocessOptions options = workplace_.Here(flags);
    options.stdin_text = turns;
    auto result = RunSubprocess(
        RunfilePath("testing/pytorch_comparison/" + program), options);
    EXPECT_THAT(result, IsOk());
    return result.ok() ? *result : SubprocessResult();
  }

  static std::vector<std::string> Lines(const SubprocessResult& result) {
    return absl::StrSplit(result.stdout_text, '\n');
  }

  const Workplace workplace_;
};

TEST_F(WorkersTest, TrainingAnswersEachTurnWithATimeForEachStep) {
  const SubprocessResult result = Train("1\n3\n");
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  const std::string time = kTimes;
  EXPECT_THAT(Lines(result),
              ElementsAre("ready", MatchesRegex(time),
                          MatchesRegex(time + " " + time + " " + time), ""));
  // Whoever has no turn left saves nothing.
  EXPECT_THAT(workplace_.Checkpoints("run"), IsEmpty());
}

TEST_F(WorkersTest, TrainingTakesTheFlagsOfTrain) {
  const SubprocessResult result = Train("1\n", {"--rnn_type=RNN"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("rnn_type"));
  EXPECT_THAT(result.stdout_text, IsEmpty());
}

TEST_F(WorkersTest, WhatIsNoTurnIsRefused) {
  const SubprocessResult result = Train("soon\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("\"soon\""));
}

TEST_F(WorkersTest, SamplingWritesTextsOfAModelInTurns) {
  EXPECT_EQ(workplace_
                .Run("train",
                     {"--data_path=text.txt", "--run_dir=run",
                      "--embedding_dim=4", "--hidden_dim=8", "--batch_size=4",
                      "--seq_len=16", "--max_steps=1", "--sample_every=0"})
                .exit_code,
            0);
  const SubprocessResult result =
      Run("sampling_step", "2\n1\n",
          {"--checkpoint=run", "--streams=3", "--max_generate=5"});
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  const std::string time = kTimes;
  EXPECT_THAT(Lines(result),
              ElementsAre("ready", MatchesRegex(time + " " + time),
                          MatchesRegex(time), ""));
}

TEST_F(WorkersTest, ThePeakIsMeasured) {
  const SubprocessResult result = Run("peak", "", {"2", "5"});
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(Lines(result), ElementsAre(MatchesRegex("fp32 [0-9.]+"),
                                         MatchesRegex("bf16 [0-9.]+"), ""));
}

}  // namespace
}  // namespace charrnn
