#include "base/errno_status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "absl/status/status.h"

namespace charrnn {
namespace {

TEST(ErrnoStatusTest, NamesThePathTheDeedAndTheReason) {
  errno = ENOENT;
  EXPECT_EQ(ErrnoStatus("a/b", "cannot open"),
            absl::NotFoundError("a/b: cannot open: No such file or directory"));
  errno = ENOSPC;
  EXPECT_EQ(
      ErrnoStatus("c", "cannot write"),
      absl::ResourceExhaustedError("c: cannot write: No space left on device"));
}

}  // namespace
}  // namespace charrnn
