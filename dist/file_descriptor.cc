#include "dist/file_descriptor.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace charrnn {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FileDescriptor::Close() {
  if (fd_ < 0) return;
  const int error = errno;
  close(std::exchange(fd_, -1));
  errno = error;
}

}  // namespace charrnn
