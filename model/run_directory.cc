#include "model/run_directory.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// To the millisecond, for runs that are started by a loop; without colons,
// which other systems forbid.
std::string NewName(Clock& clock) {
  return absl::FormatTime("%Y-%m-%dT%H-%M-%E3SZ", clock.Now(),
                          absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<std::string> CreateRunDirectory(FileSystem& files, Clock& clock,
                                               const std::string& runs,
                                               const std::string& run_dir) {
  std::string path = run_dir.empty() ? JoinPath(runs, NewName(clock)) : run_dir;
  if (Basename(path) == "latest") {
    return absl::InvalidArgumentError(
        absl::StrCat("--run_dir=", path,
                     ": `latest` is the name of the link to the newest "
                     "run: use another name"));
  }
  // Anything that a run writes may be somebody's only copy.
  for (const char* name : {"best", "checkpoints", "config.json", "latest",
                           "metrics.jsonl", "report.html", "samples.txt"}) {
    if (files.Exists(JoinPath(path, name))) {
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": holds an earlier run or files named as a run's (", name,
          "): name another folder with --run_dir"));
    }
  }
  const absl::Status created = files.CreateDirectories(path);
  if (!created.ok()) return Annotate(created, "--run_dir");
  if (Dirname(path) == runs) {
    CHARRNN_RETURN_IF_ERROR(
        ReplaceSymlink(files, Basename(path), JoinPath(runs, "latest")));
  }
  return path;
}

}  // namespace charrnn
