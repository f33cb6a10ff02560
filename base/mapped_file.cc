#include "base/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/errno_status.h"
#include "base/log.h"

namespace charrnn {
namespace {

// What a thread is copying out of.
struct Access {
  const char* begin;
  int64_t size;
  std::atomic<bool>* failed;
};
thread_local const Access* volatile current_access = nullptr;
static_assert(std::atomic<bool>::is_always_lock_free);

struct sigaction previous_action;

// Puts a page of zeros in the place of one of `access` that cannot be had, so
// that the copying goes on and comes to an end; false if that cannot be done.
bool MendPage(const Access& access, const char* address) {
  const int64_t offset = address - access.begin;
  if (offset < 0 || offset >= access.size) return false;
  // First: whoever reads zeros there must come to know.
  access.failed->store(true);
  const int64_t page_size = sysconf(_SC_PAGESIZE);
  void* const page = const_cast<char*>(address - offset % page_size);
  // The system call itself: what a library may do around it is not for
  // handlers.
  return syscall(SYS_mmap, page, page_size, PROT_READ,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != -1;
}

void OnBusError(int signal_number, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  const Access* const access = current_access;
  if (access == nullptr ||
      !MendPage(*access, static_cast<const char*>(info->si_addr))) {
    sigaction(signal_number, &previous_action, nullptr);
    raise(signal_number);
  }
  errno = error;
}

bool InstallHandler() {
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGBUS, &action, &previous_action) == 0;
}

// Maps what is open as `fd`; begin and size.
absl::StatusOr<std::pair<const char*, int64_t>> Map(const std::string& path,
                                                    int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoStatus(path, "cannot look at");
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is not a regular file"));
  }
  const int64_t size = info.st_size;
  if (size == 0) return std::pair<const char*, int64_t>(nullptr, 0);
  void* const begin = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (begin == MAP_FAILED) return ErrnoStatus(path, "cannot map");
  // Read in any order: what lies behind is as unlikely to be read next as
  // anything else, and would push out what is. Reading in order is slower for
  // it, and still far faster than anybody computes. It is advice.
  std::ignore = madvise(begin, size, MADV_RANDOM);
  return std::pair<const char*, int64_t>(static_cast<const char*>(begin), size);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(
    const std::string& path) {
  static const bool installed = InstallHandler();
  CHARRNN_CHECK(installed) << "SIGBUS";
  // A pipe without a writer would be waited for.
  const int fd =
      TEMP_FAILURE_RETRY(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd < 0) return ErrnoStatus(path, "cannot open");
  const auto mapped = Map(path, fd);
  close(fd);  // the mapping holds the file
  if (!mapped.ok()) return mapped.status();
  return std::unique_ptr<MappedFile>(
      new MappedFile(path, mapped->first, mapped->second));
}

MappedFile::MappedFile(std::string path, const char* begin, int64_t size)
    : path_(std::move(path)), begin_(begin), size_(size) {}

MappedFile::~MappedFile() {
  if (begin_ != nullptr) munmap(const_cast<char*>(begin_), size_);
}

absl::Status MappedFile::Read(int64_t offset, absl::Span<char> bytes) const {
  const auto count = static_cast<int64_t>(bytes.size());
  CHARRNN_CHECK(offset >= 0 && count <= size_ && offset <= size_ - count)
      << path_ << ": " << count << " bytes at " << offset << " of " << size_;
  if (count == 0) return absl::OkStatus();
  const Access access = {begin_, size_, &failed_};
  current_access = &access;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(bytes.data(), begin_ + offset, bytes.size());
  std::atomic_signal_fence(std::memory_order_seq_cst);
  current_access = nullptr;
  if (!failed_.load()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      path_, ": cannot read ", count, " bytes at ", offset,
      ": the disk has failed, or the file was cut off while it was in use"));
}

void MappedFile::Prefetch(int64_t offset, int64_t size) const {
  if (size == 0) return;
  static const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t begin = offset / page * page;
  // It is a hint: what comes of it shows when the bytes are read.
  madvise(const_cast<char*>(begin_) + begin, offset + size - begin,
          MADV_WILLNEED);
}

}  // namespace charrnn
