// A disk that fails, to be loaded before a program (LD_PRELOAD) that knows
// nothing of it: of the operations that change something in one folder, one
// does not happen.
//
//   FAILING_DISK_FOLDER     the folder, absolute
//   FAILING_DISK_OPERATION  which one fails, counted from 0
//   FAILING_DISK_KILLS      if set, the program is killed there instead
//
// How many there were is appended to the file FAILING_DISK_FOLDER.count, a dot
// each, so that a run without a fault tells how many there are.

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>

namespace {

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

std::atomic<int> operations{0};

void CountOperation(const char* folder) {
  std::array<char, PATH_MAX> path;
  std::snprintf(path.data(), path.size(), "%s.count", folder);
  static const auto next_open = Next<int (*)(const char*, int, ...)>("open");
  static const auto next_write =
      Next<ssize_t (*)(int, const void*, size_t)>("write");
  const int fd =
      next_open(path.data(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return;
  std::ignore = next_write(fd, ".", 1);
  close(fd);
}

// Whether an operation on `path` is the one that is not to happen.
bool Fails(const char* path) {
  const char* folder = getenv("FAILING_DISK_FOLDER");
  const char* which = getenv("FAILING_DISK_OPERATION");
  if (folder == nullptr || path == nullptr) return false;
  std::array<char, PATH_MAX> absolute;
  if (path[0] != '/') {
    std::array<char, PATH_MAX> here;
    if (getcwd(here.data(), here.size()) == nullptr) return false;
    std::snprintf(absolute.data(), absolute.size(), "%.2000s/%.2000s",
                  here.data(), path);
    path = absolute.data();
  }
  const size_t size = std::strlen(folder);
  if (std::strncmp(path, folder, size) != 0 ||
      (path[size] != '/' && path[size] != '\0')) {
    return false;
  }
  CountOperation(folder);
  if (which == nullptr || operations++ != std::atoi(which)) return false;
  if (getenv("FAILING_DISK_KILLS") != nullptr) kill(getpid(), SIGKILL);
  errno = EIO;
  return true;
}

bool Fails(int fd) {
  std::array<char, 64> link;
  std::array<char, PATH_MAX> path;
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link.data(), path.data(), path.size() - 1);
  if (size < 0) return false;
  path[size] = '\0';
  return Fails(path.data());
}

}  // namespace

// The C library's functions under names of our own here, and under theirs for
// the linker.
extern "C" {

int FailingOpen(const char* path, int flags, ...) __asm__("open");
ssize_t FailingWrite(int fd, const void* data, size_t size) __asm__("write");
int FailingFsync(int fd) __asm__("fsync");
int FailingRename(const char* from, const char* to) __asm__("rename");
int FailingRemove(const char* path) __asm__("remove");
int FailingSymlink(const char* target, const char* path) __asm__("symlink");
int FailingMkdir(const char* path, mode_t mode) __asm__("mkdir");

int FailingOpen(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_CREAT) != 0 && Fails(path)) return -1;
  static const auto next = Next<int (*)(const char*, int, ...)>("open");
  return next(path, flags, mode);
}

ssize_t FailingWrite(int fd, const void* data, size_t size) {
  if (Fails(fd)) return -1;
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  return next(fd, data, size);
}

int FailingFsync(int fd) {
  if (Fails(fd)) return -1;
  static const auto next = Next<int (*)(int)>("fsync");
  return next(fd);
}

int FailingRename(const char* from, const char* to) {
  if (Fails(to)) return -1;
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  return next(from, to);
}

int FailingRemove(const char* path) {
  if (Fails(path)) return -1;
  static const auto next = Next<int (*)(const char*)>("remove");
  return next(path);
}

int FailingSymlink(const char* target, const char* path) {
  if (Fails(path)) return -1;
  static const auto next = Next<int (*)(const char*, const char*)>("symlink");
  return next(target, path);
}

int FailingMkdir(const char* path, mode_t mode) {
  if (Fails(path)) return -1;
  static const auto next = Next<int (*)(const char*, mode_t)>("mkdir");
  return next(path, mode);
}

}  // extern "C"
