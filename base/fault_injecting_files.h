#ifndef CHARRNN_BASE_FAULT_INJECTING_FILES_H_
#define CHARRNN_BASE_FAULT_INJECTING_FILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace charrnn {

// One operation that goes wrong.
struct Fault {
  // Which of the operations that change something, counted from 0.
  int64_t operation = 0;
  absl::Status status = absl::ResourceExhaustedError("injected fault");
  // Whether all later ones fail too: the process is as good as dead, and what
  // is on the disk now is what its successor finds.
  bool crash = false;
  // If the operation is an Append: how many of its bytes are written before it
  // fails.
  size_t bytes_appended = 0;
};

// Passes everything on to another FileSystem, counts the operations that change
// something (OpenForWrite, Append, Sync, Close, Rename, Remove,
// CreateDirectories, SyncDirectory, CreateSymlink), and lets one fail without
// having happened. Reading always works. Thread-safe.
//
// A test of "whatever fails" first runs without a fault to count, then once for
// each operation:
//
//   FaultInjectingFileSystem files(FileSystem::Real());
//   files.Inject({/*operation=*/3});
//   EXPECT_FALSE(Save(files).ok());
//
// The other FileSystem is not owned. Outlives the files that it has opened.
class FaultInjectingFileSystem : public FileSystem {
 public:
  explicit FaultInjectingFileSystem(FileSystem* base) : base_(base) {}

  // Arms `fault` in place of an earlier one, and counts from 0 again.
  void Inject(Fault fault);

  // The names of the operations asked for since the last Inject(), failed ones
  // included: {"OpenForWrite", "Append", "Sync", ...}.
  std::vector<std::string> operations() const;
  int64_t num_operations() const;

  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenForRead(
      const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(
      const std::string& path, WriteMode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status CreateDirectories(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status CreateSymlink(const std::string& target,
                             const std::string& link) override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(
      const std::string& path) override;
  absl::StatusOr<std::string> ReadSymlink(const std::string& path) override;
  absl::StatusOr<FileKind> Kind(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) override;
  absl::StatusOr<int64_t> FreeSpace(const std::string& path) override;
  bool Exists(const std::string& path) override;

 private:
  class File;

  // Notes one operation, and returns what it is to fail with, or OK. The
  // failing operation itself, not those after it in a crash, sets
  // `bytes_appended`.
  absl::Status Note(const char* operation, size_t* bytes_appended = nullptr);

  FileSystem* const base_;
  mutable std::mutex mutex_;
  std::optional<Fault> fault_;           // guarded by mutex_
  std::vector<std::string> operations_;  // guarded by mutex_
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_FAULT_INJECTING_FILES_H_
