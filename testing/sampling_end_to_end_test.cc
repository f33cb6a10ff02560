// `sample` and `evaluate` as a user runs them, on one trained model.

#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class SamplingEndToEndTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workplace_ = new Workplace;
    workplace_->Write("text.txt", PlainText(100));
    const SubprocessResult result = workplace_->Run(
        "train", {"--data_path=text.txt", "--embedding_dim=8",
                  "--hidden_dim=16", "--batch_size=16", "--seq_len=16"});
    ASSERT_EQ(result.exit_code, 0) << result.stderr_text;
  }
  static void TearDownTestSuite() { delete workplace_; }

  static const Workplace& workplace() { return *workplace_; }

  // What `sample` writes about runs/latest.
  static std::string Sample(std::vector<std::string> flags,
                            const std::string& stdin_text = "") {
    SubprocessOptions options = workplace().Here(std::move(flags));
    options.stdin_text = stdin_text;
    const SubprocessResult result = workplace().Run("sample", options);
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    return result.stdout_text;
  }

  static std::string Evaluate(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "--data_path=text.txt");
    const SubprocessResult result = workplace().Run("evaluate", flags);
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    return result.stdout_text;
  }

 private:
  static const Workplace* workplace_;
};

const Workplace* SamplingEndToEndTest::workplace_ = nullptr;

TEST_F(SamplingEndToEndTest, WritesAsManyCharactersAsAskedFor) {
  EXPECT_THAT(Sample({"--max_generate=25"}), SizeIs(25 + 1));
  EXPECT_THAT(Sample({}), SizeIs(400 + 1));
  EXPECT_EQ(Sample({"--prompt=the cat", "--max_generate=0"}), "the cat\n");
}

TEST_F(SamplingEndToEndTest, ContinuesThePrompt) {
  const std::string text = Sample({"--prompt=the cat", "--max_generate=25"});
  EXPECT_THAT(text, AllOf(StartsWith("the cat"), SizeIs(7 + 25 + 1)));
  EXPECT_NE(text.substr(7),
            Sample({"--prompt=two dog", "--max_generate=25"}).substr(7));
}

TEST_F(SamplingEndToEndTest, WhatIsUnknownInThePromptIsLeftOutAloud) {
  const SubprocessResult result =
      workplace().Run("sample", {"--prompt=X the! Y cat", "--max_generate=0"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.stdout_text, " the  cat\n");
  EXPECT_THAT(result.stderr_text, HasSubstr("3 characters (X ! Y)"));
}

TEST_F(SamplingEndToEndTest, EqualSeedsGiveEqualTexts) {
  const std::string text = Sample({"--max_generate=50"});
  EXPECT_EQ(Sample({"--max_generate=50"}), text);
  EXPECT_NE(Sample({"--max_generate=50", "--seed=43"}), text);
}

TEST_F(SamplingEndToEndTest, TheMostProbableTextKnowsNoSeed) {
  const std::vector<std::string> flags = {"--temperature=0", "--prompt=the ",
                                          "--max_generate=50"};
  std::vector<std::string> other_seed = flags;
  other_seed.push_back("--seed=43");
  EXPECT_EQ(Sample(flags), Sample(other_seed));
}

TEST_F(SamplingEndToEndTest, ManySamplesDifferAndTheFirstIsTheOneAlone) {
  const std::string text = Sample({"--num_samples=3", "--max_generate=30"});
  const std::string alone = Sample({"--max_generate=30"});
  EXPECT_THAT(text, StartsWith("==== sample 1 of 3 ====\n" + alone +
                               "==== sample 2 of 3 ====\n"));
  EXPECT_THAT(text, HasSubstr("==== sample 3 of 3 ====\n"));
  const std::vector<std::string> parts = absl::StrSplit(text, " of 3 ====\n");
  ASSERT_THAT(parts, SizeIs(4));
  EXPECT_NE(parts[2].substr(0, 30), parts[1].substr(0, 30));
  EXPECT_NE(parts[3].substr(0, 30), parts[2].substr(0, 30));
}

TEST_F(SamplingEndToEndTest, AnswersEachLineOfAConversation) {
  SubprocessOptions options =
      workplace().Here({"--interactive", "--max_generate=0"});
  options.stdin_text = "the cat\nXYZ\n a dog";
  const SubprocessResult result = workplace().Run("sample", options);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.stdout_text, "the cat\n a dog\n");
  EXPECT_THAT(result.stderr_text, HasSubstr("(X Y Z)"));
}

TEST_F(SamplingEndToEndTest, WritesCharactersAsTheyCome) {
  const std::string beginning = Sample({"--max_generate=40"}).substr(0, 40);
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Subprocess> endless,
      Subprocess::Start(RunfilePath("cmd/sample"),
                        workplace().Here({"--max_generate=1000000000000"})));
  EXPECT_THAT(endless->WaitForOutput(beginning), IsOk());
}

TEST_F(SamplingEndToEndTest, AReaderThatHasEnoughEndsItQuietly) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const SubprocessResult result,
      RunSubprocess(
          "bash", workplace().Here({"-c",
                                    "\"$0\" --max_generate=1000000000000 |"
                                    "head -c 5 | wc -c; echo ${PIPESTATUS[0]}",
                                    RunfilePath("cmd/sample")})));
  EXPECT_EQ(result.stdout_text, "5\n141\n");
  EXPECT_THAT(result.stderr_text, Not(HasSubstr("sample")));
}

TEST_F(SamplingEndToEndTest, EvaluationIsTrainingsOwnValidation) {
  json best;
  for (const absl::string_view line :
       absl::StrSplit(workplace().Read("runs/latest/metrics.jsonl"), '\n')) {
    const json event = json::parse(std::string(line), nullptr, false);
    if (absl::StrContains(line, "\"validation\"") &&
        (best.is_null() || event["loss"] < best["loss"])) {
      best = event;
    }
  }
  const json found = json::parse(Evaluate({"--json"}), nullptr, false);
  ASSERT_TRUE(found.is_object());
  EXPECT_EQ(found.size(), 6);
  const double loss = found["loss"];
  EXPECT_NEAR(loss, best["loss"], 1e-6);
  EXPECT_NEAR(found["bpc"], loss / std::log(2.0), 1e-12);
  EXPECT_NEAR(found["perplexity"], std::exp(loss), 1e-12);
  EXPECT_EQ(found["chars"], best["chars"]);
  // Each of this text's characters is a byte.
  EXPECT_EQ(found["bytes"], best["chars"]);
  EXPECT_NEAR(found["bpb"], found["bpc"], 1e-12);
}

TEST_F(SamplingEndToEndTest, EvaluationOfAllCountsTheWholeText) {
  const json all = json::parse(Evaluate({"--json", "--part=all"}));
  const auto size = static_cast<int64_t>(PlainText(100).size());
  // Whole chunks of 16 targets.
  EXPECT_EQ(all["chars"], (size - 1) / 16 * 16);
  EXPECT_THAT(Evaluate({}),
              AllOf(StartsWith("loss "), HasSubstr(" bits per character, "),
                    HasSubstr(" bits per byte, "), HasSubstr("perplexity ")));
}

TEST_F(SamplingEndToEndTest, EvaluationWithoutATextAsksForOne) {
  const SubprocessResult result =
      workplace().Run("evaluate", std::vector<std::string>());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stderr_text,
            "evaluate: there is no data/tinyshakespeare.txt here: name a text "
            "with --data_path\n");
}

TEST(ProgramsTest, HelpListsTheFlagsOnStdout) {
  const Workplace workplace;
  const std::vector<std::pair<std::string, std::string>> flags = {
      {"train", "--data_path=data/tinyshakespeare.txt"},
      {"sample", "--checkpoint=runs/latest"},
      {"evaluate", "--part=validation"}};
  for (const auto& [program, flag] : flags) {
    const SubprocessResult help = workplace.Run(program, {"--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.stdout_text,
                AllOf(HasSubstr(flag), HasSubstr("--device=auto"),
                      HasSubstr(absl::StrCat("Usage: ", program, " [flags]"))));
    EXPECT_EQ(help.stderr_text, "");
    const SubprocessResult version = workplace.Run(program, {"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_THAT(version.stdout_text, StartsWith(program + " (charrnn) "));
  }
  EXPECT_THAT(workplace.List(), IsEmpty());
}

}  // namespace
}  // namespace charrnn
