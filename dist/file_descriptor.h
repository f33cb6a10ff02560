#ifndef CHARRNN_DIST_FILE_DESCRIPTOR_H_
#define CHARRNN_DIST_FILE_DESCRIPTOR_H_

#include <utility>

namespace charrnn {

// Owns a file descriptor, and closes it. Moves; not thread safe.
//
//   FileDescriptor event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
//   if (!event.is_open()) return absl::ErrnoToStatus(errno, "eventfd");
class FileDescriptor {
 public:
  FileDescriptor() = default;
  // Takes `fd`; -1, what a system call returns that has failed, is none.
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { Close(); }

  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  // -1, which poll(2) passes over, if it is closed.
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

  // Closes it, unless it is closed. Leaves errno as it is.
  void Close();

 private:
  int fd_ = -1;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_FILE_DESCRIPTOR_H_
