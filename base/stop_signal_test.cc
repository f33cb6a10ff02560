#include "base/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

// Each in a process of its own, for handlers are the process's.
TEST(StopSignalDeathTest, TheFirstSignalIsRemembered) {
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          StopSignal::Install("stopping");
          if (StopSignal::Received()) _exit(1);
          raise(number);
          _exit(StopSignal::Received() ? 0 : 1);
        },
        testing::ExitedWithCode(0), "^stopping\n$");
  }
}

TEST(StopSignalDeathTest, TheSecondOneEndsTheProcessWhicheverItIs) {
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          StopSignal::Install("stopping");
          raise(SIGINT);
          raise(number);
          _exit(1);
        },
        testing::KilledBySignal(number), "^stopping\n$");
  }
}

TEST(StopSignalDeathTest, WhatWasIgnoredStaysIgnored) {
  EXPECT_EXIT(
      {
        signal(SIGINT, SIG_IGN);
        StopSignal::Install("stopping");
        raise(SIGINT);
        _exit(StopSignal::Received() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace charrnn
