// Runs the commands that README.md shows, in its order, in a folder like a
// reader's.

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

constexpr absl::string_view kRun = "./bazelw run //cmd:";

// The lines of the README that run a program on this machine's CPU.
std::vector<std::string> ReadmeCommands() {
  const std::string readme =
      *FileSystem::Real()->ReadFile(RunfilePath("README.md"));
  std::vector<std::string> commands;
  for (const absl::string_view line : absl::StrSplit(readme, '\n')) {
    if (absl::StartsWith(line, kRun)) commands.emplace_back(line);
  }
  return commands;
}

// The same command for a shell, the program in place of `bazel run` and, where
// it trains, flags behind the reader's own that make it short.
std::string ShellCommand(absl::string_view command) {
  const std::vector<std::string> words =
      absl::StrSplit(absl::StripPrefix(command, kRun), absl::MaxSplits(' ', 1));
  std::string arguments = words.size() > 1 ? words[1] : "";
  arguments = arguments.substr(0, arguments.find(" #"));
  const absl::string_view given =
      absl::StripPrefix(absl::StripLeadingAsciiWhitespace(arguments), "-- ");
  // Its hosts are not to be reached; //testing:launch_hosts_test has some.
  if (words[0] == "launch") {
    return absl::StrCat(RunfilePath("cmd/launch"), " --dry_run ", given);
  }
  return absl::StrCat(RunfilePath(absl::StrCat("cmd/", words[0])), " ", given,
                      absl::StartsWith(words[0], "train")
                          ? " --max_steps=2 --hidden_dim=16 --embedding_dim=8"
                          : "");
}

TEST(ReadmeTest, EveryCommandWorksAsPasted) {
  const Workplace workplace;
  workplace.Write("my.txt", PlainText(200));
  workplace.Write("texts/a.txt", PlainText(100));
  workplace.Write("hosts", "node1\nnode2:4\n");
  const std::vector<std::string> commands = ReadmeCommands();
  ASSERT_GE(commands.size(), 5);
  for (const std::string& command : commands) {
    SCOPED_TRACE(command);
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const SubprocessResult result,
        RunSubprocess("sh", workplace.Here({"-c", ShellCommand(command)})));
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  }
}

}  // namespace
}  // namespace charrnn
