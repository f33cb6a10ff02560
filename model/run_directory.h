#ifndef CHARRNN_MODEL_RUN_DIRECTORY_H_
#define CHARRNN_MODEL_RUN_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"

namespace charrnn {

// What a run was asked for; the file by which a run owns its folder.
inline constexpr char kConfigFileName[] = "config.json";

// A run's folder, which nobody else writes in while this object lives.
struct RunDirectory {
  std::string path;
  std::unique_ptr<FileLock> lock;
};

// Makes the folder of a new run: `run_dir`, or a new one named after the time,
// as in "<runs>/2026-11-22T10-15-00.000Z", if that is empty. An empty
// kConfigFileName, to be replaced, keeps every other new run out.
//
// Possible errors: FailedPrecondition if the folder holds files that a run
// would write, which a new one would mix with its own or replace; what the
// file system says, naming the path.
absl::StatusOr<RunDirectory> CreateRunDirectory(FileSystem& files, Clock& clock,
                                                const std::string& runs,
                                                const std::string& run_dir);

// The folder of a run that is to go on: `run_dir`, or the one that
// <runs>/latest leads to if that is empty; nothing if there is no run.
//
// Possible errors: FailedPrecondition if another process has it; what the file
// system says, naming the path.
absl::StatusOr<std::optional<RunDirectory>> OpenRunDirectory(
    FileSystem& files, const std::string& runs, const std::string& run_dir);

// Points the link <runs>/latest to `run_dir` if that lies in the folder `runs`.
absl::Status MarkLatest(FileSystem& files, const std::string& runs,
                        const std::string& run_dir);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_RUN_DIRECTORY_H_
