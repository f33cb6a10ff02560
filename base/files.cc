#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/errno_status.h"
#include "base/log.h"
#include "base/memory_limit.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// Reads and creates as the user's umask allows.
constexpr mode_t kFileMode = 0666;
constexpr mode_t kDirectoryMode = 0777;

// An open file's number; closes it at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class RealWritableFile : public WritableFile {
 public:
  RealWritableFile(std::string path, int fd)
      : path_(std::move(path)), descriptor_(fd) {}

  absl::Status Append(absl::string_view data) override {
    while (!data.empty()) {
      const ssize_t written = TEMP_FAILURE_RETRY(
          write(descriptor_.get(), data.data(), data.size()));
      if (written < 0) return ErrnoStatus(path_, "cannot write");
      data.remove_prefix(written);
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fsync(descriptor_.get()) != 0) return ErrnoStatus(path_, "cannot sync");
    return absl::OkStatus();
  }

  // An interrupted close(2) is not repeated: on Linux the file is closed, and
  // its number may be another's by now.
  absl::Status Close() override {
    if (close(descriptor_.release()) != 0 && errno != EINTR) {
      return ErrnoStatus(path_, "cannot close");
    }
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  Descriptor descriptor_;
};

class RealReadableFile : public ReadableFile {
 public:
  RealReadableFile(std::string path, int fd, int64_t size)
      : path_(std::move(path)), descriptor_(fd), size_(size) {}

  absl::StatusOr<size_t> Read(absl::Span<char> buffer) override {
    size_t size = 0;
    while (size < buffer.size()) {
      const ssize_t got = TEMP_FAILURE_RETRY(
          read(descriptor_.get(), &buffer[size], buffer.size() - size));
      if (got < 0) return ErrnoStatus(path_, "cannot read");
      if (got == 0) break;
      size += got;
    }
    return size;
  }

  int64_t size() const override { return size_; }

 private:
  const std::string path_;
  const Descriptor descriptor_;
  const int64_t size_;
};

// Locks go with the descriptor, and end with it.
class RealFileLock : public FileLock {
 public:
  explicit RealFileLock(int fd) : descriptor_(fd) {}

 private:
  const Descriptor descriptor_;
};

// What is left to be read of `fd`, about `size_hint` bytes.
absl::StatusOr<std::string> ReadToEnd(const std::string& path, int fd,
                                      int64_t size_hint) {
  std::string content;
  size_t size = 0;
  // One byte more than the file seems to have finds its end without growing;
  // /proc says 0 of files that are not empty.
  content.resize(std::max<size_t>(size_hint + 1, 4096));
  while (true) {
    const ssize_t got =
        TEMP_FAILURE_RETRY(read(fd, &content[size], content.size() - size));
    if (got < 0) return ErrnoStatus(path, "cannot read");
    if (got == 0) break;
    size += got;
    if (size == content.size()) content.resize(2 * size);
  }
  content.resize(size);
  return content;
}

class RealFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    const Descriptor file(
        TEMP_FAILURE_RETRY(open(path.c_str(), O_RDONLY | O_CLOEXEC)));
    struct stat info;
    if (file.get() < 0 || fstat(file.get(), &info) != 0) {
      return ErrnoStatus(path, "cannot open");
    }
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
      // It may have no end.
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": is a device, not a file"));
    }
    if (info.st_size > MemoryLimit()) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, ": cannot read: its ", info.st_size,
                       " bytes do not fit into memory"));
    }
    return ReadToEnd(path, file.get(), info.st_size);
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(
      const std::string& path) override {
    // O_NONBLOCK: a pipe that nobody writes to would keep the caller waiting.
    Descriptor file(TEMP_FAILURE_RETRY(
        open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)));
    struct stat info;
    if (file.get() < 0 || fstat(file.get(), &info) != 0) {
      return ErrnoStatus(path, "cannot open");
    }
    if (S_ISDIR(info.st_mode)) {
      errno = EISDIR;
      return ErrnoStatus(path, "cannot read");
    }
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": is a pipe or device, not a file"));
    }
    return std::make_unique<RealReadableFile>(path, file.release(),
                                              info.st_size);
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(
      const std::string& path, WriteMode mode) override {
    const int how = mode == WriteMode::kAppend   ? O_APPEND
                    : mode == WriteMode::kCreate ? O_EXCL
                                                 : O_TRUNC;
    const int fd = TEMP_FAILURE_RETRY(
        open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, kFileMode));
    if (fd < 0) return ErrnoStatus(path, "cannot open for writing");
    return std::make_unique<RealWritableFile>(path, fd);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus(from, absl::StrCat("cannot rename to ", to));
    }
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) {
      return ErrnoStatus(path, "cannot remove");
    }
    return absl::OkStatus();
  }

  absl::Status CreateDirectories(const std::string& path) override {
    if (mkdir(path.c_str(), kDirectoryMode) == 0) {
      return SyncDirectory(Dirname(path));
    }
    if (errno == ENOENT && Dirname(path) != path) {
      CHARRNN_RETURN_IF_ERROR(CreateDirectories(Dirname(path)));
      if (mkdir(path.c_str(), kDirectoryMode) == 0) {
        return SyncDirectory(Dirname(path));
      }
    }
    const absl::Status status = ErrnoStatus(path, "cannot create directory");
    struct stat info;
    const bool is_directory =
        stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    return is_directory ? absl::OkStatus() : status;
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const Descriptor directory(TEMP_FAILURE_RETRY(
        open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    if (directory.get() < 0) return ErrnoStatus(path, "cannot open directory");
    if (fsync(directory.get()) != 0) return ErrnoStatus(path, "cannot sync");
    return absl::OkStatus();
  }

  absl::Status CreateSymlink(const std::string& target,
                             const std::string& link) override {
    if (symlink(target.c_str(), link.c_str()) != 0) {
      return ErrnoStatus(link, absl::StrCat("cannot link to ", target));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> ListDirectory(
      const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()),
                                                        &closedir);
    if (directory == nullptr) return ErrnoStatus(path, "cannot list");
    std::vector<std::string> names;
    // readdir(3) tells an error from the end by errno alone.
    for (errno = 0; const dirent* entry = readdir(directory.get()); errno = 0) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) return ErrnoStatus(path, "cannot list");
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<std::string> ReadSymlink(const std::string& path) override {
    std::array<char, PATH_MAX> buffer;  // Linux has no longer target
    const ssize_t size = readlink(path.c_str(), buffer.data(), buffer.size());
    if (size < 0) return ErrnoStatus(path, "cannot read link");
    return std::string(buffer.data(), size);
  }

  absl::StatusOr<FileKind> Kind(const std::string& path) override {
    struct stat info;
    if (lstat(path.c_str(), &info) != 0) {
      return ErrnoStatus(path, "cannot look at");
    }
    if (S_ISREG(info.st_mode)) return FileKind::kFile;
    if (S_ISDIR(info.st_mode)) return FileKind::kDirectory;
    if (S_ISLNK(info.st_mode)) return FileKind::kSymlink;
    return FileKind::kOther;
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) override {
    Descriptor file(TEMP_FAILURE_RETRY(
        open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode)));
    if (file.get() < 0) return ErrnoStatus(path, "cannot open for writing");
    if (TEMP_FAILURE_RETRY(flock(file.get(), LOCK_EX | LOCK_NB)) != 0) {
      if (errno == EWOULDBLOCK) return LockedByAnother(path);
      CHARRNN_LOG(WARNING) << ErrnoStatus(path, "cannot lock").message()
                           << ": nothing keeps another process out";
    }
    const std::string self = absl::StrCat(getpid(), "\n");
    // For people; that it cannot be written says nothing about the lock.
    if (ftruncate(file.get(), 0) == 0) {
      std::ignore = pwrite(file.get(), self.data(), self.size(), 0);
    }
    return std::make_unique<RealFileLock>(file.release());
  }

  absl::StatusOr<int64_t> FreeSpace(const std::string& path) override {
    struct statvfs info;
    if (statvfs(path.c_str(), &info) != 0) {
      return ErrnoStatus(path, "cannot look at the file system");
    }
    int64_t bytes = 0;
    // One without blocks, such as /proc, counts nothing.
    if (info.f_blocks == 0 ||
        __builtin_mul_overflow(info.f_bavail, info.f_frsize, &bytes)) {
      return std::numeric_limits<int64_t>::max();
    }
    return bytes;
  }

  bool Exists(const std::string& path) override {
    return access(path.c_str(), F_OK) == 0;
  }

 private:
  absl::Status LockedByAnother(const std::string& path) {
    const absl::StatusOr<std::string> holder = ReadFile(path);
    int pid = 0;
    const bool known = holder.ok() && absl::SimpleAtoi(*holder, &pid);
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": another process holds the lock",
                     known ? absl::StrCat(" (process ", pid, ")") : ""));
  }
};

// A name beside `path` that no other process and no other call uses: a crash
// leaves such files behind, and two writers of one path must not share one.
constexpr absl::string_view kTemporary = ".tmp-";

std::string TemporaryName(const std::string& path) {
  static const unsigned int process = std::random_device()();
  static std::atomic<int> call{0};
  return absl::StrCat(path, kTemporary, absl::Hex(process, absl::kZeroPad8),
                      "-", call.fetch_add(1));
}

bool IsTemporaryName(absl::string_view name) {
  const size_t begin = name.rfind(kTemporary);
  if (begin == absl::string_view::npos) return false;
  const std::vector<absl::string_view> parts =
      absl::StrSplit(name.substr(begin + kTemporary.size()), '-');
  constexpr size_t kProcessDigits = 8;
  const auto only = [](absl::string_view text, bool (*is)(unsigned char)) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is);
  };
  return parts.size() == 2 && parts[0].size() == kProcessDigits &&
         only(parts[0], absl::ascii_isxdigit) &&
         only(parts[1], absl::ascii_isdigit);
}

// Lets `create` make something under a temporary name, which then becomes
// `path`. On an error nothing is left under the temporary name.
absl::Status CreateAtomically(
    FileSystem& files, const std::string& path,
    const std::function<absl::Status(const std::string&)>& create) {
  const std::string temporary = TemporaryName(path);
  absl::Status status = create(temporary);
  if (status.ok()) status = files.Rename(temporary, path);
  if (!status.ok()) {
    // The first error is the one to tell.
    files.Remove(temporary).IgnoreError();
    return status;
  }
  return files.SyncDirectory(Dirname(path));
}

// `path` without the slashes at its end; "/" stays.
absl::string_view StripTrailingSlashes(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

FileSystem* FileSystem::Real() {
  static FileSystem* const files = new RealFileSystem;
  return files;
}

absl::Status WriteFile(FileSystem& files, const std::string& path,
                       absl::string_view contents) {
  CHARRNN_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                           files.OpenForWrite(path, WriteMode::kTruncate));
  CHARRNN_RETURN_IF_ERROR(file->Append(contents));
  CHARRNN_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 absl::string_view contents) {
  return CreateAtomically(files, path, [&](const std::string& temporary) {
    return WriteFile(files, temporary, contents);
  });
}

absl::Status CheckWritable(FileSystem& files, const std::string& path) {
  const std::string temporary = TemporaryName(path);
  const auto file = files.OpenForWrite(temporary, WriteMode::kCreate);
  CHARRNN_RETURN_IF_ERROR(file.status());
  return files.Remove(temporary);
}

absl::Status RemoveTemporaries(FileSystem& files, const std::string& path) {
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           files.ListDirectory(path));
  for (const std::string& name : names) {
    if (!IsTemporaryName(name)) continue;
    CHARRNN_RETURN_IF_ERROR(files.Remove(JoinPath(path, name)));
  }
  return absl::OkStatus();
}

absl::Status ReplaceSymlink(FileSystem& files, const std::string& target,
                            const std::string& link) {
  return CreateAtomically(files, link, [&](const std::string& temporary) {
    return files.CreateSymlink(target, temporary);
  });
}

absl::Status RemoveRecursively(FileSystem& files, const std::string& path) {
  const absl::StatusOr<FileKind> kind = files.Kind(path);
  if (absl::IsNotFound(kind.status())) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(kind.status());
  if (*kind == FileKind::kDirectory) {
    CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             files.ListDirectory(path));
    for (const std::string& name : names) {
      CHARRNN_RETURN_IF_ERROR(RemoveRecursively(files, JoinPath(path, name)));
    }
  }
  return files.Remove(path);
}

std::string JoinPath(absl::string_view directory, absl::string_view name) {
  if (directory.empty() || (!name.empty() && name.front() == '/')) {
    return std::string(name);
  }
  const absl::string_view slash = directory.back() == '/' ? "" : "/";
  return absl::StrCat(directory, slash, name);
}

std::string Dirname(absl::string_view path) {
  path = StripTrailingSlashes(path);
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(StripTrailingSlashes(path.substr(0, slash + 1)));
}

std::string Basename(absl::string_view path) {
  path = StripTrailingSlashes(path);
  if (path == "/") return "/";
  return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace charrnn
