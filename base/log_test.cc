#include "base/log.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// Makes stderr a socket that keeps the borders between writes, and collects
// what each write(2) carried.
class StderrWrites {
 public:
  StderrWrites() : saved_(dup(STDERR_FILENO)) {
    std::array<int, 2> ends;
    const int failed = socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data());
    EXPECT_EQ(failed, 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader_ = ends[0];
  }

  ~StderrWrites() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(reader_);
  }

  // All writes so far, one string each.
  std::vector<std::string> Take() {
    std::vector<std::string> writes;
    std::array<char, 4096> buffer;
    ssize_t size;
    while ((size = recv(reader_, buffer.data(), buffer.size(), MSG_DONTWAIT)) >
           0) {
      writes.emplace_back(buffer.data(), size);
    }
    return writes;
  }

 private:
  const int saved_;
  int reader_;
};

TEST(LogTest, EveryStatementIsOneWriteOfOneLineWithItsSeverity) {
  StderrWrites writes;
  CHARRNN_LOG(INFO) << "step " << 7;
  CHARRNN_LOG(WARNING) << "late";
  CHARRNN_LOG(ERROR) << "gone";
  EXPECT_THAT(writes.Take(),
              ElementsAre("step 7\n", "warning: late\n", "error: gone\n"));
}

TEST(LogTest, LinesOfSeveralThreadsDoNotMix) {
  constexpr int kThreads = 4;
  constexpr int kLines = 20;
  StderrWrites writes;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([i] {
      for (int line = 0; line < kLines; ++line) {
        CHARRNN_LOG(INFO) << std::string(50, static_cast<char>('a' + i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> lines = writes.Take();
  EXPECT_EQ(lines.size(), kThreads * kLines);
  for (const std::string& line : lines) {
    EXPECT_EQ(line, std::string(50, line[0]) + "\n");
  }
}

TEST(LogTest, SinkTakesLinesWithoutNewlineUntilItIsRemoved) {
  StderrWrites writes;
  std::vector<std::pair<LogSeverity, std::string>> lines;
  SetLogSink([&lines](LogSeverity severity, absl::string_view line) {
    lines.emplace_back(severity, std::string(line));
  });
  CHARRNN_LOG(INFO) << "a";
  CHARRNN_LOG(WARNING) << "b";
  CHARRNN_LOG(ERROR) << "c";
  SetLogSink(nullptr);
  CHARRNN_LOG(INFO) << "d";

  EXPECT_THAT(lines, ElementsAre(Pair(LogSeverity::kInfo, "a"),
                                 Pair(LogSeverity::kWarning, "warning: b"),
                                 Pair(LogSeverity::kError, "error: c")));
  EXPECT_THAT(writes.Take(), ElementsAre("d\n"));
}

TEST(CheckTest, ConditionThatHoldsCostsNoMessage) {
  int described = 0;
  const auto describe = [&described] { return ++described; };
  // Without braces on purpose.
  // NOLINTBEGIN(google-readability-braces-around-statements)
  if (described == 0)
    CHARRNN_CHECK(true) << describe();
  else
    FAIL() << "the else belongs to the if outside the macro";
  // NOLINTEND(google-readability-braces-around-statements)
  EXPECT_EQ(described, 0);
}

TEST(CheckDeathTest, FailureNamesPlaceConditionAndMessage) {
  EXPECT_DEATH(CHARRNN_CHECK(1 + 1 == 3) << "sum " << 2,
               "log_test.cc:[0-9]+: check failed: 1 \\+ 1 == 3: sum 2\n");
}

TEST(CheckDeathTest, FailureIsPrintedWhateverTheSink) {
  EXPECT_DEATH(
      {
        SetLogSink([](LogSeverity, absl::string_view) {});
        CHARRNN_CHECK(false);
      },
      "check failed: false\n");
}

}  // namespace
}  // namespace charrnn
