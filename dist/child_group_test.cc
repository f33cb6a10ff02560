#include "dist/child_group.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dist/child_process.h"
#include "dist/file_descriptor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Long enough for a busy machine.
constexpr absl::Duration kPatience = absl::Seconds(40);

ChildProcessOptions Script(absl::string_view script) {
  ChildProcessOptions options;
  options.program = "/bin/sh";
  options.arguments = {"-c", std::string(script)};
  return options;
}

class ChildGroupTest : public testing::Test {
 protected:
  void SetUp() override {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        group_,
        ChildGroup::Create([this](OutputStream stream, absl::string_view line) {
          if (stream == OutputStream::kStdout) {
            stdout_lines_.emplace_back(line);
          } else {
            stderr_lines_.emplace_back(line);
          }
        }));
  }

  int64_t StartScript(absl::string_view script,
                      const std::string& prefix = "") {
    const auto id = group_->Start(Script(script), prefix);
    EXPECT_THAT(id, IsOk());
    return id.value_or(0);
  }

  // Waits until `count` children have ended.
  std::vector<ChildGroup::Exit> Exits(size_t count) {
    std::vector<ChildGroup::Exit> exits;
    while (exits.size() < count) {
      const auto event = group_->WaitForEvent(kPatience);
      EXPECT_THAT(event, IsOk());
      if (!event.ok() || event->exits.empty()) {
        ADD_FAILURE() << "no child ends";
        break;
      }
      exits.insert(exits.end(), event->exits.begin(), event->exits.end());
    }
    return exits;
  }

  // Starts a child that runs until it is killed, and tells its process and its
  // process group.
  std::pair<pid_t, pid_t> StartSleeper() {
    stdout_lines_.clear();
    StartScript(
        "read -r _ _ _ _ group _ < /proc/$$/stat;"
        "echo $$ $group; exec sleep 1000");
    while (stdout_lines_.empty()) {
      EXPECT_THAT(group_->WaitForEvent(absl::Milliseconds(1)), IsOk());
    }
    const std::vector<std::string> numbers =
        absl::StrSplit(stdout_lines_.front(), ' ');
    std::pair<pid_t, pid_t> result;
    EXPECT_TRUE(absl::SimpleAtoi(numbers.front(), &result.first));
    EXPECT_TRUE(absl::SimpleAtoi(numbers.back(), &result.second));
    return result;
  }

  std::vector<std::string> stdout_lines_;
  std::vector<std::string> stderr_lines_;
  std::unique_ptr<ChildGroup> group_;
};

TEST_F(ChildGroupTest, HandsOnLinesWithTheirPrefixes) {
  StartScript("echo one; echo two >&2; printf rest", "[alpha/0] ");
  StartScript("echo one", "[alpha/1] ");
  Exits(2);
  EXPECT_THAT(
      stdout_lines_,
      UnorderedElementsAre("[alpha/0] one", "[alpha/0] rest", "[alpha/1] one"));
  EXPECT_THAT(stderr_lines_, ElementsAre("[alpha/0] two"));
}

TEST_F(ChildGroupTest, TellsWhoEndedHowAndItsLastWords) {
  const int64_t failed =
      StartScript("echo warning >&2; echo 'worker: no memory' >&2; exit 1");
  const int64_t killed = StartScript("kill -9 $$");
  EXPECT_NE(failed, killed);
  EXPECT_EQ(group_->size(), 2);
  for (const ChildGroup::Exit& exit : Exits(2)) {
    if (exit.id == failed) {
      EXPECT_EQ(exit.end.ToString(), "exit code 1");
      EXPECT_EQ(exit.last_line, "worker: no memory");
    } else {
      EXPECT_EQ(exit.id, killed);
      EXPECT_EQ(exit.end.ToString(), "signal 9 (Killed)");
      EXPECT_EQ(exit.last_line, "");
    }
  }
  EXPECT_EQ(group_->size(), 0);
}

TEST_F(ChildGroupTest, LastWordsNeedNoLineEnd) {
  StartScript("echo warning >&2; printf 'worker: no memory' >&2; exit 1");
  const std::vector<ChildGroup::Exit> exits = Exits(1);
  ASSERT_EQ(exits.size(), 1);
  EXPECT_EQ(exits[0].last_line, "worker: no memory");
  EXPECT_THAT(stderr_lines_, ElementsAre("warning", "worker: no memory"));
}

TEST_F(ChildGroupTest, ANumberIsNeverUsedTwice) {
  const int64_t first = StartScript("exit 0");
  Exits(1);
  EXPECT_GT(StartScript("exit 0"), first);
}

TEST_F(ChildGroupTest, AnExitComesAfterAllThatTheChildWrote) {
  StartScript("head -c 60000 /dev/zero | tr '\\0' '\\n'; exit 1");
  Exits(1);
  EXPECT_EQ(stdout_lines_.size(), 60000);
}

TEST_F(ChildGroupTest, AGrandchildWithThePipesIsNotWaitedFor) {
  StartScript("sleep 1000 & echo $!; echo last words >&2; exit 3");
  const std::vector<ChildGroup::Exit> exits = Exits(1);
  ASSERT_EQ(exits.size(), 1);
  EXPECT_EQ(exits[0].end.exit_code, 3);
  EXPECT_EQ(exits[0].last_line, "last words");
  ASSERT_EQ(stdout_lines_.size(), 1);
  pid_t grandchild;
  ASSERT_TRUE(absl::SimpleAtoi(stdout_lines_[0], &grandchild));
  kill(grandchild, SIGKILL);
}

TEST_F(ChildGroupTest, AGrandchildThatWritesForEverIsNotWaitedFor) {
  StartScript("yes & exit 3");
  const std::vector<ChildGroup::Exit> exits = Exits(1);
  ASSERT_EQ(exits.size(), 1);
  EXPECT_EQ(exits[0].end.exit_code, 3);
}

TEST_F(ChildGroupTest, ATimeoutIsAnEventWithoutContent) {
  StartScript("exec sleep 1000");
  for (const absl::Duration timeout :
       {absl::ZeroDuration(), absl::Microseconds(1), -absl::Seconds(1)}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const ChildGroup::Event event,
                                 group_->WaitForEvent(timeout));
    EXPECT_THAT(event.exits, IsEmpty());
    EXPECT_FALSE(event.woken);
  }
}

TEST_F(ChildGroupTest, ATimeoutComesAlsoWhileAChildWrites) {
  StartScript("exec yes");
  while (stdout_lines_.empty()) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const ChildGroup::Event event,
                                 group_->WaitForEvent(absl::Milliseconds(1)));
    EXPECT_THAT(event.exits, IsEmpty());
  }
}

TEST_F(ChildGroupTest, AChildThatClosesItsOutputsIsStillWatched) {
  StartScript("exec >&- 2>&-; kill -9 $$");
  const std::vector<ChildGroup::Exit> exits = Exits(1);
  ASSERT_EQ(exits.size(), 1);
  EXPECT_EQ(exits[0].end.signal, SIGKILL);
}

TEST_F(ChildGroupTest, AWakeUpEndsTheNextWaitOnce) {
  StartScript("exec sleep 1000");
  group_->Wake();
  group_->Wake();
  CHARRNN_ASSERT_OK_AND_ASSIGN(ChildGroup::Event event,
                               group_->WaitForEvent(absl::InfiniteDuration()));
  EXPECT_TRUE(event.woken);
  CHARRNN_ASSERT_OK_AND_ASSIGN(event,
                               group_->WaitForEvent(absl::ZeroDuration()));
  EXPECT_FALSE(event.woken);
}

TEST_F(ChildGroupTest, AnotherThreadWakesUpAWait) {
  // Round after round: before the wait, in it, or between.
  for (int round = 0; round < 100; ++round) {
    std::thread other([&] { group_->Wake(); });
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const ChildGroup::Event event,
        group_->WaitForEvent(absl::InfiniteDuration()));
    other.join();
    EXPECT_TRUE(event.woken);
  }
}

TEST_F(ChildGroupTest, ASignalEndsAWait) {
  signal(SIGUSR1, [](int) {});
  const pthread_t self = pthread_self();
  std::atomic<bool> over{false};
  // More than one, for the first may come before the wait.
  std::thread other([&] {
    while (!over) {
      pthread_kill(self, SIGUSR1);
      std::this_thread::yield();
    }
  });
  const auto event = group_->WaitForEvent(absl::InfiniteDuration());
  over = true;
  other.join();
  signal(SIGUSR1, SIG_DFL);
  ASSERT_THAT(event, IsOk());
  EXPECT_FALSE(event->woken);
}

TEST_F(ChildGroupTest, KillsOneChildOrAll) {
  const int64_t first = StartScript("exec sleep 1000");
  StartScript("exec sleep 1000");
  StartScript("exec sleep 1000");
  group_->Kill(first, SIGKILL);
  const std::vector<ChildGroup::Exit> exits = Exits(1);
  ASSERT_EQ(exits.size(), 1);
  EXPECT_EQ(exits[0].id, first);
  group_->Kill(first, SIGKILL);  // has ended: nobody
  group_->Kill(17, SIGKILL);
  group_->KillAll(SIGTERM);
  for (const ChildGroup::Exit& exit : Exits(2)) {
    EXPECT_EQ(exit.end.signal, SIGTERM);
  }
}

TEST_F(ChildGroupTest, AChildThatCannotBeStartedIsNone) {
  ChildProcessOptions options;
  options.program = "/no/such/program";
  EXPECT_THAT(group_->Start(options, ""),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(group_->size(), 0);
}

TEST_F(ChildGroupTest, AllAreInOneProcessGroupAlsoWithoutItsFirst) {
  const auto [first, group] = StartSleeper();
  EXPECT_NE(group, getpgrp());
  EXPECT_EQ(StartSleeper().second, group);
  kill(first, SIGKILL);
  Exits(1);
  EXPECT_EQ(StartSleeper().second, group);
}

TEST_F(ChildGroupTest, WhoComesAfterAllHaveEndedBeginsANewGroup) {
  kill(StartSleeper().first, SIGKILL);
  Exits(1);
  const auto [next, group] = StartSleeper();
  EXPECT_EQ(group, next);
}

TEST_F(ChildGroupTest, TheDestructorLeavesNoChild) {
  const std::vector<pid_t> pids = {StartSleeper().first, StartSleeper().first,
                                   StartSleeper().first};
  kill(pids[1], SIGSTOP);
  for (const pid_t pid : pids) EXPECT_EQ(kill(pid, 0), 0);
  group_.reset();
  for (const pid_t pid : pids) {
    EXPECT_EQ(kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
  }
}

TEST_F(ChildGroupTest, TheDestructorLeavesNoGrandchild) {
  const TempDirectory directory;
  const std::string fifo = directory.File("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const FileDescriptor read_end(
      open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(read_end.is_open());
  ChildProcessOptions options =
      Script("exec 3> $FIFO; sleep 1000 & echo started; wait");
  options.environment = {{"FIFO", fifo}};
  ASSERT_THAT(group_->Start(options, ""), IsOk());
  while (stdout_lines_.empty()) {
    ASSERT_THAT(group_->WaitForEvent(absl::Milliseconds(1)), IsOk());
  }
  group_.reset();
  // Hangs up once the shell and its child, which inherited it, have ended.
  pollfd event = {read_end.get(), 0, 0};
  EXPECT_EQ(poll(&event, 1, absl::ToInt64Milliseconds(kPatience)), 1);
  EXPECT_EQ(event.revents, POLLHUP);
}

}  // namespace
}  // namespace charrnn
