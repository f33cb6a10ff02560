#include "testing/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

SubprocessOptions Script(absl::string_view script) {
  SubprocessOptions options;
  options.arguments = {"-c", std::string(script)};
  return options;
}

TEST(SubprocessTest, ReportsExitCodeAndBothOutputs) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const SubprocessResult result,
      RunSubprocess("bash", Script("echo out; echo err >&2; exit 3")));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.stdout_text, "out\n");
  EXPECT_EQ(result.stderr_text, "err\n");
}

TEST(SubprocessTest, ReportsTheSignalThatEndedIt) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("bash", Script("kill -9 $$")));
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.exit_code, -1);
}

TEST(SubprocessTest, PassesArgumentsAsTheyAre) {
  SubprocessOptions options = Script("printf '<%s>' \"$@\"");
  options.arguments.insert(options.arguments.end(), {"bash", "a b", "", "*"});
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("bash", options));
  EXPECT_EQ(result.stdout_text, "<a b><><*>");
}

TEST(SubprocessTest, SetsVariablesOnTopOfOurs) {
  setenv("CHARRNN_TEST_KEPT", "kept", 1);
  setenv("CHARRNN_TEST_CHANGED", "old", 1);
  SubprocessOptions options =
      Script("echo $CHARRNN_TEST_KEPT $CHARRNN_TEST_CHANGED");
  options.environment = {{"CHARRNN_TEST_CHANGED", "new"}};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("bash", options));
  EXPECT_EQ(result.stdout_text, "kept new\n");
}

TEST(SubprocessTest, StartsInTheWorkingDirectory) {
  const TempDirectory directory;
  SubprocessOptions options = Script("touch here");
  options.working_directory = directory.path();
  ASSERT_THAT(RunSubprocess("bash", options), IsOk());
  EXPECT_TRUE(std::filesystem::exists(directory.File("here")));
}

TEST(SubprocessTest, FeedsStdinAndThenItsEnd) {
  SubprocessOptions options;
  options.stdin_text = std::string(1 << 20, 'x') + "\nlast line";
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("cat", options));
  EXPECT_EQ(result.stdout_text, options.stdin_text);
}

TEST(SubprocessTest, TakesMoreOutputThanAPipeHolds) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const SubprocessResult result,
      RunSubprocess("bash", Script("head -c 1000000 /dev/zero >&2;"
                                   "head -c 1000000 /dev/zero")));
  EXPECT_EQ(result.stdout_text.size(), 1000000);
  EXPECT_EQ(result.stderr_text.size(), 1000000);
}

TEST(SubprocessTest, IsReadAlsoWhileNobodyWaitsForIt) {
  const TempDirectory directory;
  SubprocessOptions options =
      Script("head -c 1000000 /dev/zero; touch reached");
  options.working_directory = directory.path();
  CHARRNN_ASSERT_OK_AND_ASSIGN(std::unique_ptr<Subprocess> process,
                               Subprocess::Start("bash", options));
  while (!std::filesystem::exists(directory.path() + "/reached")) {
    std::this_thread::yield();
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, process->Wait());
  EXPECT_EQ(result.stdout_text.size(), 1000000);
}

TEST(SubprocessTest, AMissingProgramIsNotFound) {
  EXPECT_THAT(
      RunSubprocess("/no/such/program"),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
}

TEST(SubprocessTest, TheDeadlineEndsTheWholeGroup) {
  const TempDirectory directory;
  const std::string fifo = directory.File("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int fd = open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(fd, 0);
  SubprocessOptions options =
      Script("exec 3> $FIFO; sleep 1000 & echo started; wait");
  options.environment = {{"FIFO", fifo}};
  options.deadline = absl::Seconds(1);
  EXPECT_THAT(
      RunSubprocess("bash", options),
      StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("started")));
  // Hangs up once the shell and its child, which inherited it, have ended.
  pollfd event = {fd, POLLIN, 0};
  EXPECT_EQ(poll(&event, 1, /*timeout=*/20000), 1);
  EXPECT_EQ(event.revents, POLLHUP);
  close(fd);
}

TEST(SubprocessTest, WhatAProgramLeavesBehindEndsWithIt) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const SubprocessResult result,
      RunSubprocess("bash", Script("sleep 1000 & exit 0")));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(SubprocessTest, WaitsForOutputAndIsThenSignalled) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Subprocess> process,
      Subprocess::Start("bash",
                        Script("trap 'echo bye; exit 3' TERM;"
                               "echo ready >&2;"
                               "while true; do read -t 1 < <(:); done")));
  ASSERT_THAT(process->WaitForOutput("ready"), IsOk());
  process->Signal(SIGTERM);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, process->Wait());
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.stdout_text, "bye\n");
}

TEST(SubprocessTest, WaitingForOutputThatNeverComesIsAnError) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Subprocess> process,
      Subprocess::Start("bash", Script("echo something else")));
  EXPECT_THAT(process->WaitForOutput("ready"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("something else")));
}

TEST(SubprocessTest, TheObjectTakesItsProcessAlong) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      std::unique_ptr<Subprocess> process,
      Subprocess::Start("bash", Script("exec sleep 1000")));
  const pid_t pid = process->pid();
  EXPECT_EQ(kill(pid, 0), 0);
  process.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(SubprocessTest, FindsFilesThatTheTargetNames) {
  const std::string path = RunfilePath("testing/subprocess_test.cc");
  EXPECT_TRUE(std::filesystem::path(path).is_absolute());
  EXPECT_DEATH(RunfilePath("testing/absent"), "testing/absent is missing");
}

}  // namespace
}  // namespace charrnn
