#include "base/mapped_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
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
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/log.h"

namespace charrnn {
namespace {

// Where this thread goes on if what it copies cannot be had; nullptr while it
// copies nothing.
thread_local sigjmp_buf* volatile way_out = nullptr;

struct sigaction previous_action;

void OnBusError(int signal_number) {
  // From a handler that the copying itself has called, with nothing between
  // them that would have to be undone.
  if (way_out != nullptr) siglongjmp(*way_out, 1);
  sigaction(signal_number, &previous_action, nullptr);
  raise(signal_number);
}

bool InstallHandler() {
  struct sigaction action = {};
  action.sa_handler = OnBusError;
  // Left by a jump, which does not unblock the signal again.
  action.sa_flags = SA_NODEFER;
  return sigaction(SIGBUS, &action, &previous_action) == 0;
}

// As memcpy(3); false if a page of `from` cannot be had. In a function of its
// own, so that no variable has a value that depends on when the jump comes.
[[gnu::noinline]] bool Copy(char* to, const char* from, size_t size) {
  sigjmp_buf here;
  if (sigsetjmp(here, /*savemask=*/0) != 0) {
    way_out = nullptr;
    return false;
  }
  way_out = &here;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(to, from, size);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  way_out = nullptr;
  return true;
}

// The error of the last system call, which was to do `what` to `path`.
absl::Status ErrnoStatus(absl::string_view path, absl::string_view what) {
  const int error = errno;
  std::array<char, 256> buffer;
  return absl::Status(
      absl::ErrnoToStatusCode(error),
      absl::StrCat(path, ": ", what, ": ",
                   strerror_r(error, buffer.data(), buffer.size())));
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
  // anything else. It is advice.
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
  if (count == 0 || Copy(bytes.data(), begin_ + offset, bytes.size())) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat(
      path_, ": cannot read ", count, " bytes at ", offset,
      ": the disk has failed, or the file was cut off while it was in use"));
}

}  // namespace charrnn
