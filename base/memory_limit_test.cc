#include "base/memory_limit.h"

#include <sys/resource.h>

#include <cstdint>
#include <limits>
#include <string>

#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

class ControlGroupLimitTest : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    FileSystem& files = *FileSystem::Real();
    ASSERT_THAT(files.CreateDirectories(Dirname(root_.File(path))), IsOk());
    ASSERT_THAT(WriteFile(files, root_.File(path), text), IsOk());
  }
  int64_t Limit() const { return ControlGroupLimit(root_.path()); }

  const TempDirectory root_;
};

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

TEST_F(ControlGroupLimitTest, WithoutGroupsThereIsNone) {
  EXPECT_EQ(Limit(), kNone);
  Write("proc/self/cgroup", "no groups\n\n0::/\n");
  EXPECT_EQ(Limit(), kNone);
}

TEST_F(ControlGroupLimitTest, OfVersionTwoTheLeastOnTheWayUpCounts) {
  Write("proc/self/cgroup", "0::/job/step\n");
  Write("sys/fs/cgroup/job/step/memory.max", "max\n");
  EXPECT_EQ(Limit(), kNone);
  Write("sys/fs/cgroup/job/memory.max", "5000\n");
  EXPECT_EQ(Limit(), 5000);
  Write("sys/fs/cgroup/job/step/memory.max", "4000\n");
  EXPECT_EQ(Limit(), 4000);
}

TEST_F(ControlGroupLimitTest, OfVersionOneTheMemoryControllerCounts) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/other\n4:memory:/job\n0::/\n");
  Write("sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1000\n");
  Write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "6000\n");
  EXPECT_EQ(Limit(), 6000);
}

TEST_F(ControlGroupLimitTest, WithinAContainerTheMountIsItsGroup) {
  Write("proc/self/cgroup", "4:memory:/docker/0123\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "7000\n");
  EXPECT_EQ(Limit(), 7000);
}

TEST(MemoryLimitTest, IsNoMoreThanTheAddressSpaceThatIsAllowed) {
  EXPECT_GT(MemoryLimit(), 0);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs more address space than is left here";
#endif
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  rlimit less = before;
  less.rlim_cur = 12345678;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &less), 0);
  const int64_t limit = MemoryLimit();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(limit, 12345678);
}

}  // namespace
}  // namespace charrnn
