#include "data/unfinished_folder.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

constexpr char kLockName[] = ".lock";

// A name can follow it.
std::string WithoutSlashAtEnd(absl::string_view folder) {
  return JoinPath(Dirname(folder) == "." ? "" : Dirname(folder),
                  Basename(folder));
}

}  // namespace

UnfinishedFolder::UnfinishedFolder(FileSystem* files, std::string folder,
                                   IsOurs is_ours)
    : files_(*files),
      folder_(std::move(folder)),
      path_(absl::StrCat(folder_, ".unfinished")),
      is_ours_(std::move(is_ours)) {}

absl::StatusOr<std::unique_ptr<UnfinishedFolder>> UnfinishedFolder::Begin(
    FileSystem* files, absl::string_view folder, IsOurs is_ours) {
  std::unique_ptr<UnfinishedFolder> made(new UnfinishedFolder(
      files, WithoutSlashAtEnd(folder), std::move(is_ours)));
  CHARRNN_RETURN_IF_ERROR(made->CheckFree());
  CHARRNN_RETURN_IF_ERROR(made->CheckLeftovers());
  const bool left = files->Exists(made->path_);
  CHARRNN_RETURN_IF_ERROR(files->CreateDirectories(made->path_));
  auto lock = files->Lock(JoinPath(made->path_, kLockName));
  if (absl::IsFailedPrecondition(lock.status())) {
    return Annotate(lock.status(),
                    absl::StrCat(made->folder_, ": is being made already"));
  }
  CHARRNN_ASSIGN_OR_RETURN(made->lock_, std::move(lock));
  // Another process may have made it, and given back the lock, meanwhile.
  CHARRNN_RETURN_IF_ERROR(made->CheckFree());
  CHARRNN_RETURN_IF_ERROR(made->CheckLeftovers());
  if (left) {
    CHARRNN_LOG(WARNING) << made->path_
                         << ": left by a run that was interrupted: starting "
                            "over";
  }
  CHARRNN_RETURN_IF_ERROR(made->RemoveOurs());
  return made;
}

absl::Status UnfinishedFolder::CheckFree() const {
  const absl::StatusOr<FileKind> above = files_.Kind(Dirname(folder_));
  if (absl::IsNotFound(above.status())) {
    return absl::NotFoundError(
        absl::StrCat(folder_, ": there is no folder ", Dirname(folder_),
                     ": make it, or name another place"));
  }
  const absl::StatusOr<FileKind> kind = files_.Kind(folder_);
  if (absl::IsNotFound(kind.status())) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(kind.status());
  if (*kind == FileKind::kDirectory) {
    CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             files_.ListDirectory(folder_));
    if (names.empty()) return absl::OkStatus();
  }
  return absl::AlreadyExistsError(absl::StrCat(
      folder_, ": exists already: name another folder, or remove it first"));
}

absl::Status UnfinishedFolder::CheckLeftovers() const {
  const absl::StatusOr<FileKind> kind = files_.Kind(path_);
  if (absl::IsNotFound(kind.status())) return absl::OkStatus();
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           files_.ListDirectory(path_));
  for (const std::string& name : names) {
    if (name == kLockName) continue;
    const std::string path = JoinPath(path_, name);
    const absl::StatusOr<FileKind> kind = files_.Kind(path);
    // Another process may be removing it.
    if (absl::IsNotFound(kind.status())) continue;
    if (kind.ok() && *kind == FileKind::kFile && is_ours_(name)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        ": was not made by an interrupted run, and is in the way: move "
        "it, or name another folder"));
  }
  return absl::OkStatus();
}

absl::Status UnfinishedFolder::RemoveOurs() const {
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           files_.ListDirectory(path_));
  for (const std::string& name : names) {
    if (name == kLockName || !is_ours_(name)) continue;
    CHARRNN_RETURN_IF_ERROR(files_.Remove(JoinPath(path_, name)));
  }
  return absl::OkStatus();
}

UnfinishedFolder::~UnfinishedFolder() {
  if (lock_ == nullptr) return;
  // What is left is found, and removed, by the next run.
  RemoveOurs().IgnoreError();
  files_.Remove(JoinPath(path_, kLockName)).IgnoreError();
  files_.Remove(path_).IgnoreError();
}

absl::Status UnfinishedFolder::Commit() {
  CHARRNN_RETURN_IF_ERROR(files_.Rename(path_, folder_));
  // Held until the name is there for others to find.
  const std::unique_ptr<FileLock> lock = std::move(lock_);
  const absl::Status synced = files_.SyncDirectory(Dirname(folder_));
  const absl::Status removed = files_.Remove(JoinPath(folder_, kLockName));
  if (!removed.ok()) {
    CHARRNN_LOG(WARNING) << removed.message()
                         << ": it is in nobody's way, and may be removed";
  }
  return Annotate(synced, absl::StrCat(folder_,
                                       ": is whole, but a power cut may still "
                                       "undo it"));
}

}  // namespace charrnn
