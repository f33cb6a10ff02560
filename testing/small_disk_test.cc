#include "testing/small_disk.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

TEST(SmallDiskTest, HasNoRoomForMoreAndLeavesNothing) {
  const Workplace workplace;
  const SubprocessResult result = RunOnASmallDisk(
      workplace, "disk", "64k", "\"$@\" > disk/file; echo $? $(ls disk)",
      {"head", "-c", "100000", "/dev/zero"});
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  EXPECT_EQ(result.stdout_text, "1 file\n");
  EXPECT_THAT(result.stderr_text, HasSubstr("No space left on device"));
  EXPECT_TRUE(workplace.List().empty());
}

}  // namespace
}  // namespace charrnn
