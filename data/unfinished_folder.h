#ifndef CHARRNN_DATA_UNFINISHED_FOLDER_H_
#define CHARRNN_DATA_UNFINISHED_FOLDER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace charrnn {

// A folder of files that appears under its name when it is whole. Until then it
// is "<name>.unfinished", which no two processes write to at once: a lock in it
// keeps them apart. Not thread-safe.
//
//   CHARRNN_ASSIGN_OR_RETURN(
//       const auto folder, UnfinishedFolder::Begin(&files, "corpus", IsOurs));
//   ... write to folder->path() ...
//   CHARRNN_RETURN_IF_ERROR(folder->Commit());
class UnfinishedFolder {
 public:
  // Says whether a file of that name may be deleted.
  using IsOurs = std::function<bool(absl::string_view name)>;

  // Sets out to make `folder`. What an interrupted process has left is removed,
  // said aloud. `files` is not owned and outlives this object.
  //
  // Possible errors: AlreadyExists if there is something at `folder`, other
  // than an empty folder; NotFound if the folder above it is missing;
  // FailedPrecondition if another process is at work, or if something is in the
  // way that is not `is_ours`; those of FileSystem. Nothing has changed then.
  static absl::StatusOr<std::unique_ptr<UnfinishedFolder>> Begin(
      FileSystem* files, absl::string_view folder, IsOurs is_ours);

  // Unless it is committed, removes what is in the folder and is ours, and the
  // folder; what cannot be removed is left.
  ~UnfinishedFolder();

  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;

  // Where to write meanwhile.
  const std::string& path() const { return path_; }

  // Gives the folder its name, for good: its files are synced already. Nothing
  // else may be called afterwards.
  //
  // Possible errors: those of FileSystem. If only the last sync failed, the
  // folder is whole under its name, which a power cut may undo; the message
  // says so. A lock that cannot be removed is a warning.
  absl::Status Commit();

 private:
  UnfinishedFolder(FileSystem* files, std::string folder, IsOurs is_ours);

  // Whether `folder_` may be made.
  absl::Status CheckFree() const;
  // Whether all in the unfinished folder, if there is one, is ours.
  absl::Status CheckLeftovers() const;
  // Removes what is ours in the unfinished folder.
  absl::Status RemoveOurs() const;

  FileSystem& files_;
  const std::string folder_;
  const std::string path_;
  const IsOurs is_ours_;
  std::unique_ptr<FileLock> lock_;  // null: there is nothing to clean up
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_UNFINISHED_FOLDER_H_
