#include "base/fault_injecting_files.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace charrnn {

class FaultInjectingFileSystem::File : public WritableFile {
 public:
  File(FaultInjectingFileSystem* files, std::unique_ptr<WritableFile> base)
      : files_(files), base_(std::move(base)) {}

  absl::Status Append(absl::string_view data) override {
    size_t bytes_appended = 0;
    absl::Status status = files_->Note("Append", &bytes_appended);
    if (status.ok()) return base_->Append(data);
    CHARRNN_RETURN_IF_ERROR(base_->Append(data.substr(0, bytes_appended)));
    return status;
  }

  absl::Status Sync() override {
    CHARRNN_RETURN_IF_ERROR(files_->Note("Sync"));
    return base_->Sync();
  }

  absl::Status Close() override {
    CHARRNN_RETURN_IF_ERROR(files_->Note("Close"));
    return base_->Close();
  }

 private:
  FaultInjectingFileSystem* const files_;
  const std::unique_ptr<WritableFile> base_;
};

void FaultInjectingFileSystem::Inject(Fault fault) {
  std::lock_guard<std::mutex> lock(mutex_);
  fault_ = std::move(fault);
  operations_.clear();
}

std::vector<std::string> FaultInjectingFileSystem::operations() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return operations_;
}

int64_t FaultInjectingFileSystem::num_operations() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return operations_.size();
}

absl::Status FaultInjectingFileSystem::Note(const char* operation,
                                            size_t* bytes_appended) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int64_t number = operations_.size();
  operations_.push_back(operation);
  if (!fault_.has_value() || number < fault_->operation) {
    return absl::OkStatus();
  }
  if (number > fault_->operation && !fault_->crash) return absl::OkStatus();
  if (number == fault_->operation && bytes_appended != nullptr) {
    *bytes_appended = fault_->bytes_appended;
  }
  return fault_->status;
}

absl::StatusOr<std::unique_ptr<ReadableFile>>
FaultInjectingFileSystem::OpenForRead(const std::string& path) {
  return base_->OpenForRead(path);
}

absl::StatusOr<std::unique_ptr<WritableFile>>
FaultInjectingFileSystem::OpenForWrite(const std::string& path,
                                       WriteMode mode) {
  CHARRNN_RETURN_IF_ERROR(Note("OpenForWrite"));
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                           base_->OpenForWrite(path, mode));
  return std::make_unique<File>(this, std::move(file));
}

absl::Status FaultInjectingFileSystem::Rename(const std::string& from,
                                              const std::string& to) {
  CHARRNN_RETURN_IF_ERROR(Note("Rename"));
  return base_->Rename(from, to);
}

absl::Status FaultInjectingFileSystem::Remove(const std::string& path) {
  CHARRNN_RETURN_IF_ERROR(Note("Remove"));
  return base_->Remove(path);
}

absl::Status FaultInjectingFileSystem::CreateDirectories(
    const std::string& path) {
  CHARRNN_RETURN_IF_ERROR(Note("CreateDirectories"));
  return base_->CreateDirectories(path);
}

absl::Status FaultInjectingFileSystem::SyncDirectory(const std::string& path) {
  CHARRNN_RETURN_IF_ERROR(Note("SyncDirectory"));
  return base_->SyncDirectory(path);
}

absl::Status FaultInjectingFileSystem::CreateSymlink(const std::string& target,
                                                     const std::string& link) {
  CHARRNN_RETURN_IF_ERROR(Note("CreateSymlink"));
  return base_->CreateSymlink(target, link);
}

absl::StatusOr<std::string> FaultInjectingFileSystem::ReadFile(
    const std::string& path) {
  return base_->ReadFile(path);
}

absl::StatusOr<std::vector<std::string>>
FaultInjectingFileSystem::ListDirectory(const std::string& path) {
  return base_->ListDirectory(path);
}

absl::StatusOr<std::string> FaultInjectingFileSystem::ReadSymlink(
    const std::string& path) {
  return base_->ReadSymlink(path);
}

absl::StatusOr<FileKind> FaultInjectingFileSystem::Kind(
    const std::string& path) {
  return base_->Kind(path);
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultInjectingFileSystem::Lock(
    const std::string& path) {
  return base_->Lock(path);
}

absl::StatusOr<int64_t> FaultInjectingFileSystem::FreeSpace(
    const std::string& path) {
  return base_->FreeSpace(path);
}

bool FaultInjectingFileSystem::Exists(const std::string& path) {
  return base_->Exists(path);
}

}  // namespace charrnn
