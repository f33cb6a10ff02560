#include "testing/memory_group.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

constexpr int64_t kLimit = int64_t{64} << 20;

// How a process ends that enters `group` and touches `bytes` of memory.
int TouchIn(const MemoryGroup& group, int64_t bytes) {
  const auto pid = fork();
  if (pid == 0) {
    if (!group.Enter(0).ok()) _exit(3);
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(4);
    std::memset(memory, 1, bytes);
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

TEST(MemoryGroupTest, WhoNeedsMoreThanTheLimitIsKilled) {
  const absl::StatusOr<std::unique_ptr<MemoryGroup>> group =
      MemoryGroup::Create(kLimit);
  if (absl::IsUnavailable(group.status())) GTEST_SKIP() << group.status();
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(TouchIn(**group, kLimit / 2), 0);
  const int status = TouchIn(**group, kLimit * 2);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace charrnn
