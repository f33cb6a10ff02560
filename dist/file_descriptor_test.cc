#include "dist/file_descriptor.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

int OpenAnything() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(FileDescriptorTest, ClosesWhatItOwns) {
  const int fd = OpenAnything();
  {
    const FileDescriptor owner(fd);
    EXPECT_TRUE(owner.is_open());
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(FileDescriptorTest, ClosesOnceAndKeepsErrno) {
  FileDescriptor owner(OpenAnything());
  errno = ENOENT;
  owner.Close();
  EXPECT_FALSE(owner.is_open());
  EXPECT_EQ(owner.get(), -1);
  // Another file gets the number that is free now; it is not ours to close.
  const FileDescriptor other(OpenAnything());
  errno = ENOENT;
  owner.Close();
  EXPECT_EQ(errno, ENOENT);
  EXPECT_TRUE(IsOpen(other.get()));
}

TEST(FileDescriptorTest, MovingHandsItOn) {
  FileDescriptor first(OpenAnything());
  const int fd = first.get();
  FileDescriptor second(std::move(first));
  EXPECT_EQ(second.get(), fd);
  const int replaced = OpenAnything();
  FileDescriptor third(replaced);
  third = std::move(second);
  EXPECT_EQ(third.get(), fd);
  EXPECT_TRUE(IsOpen(fd));
  EXPECT_FALSE(IsOpen(replaced));
}

TEST(FileDescriptorTest, NoneIsClosed) {
  EXPECT_FALSE(FileDescriptor().is_open());
  EXPECT_FALSE(FileDescriptor(-1).is_open());
}

}  // namespace
}  // namespace charrnn
