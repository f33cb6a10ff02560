#ifndef CHARRNN_BASE_FILES_H_
#define CHARRNN_BASE_FILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace charrnn {

// A file open for writing, at its end. One thread at a time. The destructor
// closes a file that Close() has not, and tells nobody how that went.
class WritableFile {
 public:
  virtual ~WritableFile() = default;

  // Adds `data` at the end. Unbuffered: a call is a write(2), so collect small
  // pieces first. On an error any first part of `data` may have been written.
  virtual absl::Status Append(absl::string_view data) = 0;

  // Returns once all that was appended would survive a power cut. Another
  // thread may call it while this one appends.
  virtual absl::Status Sync() = 0;

  // Ends the writing. Nothing else may be called afterwards, also on an error.
  virtual absl::Status Close() = 0;
};

// A file open for reading, at its beginning. One thread at a time.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;

  // Fills `buffer` with what comes next and returns how many bytes that were:
  // fewer than it holds only at the file's end.
  virtual absl::StatusOr<size_t> Read(absl::Span<char> buffer) = 0;

  // Bytes that the file had when it was opened.
  virtual int64_t size() const = 0;
};

// A lock that is held until this object, or the process, ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class WriteMode {
  kTruncate,  // an existing file loses its content
  kAppend,    // an existing file grows
  kCreate,    // kAlreadyExists if there is anything, in one step
};

enum class FileKind { kFile, kDirectory, kSymlink, kOther };

// Files and directories behind an interface, so that a test can let any
// operation fail. Thread-safe.
//
// An error's message is "<path>: <what>: <why>" ("a/b: cannot open: No such
// file or directory"), its code the errno's as absl::ErrnoToStatusCode has it:
// kNotFound, kPermissionDenied, kAlreadyExists, kFailedPrecondition (a
// directory where a file is wanted, or the reverse, or a directory that is not
// empty), kResourceExhausted (disk full).
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // The machine's files; never destroyed.
  static FileSystem* Real();

  // The whole content of the file or pipe at `path`. InvalidArgument if it is
  // a device, which may have no end; ResourceExhausted if it does not fit into
  // memory.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) = 0;

  // Opens the file at `path`, which may be larger than memory. InvalidArgument
  // if it is a pipe, a device or the like, which cannot be read twice.
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(
      const std::string& path) = 0;

  // Opens the file at `path`, creating it if it is missing; its folder must
  // exist.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(
      const std::string& path, WriteMode mode) = 0;

  // Gives `from` the name `to`, in place of a file or link of that name, in one
  // step: whoever opens `to` finds the old one or the new one.
  virtual absl::Status Rename(const std::string& from,
                              const std::string& to) = 0;

  // Removes a file, a link (not what it points to) or an empty directory.
  virtual absl::Status Remove(const std::string& path) = 0;

  // Makes the directory `path` and those above it, where they are missing.
  virtual absl::Status CreateDirectories(const std::string& path) = 0;

  // Returns once the names in directory `path` would survive a power cut.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // Makes `link` point to `target`; a relative target counts from the folder of
  // the link. kAlreadyExists if there is anything at `link`.
  virtual absl::Status CreateSymlink(const std::string& target,
                                     const std::string& link) = 0;

  // The names in directory `path`, sorted bytewise, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> ListDirectory(
      const std::string& path) = 0;

  // What the link `path` says, as it was written.
  virtual absl::StatusOr<std::string> ReadSymlink(const std::string& path) = 0;

  // What is at `path`; a link is a link, wherever it points.
  virtual absl::StatusOr<FileKind> Kind(const std::string& path) = 0;

  // Takes the lock that goes with the file `path`, which is made if it is
  // missing and holds the process's number afterwards; never waits.
  // FailedPrecondition, naming the other process, if somebody holds it, in this
  // process or another one. A file system without locks is said aloud and
  // otherwise ignored.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) = 0;

  // Bytes that this user may still write to the file system of the directory
  // `path`.
  virtual absl::StatusOr<int64_t> FreeSpace(const std::string& path) = 0;

  // Whether `path` leads to something, through links. A path that may not be
  // looked at does not.
  virtual bool Exists(const std::string& path) = 0;
};

// Makes the file `path` with `contents`, synced, where nobody looks yet: unlike
// WriteFileAtomically, a crash may leave a part of it.
absl::Status WriteFile(FileSystem& files, const std::string& path,
                       absl::string_view contents);

// Makes `contents` the content of the file `path`, so that at every moment, and
// after a crash or power cut at any moment, it has its old content or the new.
// Writes a temporary file "<path>.tmp-..." in the same folder, syncs it,
// renames it and syncs the folder. On an error the temporary is removed; the
// content is the old one, or the new one if only the last sync failed. A link
// at `path` is replaced by a file.
absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 absl::string_view contents);

// Whether WriteFileAtomically could make the file `path`: makes a temporary
// one beside it and removes it again.
absl::Status CheckWritable(FileSystem& files, const std::string& path);

// Removes the temporary files and links that WriteFileAtomically and
// ReplaceSymlink have left in the folder `path` when they were interrupted.
// Nobody else writes there meanwhile.
absl::Status RemoveTemporaries(FileSystem& files, const std::string& path);

// Makes the link `link` point to `target`, replacing a link or file there, with
// the promise of WriteFileAtomically.
absl::Status ReplaceSymlink(FileSystem& files, const std::string& target,
                            const std::string& link);

// Removes `path` and, if it is a directory, all in it. Follows no link. A path
// that is missing is no error. On an error, part of it may be gone.
absl::Status RemoveRecursively(FileSystem& files, const std::string& path);

// "a" and "b" to "a/b"; one slash between them. `name` alone if it is absolute
// or `directory` is empty.
std::string JoinPath(absl::string_view directory, absl::string_view name);

// The folder and the last name of a path, as dirname(1) and basename(1) have
// them: "a/b", "a/b/": "a" and "b"; "b": "." and "b"; "/b": "/" and "b".
std::string Dirname(absl::string_view path);
std::string Basename(absl::string_view path);

}  // namespace charrnn

#endif  // CHARRNN_BASE_FILES_H_
