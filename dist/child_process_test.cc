#include "dist/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dist/file_descriptor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using testing::HasSubstr;
using testing::Optional;

// Long enough for a busy machine.
constexpr int kPatienceMs = 40000;

ChildProcessOptions Script(absl::string_view script) {
  ChildProcessOptions options;
  options.program = "/bin/sh";
  options.arguments = {"-c", std::string(script)};
  return options;
}

void WaitForEnd(const ChildProcess& child) {
  pollfd event = {child.end_fd(), POLLIN, 0};
  ASSERT_EQ(poll(&event, 1, kPatienceMs), 1);
}

struct Outcome {
  std::string end;
  std::string stdout_text;
  std::string stderr_text;
};

// Follows a child to its end, and both of its outputs to theirs.
absl::StatusOr<Outcome> RunToEnd(const ChildProcessOptions& options) {
  absl::StatusOr<std::unique_ptr<ChildProcess>> child =
      ChildProcess::Start(options);
  if (!child.ok()) return child.status();
  Outcome outcome;
  while (true) {
    pollfd events[] = {{(*child)->end_fd(), POLLIN, 0},
                       {(*child)->output_fd(OutputStream::kStdout), POLLIN, 0},
                       {(*child)->output_fd(OutputStream::kStderr), POLLIN, 0}};
    if (events[0].fd < 0 && events[1].fd < 0 && events[2].fd < 0) break;
    if (poll(events, std::size(events), kPatienceMs) < 1) {
      return absl::DeadlineExceededError("the child neither writes nor ends");
    }
    outcome.stdout_text += (*child)->TakeOutput(OutputStream::kStdout);
    outcome.stderr_text += (*child)->TakeOutput(OutputStream::kStderr);
    (*child)->TakeEnd();
  }
  outcome.end = (*child)->TakeEnd()->ToString();
  return outcome;
}

TEST(ChildProcessTest, TellsOutputsAndExitCode) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Outcome outcome,
      RunToEnd(Script("echo out; echo err >&2; exit 7")));
  EXPECT_EQ(outcome.stdout_text, "out\n");
  EXPECT_EQ(outcome.stderr_text, "err\n");
  EXPECT_EQ(outcome.end, "exit code 7");
}

TEST(ChildProcessTest, TellsTheSignalThatEndedIt) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome killed,
                               RunToEnd(Script("kill -9 $$")));
  EXPECT_EQ(killed.end, "signal 9 (Killed)");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome aborted,
                               RunToEnd(Script("ulimit -c 0; kill -ABRT $$")));
  EXPECT_EQ(aborted.end, "signal 6 (Aborted)");
}

TEST(ChildProcessTest, SaysSoWhereNobodyKnowsTheExitCode) {
  EXPECT_THAT(ProcessEnd().ToString(), HasSubstr("something else"));
}

TEST(ChildProcessTest, TakesMoreOutputThanAPipeHolds) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome outcome,
                               RunToEnd(Script("head -c 1000000 /dev/zero >&2;"
                                               "head -c 1000000 /dev/zero")));
  EXPECT_EQ(outcome.stdout_text.size(), 1000000);
  EXPECT_EQ(outcome.stderr_text.size(), 1000000);
}

TEST(ChildProcessTest, PassesArgumentsAsTheyAre) {
  ChildProcessOptions options = Script("printf '<%s>' \"$@\"");
  options.arguments.insert(options.arguments.end(), {"sh", "a b", "", "*"});
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome outcome, RunToEnd(options));
  EXPECT_EQ(outcome.stdout_text, "<a b><><*>");
}

TEST(ChildProcessTest, IsCalledWhatItsParentSays) {
  ChildProcessOptions options = Script("echo $0");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome unnamed, RunToEnd(options));
  EXPECT_EQ(unnamed.stdout_text, "/bin/sh\n");
  options.name = "another";
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome named, RunToEnd(options));
  EXPECT_EQ(named.stdout_text, "another\n");
}

TEST(ChildProcessTest, SetsVariablesOnTopOfOurs) {
  setenv("CHARRNN_TEST_KEPT", "kept", 1);
  setenv("CHARRNN_TEST_CHANGED", "old", 1);
  ChildProcessOptions options =
      Script("echo $CHARRNN_TEST_KEPT $CHARRNN_TEST_CHANGED");
  options.environment = {{"CHARRNN_TEST_CHANGED", "new"}};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome outcome, RunToEnd(options));
  EXPECT_EQ(outcome.stdout_text, "kept new\n");
}

TEST(ChildProcessTest, HasNothingToRead) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome outcome,
                               RunToEnd(Script("cat; echo read")));
  EXPECT_EQ(outcome.stdout_text, "read\n");
  EXPECT_EQ(outcome.end, "exit code 0");
}

TEST(ChildProcessTest, ItsFilesStayOurs) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ChildProcess> child,
                               ChildProcess::Start(Script("exec sleep 1000")));
  const int ours[] = {child->end_fd(), child->output_fd(OutputStream::kStdout),
                      child->output_fd(OutputStream::kStderr)};
  for (const int fd : ours) {
    EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC) << fd;
  }
}

TEST(ChildProcessTest, AMissingProgramIsNotFound) {
  ChildProcessOptions options;
  options.program = "/no/such/program";
  EXPECT_THAT(
      ChildProcess::Start(options),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
}

TEST(ChildProcessTest, DoesNotSearchPath) {
  ChildProcessOptions options;
  options.program = "sh";
  EXPECT_THAT(ChildProcess::Start(options),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(ChildProcessTest, ChildrenShareAGroupThatIsNotOurs) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ChildProcess> first,
                               ChildProcess::Start(Script("exec sleep 1000")));
  EXPECT_EQ(getpgid(first->pid()), first->pid());
  EXPECT_EQ(first->process_group(), first->pid());
  EXPECT_NE(first->process_group(), getpgrp());
  ChildProcessOptions options = Script("exec sleep 1000");
  options.process_group = first->process_group();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ChildProcess> second,
                               ChildProcess::Start(options));
  EXPECT_EQ(getpgid(second->pid()), first->pid());
  EXPECT_EQ(second->process_group(), first->pid());
}

TEST(ChildProcessTest, AGroupLastsUntilItsLastMemberIsReaped) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(std::unique_ptr<ChildProcess> first,
                               ChildProcess::Start(Script("exit 0")));
  WaitForEnd(*first);
  ChildProcessOptions options = Script("exec sleep 1000");
  options.process_group = first->process_group();
  EXPECT_THAT(ChildProcess::Start(options), IsOk());
  first.reset();
  EXPECT_THAT(ChildProcess::Start(options),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST(ChildProcessTest, HasNoEndWhileItRuns) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ChildProcess> child,
                               ChildProcess::Start(Script("exec sleep 1000")));
  EXPECT_FALSE(child->TakeEnd().has_value());
  EXPECT_GE(child->end_fd(), 0);
  child->Kill(SIGTERM);
  WaitForEnd(*child);
  EXPECT_THAT(child->TakeEnd(),
              Optional(testing::Field(&ProcessEnd::signal, SIGTERM)));
  EXPECT_EQ(child->end_fd(), -1);
  EXPECT_THAT(child->TakeEnd(),
              Optional(testing::Field(&ProcessEnd::signal, SIGTERM)));
  child->Kill(SIGTERM);  // for nobody
}

TEST(ChildProcessTest, TheDestructorLeavesNoProcess) {
  for (const int signal : {0, SIGSTOP}) {
    pid_t pid;
    {
      CHARRNN_ASSERT_OK_AND_ASSIGN(
          const std::unique_ptr<ChildProcess> child,
          ChildProcess::Start(Script("trap '' TERM INT; exec sleep 1000")));
      child->Kill(signal);
      pid = child->pid();
      EXPECT_EQ(kill(pid, 0), 0);
    }
    EXPECT_EQ(kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
  }
}

TEST(ChildProcessTest, BeginsWithItsOwnSignals) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  for (const auto& [name, end] : {std::pair{"TERM", "signal 15 (Terminated)"},
                                  std::pair{"PIPE", "signal 13 (Broken pipe)"},
                                  std::pair{"INT", "signal 2 (Interrupt)"}}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const Outcome outcome,
        RunToEnd(Script(std::string("kill -") + name + " $$")));
    EXPECT_EQ(outcome.end, end);
  }
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST(ChildProcessTest, TellsTheExitCodeToWhoIgnoredSigchld) {
  signal(SIGCHLD, SIG_IGN);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Outcome outcome,
                               RunToEnd(Script("exit 3")));
  EXPECT_EQ(outcome.end, "exit code 3");
}

TEST(ChildProcessTest, AGrandchildWithThePipeHoldsNobodyUp) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<ChildProcess> child,
      ChildProcess::Start(Script("sleep 1000 & echo last words")));
  WaitForEnd(*child);
  EXPECT_EQ(child->TakeOutput(OutputStream::kStdout), "last words\n");
  EXPECT_EQ(child->TakeOutput(OutputStream::kStdout), "");
  EXPECT_GE(child->output_fd(OutputStream::kStdout), 0);
  kill(-child->process_group(), SIGKILL);
}

// With a FIFO that hangs up when the last process that writes to it has ended.
class DieWithParentTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(mkfifo(fifo_.c_str(), 0600), 0);
    read_end_ =
        FileDescriptor(open(fifo_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(read_end_.is_open());
  }

  bool HangsUpWithin(int timeout_ms) {
    pollfd event = {read_end_.get(), 0, 0};
    return poll(&event, 1, timeout_ms) == 1 && event.revents == POLLHUP;
  }

  const TempDirectory directory_;
  const std::string fifo_ = directory_.File("fifo");
  FileDescriptor read_end_;
};

TEST_F(DieWithParentTest, AWorkerDiesWithItsKilledParent) {
  SubprocessOptions options;
  options.arguments = {fifo_};
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Subprocess> parent,
      Subprocess::Start(RunfilePath("dist/child_process_test_parent"),
                        options));
  ASSERT_THAT(parent->WaitForOutput("the worker works"), IsOk());
  EXPECT_FALSE(HangsUpWithin(0));
  parent->Signal(SIGKILL);
  EXPECT_TRUE(HangsUpWithin(kPatienceMs));
}

TEST(DieWithParentDeathTest, WhoComesTooLateEndsAtOnce) {
  EXPECT_EXIT(
      {
        DieWithParent(getpid());  // which is not its parent
        _exit(0);
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST(DieWithParentDeathTest, WhoseParentLivesGoesOn) {
  EXPECT_EXIT(
      {
        DieWithParent(getppid());
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace charrnn
