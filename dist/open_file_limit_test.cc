#include "dist/open_file_limit.h"

#include <sys/resource.h>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(OpenFileLimitTest, BecomesAsHighAsItMay) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max / 2;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  RaiseOpenFileLimit();
  rlimit now;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, limit.rlim_max);
  EXPECT_EQ(now.rlim_max, limit.rlim_max);
}

}  // namespace
}  // namespace charrnn
