#ifndef CHARRNN_MODEL_RUN_DIRECTORY_H_
#define CHARRNN_MODEL_RUN_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"

namespace charrnn {

// What a run was asked for; the file by which a run owns its folder.
inline constexpr char kConfigFileName[] = "config.json";

// Makes the folder of a new run and returns its path: `run_dir`, or a new one
// named after the time, as in "<runs>/2026-11-22T10-15-00.000Z", if that is
// empty. The folder is the caller's alone from then on: an empty
// kConfigFileName, to be replaced, keeps every other run out.
//
// Possible errors: FailedPrecondition if the folder holds files that a run
// would write, which a new one would mix with its own or replace; what the
// file system says, naming the path.
absl::StatusOr<std::string> CreateRunDirectory(FileSystem& files, Clock& clock,
                                               const std::string& runs,
                                               const std::string& run_dir);

// Points the link <runs>/latest to `run_dir` if that lies in the folder `runs`.
absl::Status MarkLatest(FileSystem& files, const std::string& runs,
                        const std::string& run_dir);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_RUN_DIRECTORY_H_
