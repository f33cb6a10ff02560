#include "cmd/command_line.h"

#include <stdlib.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/temp_directory.h"

// A type with a parser of its own, as an enum of ours may be.
struct Fruit {
  std::string name;
};

bool AbslParseFlag(absl::string_view text, Fruit* fruit, std::string* error) {
  fruit->name = std::string(text);
  if (text == "apple" || text == "pear") return true;
  *error = "must be apple or pear";
  return false;
}

std::string AbslUnparseFlag(const Fruit& fruit) { return fruit.name; }

ABSL_FLAG(int, seq_len, 128, "Characters in a chunk.");
ABSL_FLAG(int64_t, num_epochs, 5, "Passes over the text.");
ABSL_FLAG(uint64_t, seed, 42, "Where randomness begins.");
ABSL_FLAG(double, dropout, 0.1, "Share of units dropped.");
ABSL_FLAG(bool, resume, false,
          "Goes on where the run in --run_dir stopped, with its weights, its "
          "optimizer and its position in the text, bit for bit.");
ABSL_FLAG(bool, normalize, true, "A name that begins with no.");
ABSL_FLAG(std::string, data_path, "", "The text.");
ABSL_FLAG(absl::Duration, patience, absl::Seconds(5), "How long to wait.");
ABSL_FLAG(Fruit, fruit, {"apple"}, "Something else.");

namespace charrnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

class CommandLineTest : public testing::Test {
 protected:
  static absl::StatusOr<CommandLine> Parse(
      const std::vector<std::string>& arguments,
      const std::string& takes = "FILE...") {
    std::vector<const char*> argv = {"train"};
    for (const std::string& text : arguments) argv.push_back(text.c_str());
    return ParseCommandLine(static_cast<int>(argv.size()), argv.data(),
                            {"train", "Trains a model.", takes});
  }

  std::string MakeFile(absl::string_view name, absl::string_view text) const {
    std::ofstream(directory_.File(name)) << text;
    return directory_.File(name);
  }

  const TempDirectory directory_;

 private:
  const absl::FlagSaver saver_;
};

TEST_F(CommandLineTest, SetsFlagsHoweverTheyAreWritten) {
  ASSERT_THAT(Parse({"--seq_len=7", "-num_epochs", "8", "--seed", "9",
                     "-dropout=0.5", "--data_path=a=b"}),
              IsOk());
  EXPECT_EQ(absl::GetFlag(FLAGS_seq_len), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_num_epochs), 8);
  EXPECT_EQ(absl::GetFlag(FLAGS_seed), 9);
  EXPECT_EQ(absl::GetFlag(FLAGS_dropout), 0.5);
  EXPECT_EQ(absl::GetFlag(FLAGS_data_path), "a=b");
}

TEST_F(CommandLineTest, SetsBooleansWithoutAValue) {
  ASSERT_THAT(Parse({"--resume", "--nonormalize"}), IsOk());
  EXPECT_TRUE(absl::GetFlag(FLAGS_resume));
  EXPECT_FALSE(absl::GetFlag(FLAGS_normalize));
  ASSERT_THAT(Parse({"--noresume", "--normalize=true"}), IsOk());
  EXPECT_FALSE(absl::GetFlag(FLAGS_resume));
  EXPECT_TRUE(absl::GetFlag(FLAGS_normalize));
}

TEST_F(CommandLineTest, ABooleanLeavesTheNextArgumentAlone) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const CommandLine command_line,
                               Parse({"--resume", "a.txt"}));
  EXPECT_THAT(command_line.positional, ElementsAre("a.txt"));
}

TEST_F(CommandLineTest, TheLastOfAFlagWins) {
  ASSERT_THAT(Parse({"--seq_len=7", "--seq_len=8"}), IsOk());
  EXPECT_EQ(absl::GetFlag(FLAGS_seq_len), 8);
}

TEST_F(CommandLineTest, TellsWhatTheUserTyped) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const CommandLine command_line,
      Parse({"--seq_len=128", "--noresume", "--seed", "1"}));
  EXPECT_THAT(command_line.typed, ElementsAre("resume", "seed", "seq_len"));
}

TEST_F(CommandLineTest, ArgumentsMayStandAnywhere) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const CommandLine command_line,
      Parse({"a", "--seq_len=7", "-", "--", "--seq_len=8", "--"}));
  EXPECT_THAT(command_line.positional,
              ElementsAre("a", "-", "--seq_len=8", "--"));
  EXPECT_EQ(absl::GetFlag(FLAGS_seq_len), 7);
}

TEST_F(CommandLineTest, RefusesArgumentsWhereNoneMayBe) {
  EXPECT_THAT(Parse({"a.txt"}, /*takes=*/""),
              StatusIs(kInvalid, HasSubstr("unexpected argument 'a.txt'")));
}

TEST_F(CommandLineTest, AnUnknownFlagGetsTheNearestName) {
  EXPECT_THAT(Parse({"--sede=1"}),
              StatusIs(kInvalid, "unknown flag --sede; did you mean --seed?"));
  EXPECT_THAT(Parse({"--seq-len=1"}),
              StatusIs(kInvalid, HasSubstr("did you mean --seq_len?")));
  EXPECT_THAT(Parse({"--epochs=1"}),
              StatusIs(kInvalid, HasSubstr("did you mean --num_epochs?")));
  EXPECT_THAT(Parse({"--hlep"}),
              StatusIs(kInvalid, HasSubstr("did you mean --help?")));
  EXPECT_THAT(Parse({"--wholly_unlike"}),
              StatusIs(kInvalid,
                       "unknown flag --wholly_unlike; --help lists the flags"));
}

TEST_F(CommandLineTest, OnlyBooleansHaveANo) {
  EXPECT_THAT(Parse({"--noseed"}), StatusIs(kInvalid, HasSubstr("--noseed")));
  EXPECT_THAT(Parse({"--noresume=1"}),
              StatusIs(kInvalid, HasSubstr("unknown flag --noresume")));
}

TEST_F(CommandLineTest, ABadValueIsToldWhatIsExpected) {
  EXPECT_THAT(Parse({"--seq_len=1e3"}),
              StatusIs(kInvalid,
                       "--seq_len=1e3: must be a whole number from "
                       "-2147483648 to 2147483647"));
  EXPECT_THAT(Parse({"--seq_len=2147483648"}),
              StatusIs(kInvalid, HasSubstr("to 2147483647")));
  EXPECT_THAT(Parse({"--num_epochs", "many"}),
              StatusIs(kInvalid, HasSubstr("--num_epochs=many: must be a")));
  EXPECT_THAT(Parse({"--seed=-1"}),
              StatusIs(kInvalid, HasSubstr("from 0 to 18446744073709551615")));
  EXPECT_THAT(Parse({"--dropout=much"}),
              StatusIs(kInvalid, "--dropout=much: must be a number"));
  EXPECT_THAT(Parse({"--resume=maybe"}),
              StatusIs(kInvalid, "--resume=maybe: must be true or false"));
  EXPECT_THAT(Parse({"--patience=5"}),
              StatusIs(kInvalid,
                       "--patience=5: must be a time with its unit, "
                       "as in 500ms, 10s or 2m"));
  EXPECT_THAT(Parse({"--fruit=stone"}),
              StatusIs(kInvalid, "--fruit=stone: must be apple or pear"));
}

TEST_F(CommandLineTest, AMessageIsOneShortLineWhateverWasTyped) {
  const absl::Status status =
      Parse({"--seq_len=1\n2" + std::string(10000, 'x')}).status();
  EXPECT_THAT(status, StatusIs(kInvalid, HasSubstr("--seq_len=1\\n2")));
  EXPECT_LT(status.message().size(), 200);
}

TEST_F(CommandLineTest, AMissingValueIsAskedFor) {
  EXPECT_THAT(
      Parse({"--seq_len"}),
      StatusIs(kInvalid, "--seq_len: needs a value, as in --seq_len=128"));
  EXPECT_THAT(Parse({"--data_path", "--seed=1"}),
              StatusIs(kInvalid, HasSubstr("--data_path=VALUE")));
  EXPECT_THAT(Parse({"--flagfile"}),
              StatusIs(kInvalid, HasSubstr("--flagfile=FILE")));
}

TEST_F(CommandLineTest, ReadsFlagsFromAFile) {
  const std::string file = MakeFile("flags.txt",
                                    "# A comment, and an empty line.\n\n"
                                    "  --seq_len=7\r\n--noresume\n"
                                    "--data_path a text.txt");
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const CommandLine command_line,
      Parse({"--seq_len=6", "--flagfile=" + file, "--noresume"}));
  EXPECT_EQ(absl::GetFlag(FLAGS_seq_len), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_data_path), "a text.txt");
  EXPECT_THAT(command_line.typed,
              ElementsAre("data_path", "resume", "seq_len"));
}

TEST_F(CommandLineTest, FlagFilesMayNameOthersButNotForEver) {
  const std::string inner = MakeFile("inner", "--seq_len=7");
  const std::string outer = MakeFile("outer", "--flagfile=" + inner);
  ASSERT_THAT(Parse({"--flagfile", outer}), IsOk());
  EXPECT_EQ(absl::GetFlag(FLAGS_seq_len), 7);

  const std::string itself =
      MakeFile("itself", "--flagfile=" + directory_.File("itself"));
  EXPECT_THAT(Parse({"--flagfile=" + itself}),
              StatusIs(kInvalid, HasSubstr("deep")));
}

TEST_F(CommandLineTest, AFlagFilesErrorsNameTheLine) {
  const std::string bad_value = MakeFile("bad", "\n--seq_len=x");
  EXPECT_THAT(Parse({"--flagfile=" + bad_value}),
              StatusIs(kInvalid, HasSubstr("bad:2: --seq_len=x: must be")));
  const std::string no_flag = MakeFile("bad", "seq_len=3");
  EXPECT_THAT(Parse({"--flagfile=" + no_flag}),
              StatusIs(kInvalid, HasSubstr("bad:1: 'seq_len=3' is not a")));
  const std::string spare = MakeFile("bad", "--resume now");
  EXPECT_THAT(Parse({"--flagfile=" + spare}),
              StatusIs(kInvalid, HasSubstr("bad:1: 'now' follows a flag")));
  EXPECT_THAT(Parse({"--flagfile=" + directory_.File("absent")}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

TEST_F(CommandLineTest, PathsCountFromWhereTheUserIs) {
  EXPECT_EQ(UserPath("a.txt"), "a.txt");
  setenv("BUILD_WORKING_DIRECTORY", directory_.path().c_str(), 1);
  EXPECT_EQ(UserPath("a.txt"), directory_.File("a.txt"));
  EXPECT_EQ(UserPath("/a.txt"), "/a.txt");
  EXPECT_EQ(UserPath(""), "");
  MakeFile("flags.txt", "--seq_len=7");
  EXPECT_THAT(Parse({"--flagfile=flags.txt"}), IsOk());
  unsetenv("BUILD_WORKING_DIRECTORY");
}

TEST_F(CommandLineTest, HelpAndVersionComeBeforeWhatFollowsThem) {
  for (const char* help : {"--help", "-help", "-h"}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const CommandLine command_line,
                                 Parse({help, "--unknown"}));
    EXPECT_EQ(command_line.request, CommandLine::Request::kHelp);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const CommandLine command_line,
                               Parse({"--version"}));
  EXPECT_EQ(command_line.request, CommandLine::Request::kVersion);
}

TEST_F(CommandLineTest, HelpShowsUsageAndFlagsWithDefaults) {
  const std::string help = HelpText({"train", "Trains a model.", "FILE..."});
  EXPECT_THAT(
      help, AllOf(HasSubstr("Trains a model.\n"),
                  HasSubstr("Usage: train [flags] FILE...\n"),
                  HasSubstr("  --seq_len=128\n      Characters in a chunk.\n"),
                  HasSubstr("  --data_path=\"\"\n"), HasSubstr("--flagfile")));
  EXPECT_LT(help.find("--data_path"), help.find("--dropout"));
  for (const absl::string_view line : absl::StrSplit(help, '\n')) {
    EXPECT_THAT(line, SizeIs(testing::Le(80)));
  }
}

TEST_F(CommandLineTest, ExitCodesTellBadInputFromFailure) {
  EXPECT_EQ(ExitCode(absl::StatusCode::kOk), 0);
  EXPECT_EQ(ExitCode(absl::StatusCode::kInvalidArgument), 2);
  EXPECT_EQ(ExitCode(absl::StatusCode::kNotFound), 2);
  EXPECT_EQ(ExitCode(absl::StatusCode::kUnauthenticated), 2);
  EXPECT_EQ(ExitCode(absl::StatusCode::kInternal), 1);
  EXPECT_EQ(ExitCode(absl::StatusCode::kResourceExhausted), 1);
  EXPECT_EQ(ExitCode(absl::StatusCode::kCancelled), 3);
}

// The rest runs a program.

SubprocessResult Example(std::vector<std::string> arguments) {
  SubprocessOptions options;
  options.arguments = std::move(arguments);
  absl::StatusOr<SubprocessResult> result =
      RunSubprocess(RunfilePath("cmd/command_line_example"), options);
  EXPECT_THAT(result, IsOk());
  return result.ok() ? *result : SubprocessResult();
}

TEST(RunMainTest, SuccessEndsWithZero) {
  const SubprocessResult result = Example({"--count=2", "two"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.stdout_text, "line 0 of two\nline 1 of two\n");
  EXPECT_EQ(result.stderr_text, "");
}

TEST(RunMainTest, HelpAndVersionGoToStdoutAndEndWithZero) {
  const SubprocessResult help = Example({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.stdout_text, HasSubstr("Usage: example [flags] [TITLE]"));
  EXPECT_THAT(help.stdout_text, HasSubstr("--count=1"));
  EXPECT_EQ(help.stderr_text, "");
  const SubprocessResult version = Example({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.stdout_text, "example (charrnn) 1.0.0\n");
}

TEST(RunMainTest, BadInputEndsWithTwoAndOneLine) {
  SubprocessResult result = Example({"--cuont=2"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stdout_text, "");
  EXPECT_EQ(result.stderr_text,
            "example: unknown flag --cuont; did you mean --count?\n");
  result = Example({"--fail=bad_input"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stderr_text, "example: no such text\n");
  result = Example({"--fail=damage"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stderr_text, "example: a bit was flipped\n");
}

TEST(RunMainTest, FailureEndsWithOneAndOneLine) {
  SubprocessResult result = Example({"--fail=error"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.stderr_text, "example: out of luck\n");
  result = Example({"--fail=exception"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.stderr_text, "example: thrown\n");
}

TEST(RunMainTest, CancellationEndsWithThree) {
  EXPECT_EQ(Example({"--fail=cancelled"}).exit_code, 3);
}

TEST(RunMainTest, AReaderThatLeavesEndsTheProgramQuietly) {
  SubprocessOptions options;
  options.arguments = {
      "-c", "\"$0\" --count=1000000000 | head -1; echo ${PIPESTATUS[0]}",
      RunfilePath("cmd/command_line_example")};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("bash", options));
  EXPECT_EQ(result.stdout_text, "line 0\n141\n");
  EXPECT_EQ(result.stderr_text, "");
}

TEST(RunMainTest, StdoutThatTakesNothingIsAFailure) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\"$0\" > /dev/full", "No space left on device"},
      {"\"$0\" >&-", "Bad file descriptor"}};
  for (const auto& [command, why] : cases) {
    SubprocessOptions options;
    options.arguments = {"-c", command,
                         RunfilePath("cmd/command_line_example")};
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                                 RunSubprocess("bash", options));
    EXPECT_EQ(result.exit_code, 1) << command;
    EXPECT_THAT(result.stderr_text, HasSubstr("stdout: cannot write: " + why));
  }
}

}  // namespace
}  // namespace charrnn
