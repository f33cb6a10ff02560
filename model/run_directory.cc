#include "model/run_directory.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// The link to the newest run.
constexpr char kLatest[] = "latest";

// To the millisecond, for runs that are started by a loop; without colons,
// which other systems forbid.
std::string NewName(Clock& clock) {
  return absl::FormatTime("%Y-%m-%dT%H-%M-%E3SZ", clock.Now(),
                          absl::UTCTimeZone());
}

// A file in the folder `path` that a run would write, and that may be
// somebody's only copy; empty if there is none.
std::string RunFile(FileSystem& files, const std::string& path) {
  for (const char* name : {"best", "checkpoints", kConfigFileName, "latest",
                           "metrics.jsonl", "report.html", "samples.txt"}) {
    if (files.Exists(JoinPath(path, name))) return name;
  }
  const auto names = files.ListDirectory(path);
  if (!names.ok()) return "";  // it is still to be made
  for (const std::string& name : *names) {
    if (absl::StartsWith(name, "events.out.tfevents.")) return name;
  }
  return "";
}

absl::Status InUse(const std::string& path, const std::string& name) {
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": holds an earlier run or files named as a run's (", name,
      "): name another folder with --run_dir, or go on with it with --resume"));
}

absl::StatusOr<RunDirectory> Own(FileSystem& files, const std::string& path) {
  auto lock = files.Lock(JoinPath(path, ".lock"));
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the run is in use: ", lock.status().message(),
                     ": wait for it to end, or name another folder with "
                     "--run_dir"));
  }
  if (!lock.ok()) return Annotate(lock.status(), "--run_dir");
  return RunDirectory{path, *std::move(lock)};
}

}  // namespace

absl::StatusOr<RunDirectory> CreateRunDirectory(FileSystem& files, Clock& clock,
                                                const std::string& runs,
                                                const std::string& run_dir) {
  std::string path = run_dir.empty() ? JoinPath(runs, NewName(clock)) : run_dir;
  if (Basename(path) == kLatest) {
    return absl::InvalidArgumentError(
        absl::StrCat("--run_dir=", path,
                     ": `latest` is the name of the link to the newest "
                     "run: use another name"));
  }
  if (const std::string found = RunFile(files, path); !found.empty()) {
    return InUse(path, found);
  }
  absl::Status made = files.CreateDirectories(path);
  if (made.ok()) {
    // Of several that have come this far, one makes the file.
    made =
        files.OpenForWrite(JoinPath(path, kConfigFileName), WriteMode::kCreate)
            .status();
    if (absl::IsAlreadyExists(made)) return InUse(path, kConfigFileName);
  }
  if (!made.ok()) return Annotate(made, "--run_dir");
  return Own(files, path);
}

absl::StatusOr<std::optional<RunDirectory>> OpenRunDirectory(
    FileSystem& files, const std::string& runs, const std::string& run_dir) {
  std::string path = run_dir.empty() ? JoinPath(runs, kLatest) : run_dir;
  // The run's own name is the one to show.
  const auto target = files.ReadSymlink(path);
  if (target.ok()) path = JoinPath(Dirname(path), *target);
  if (!files.Exists(JoinPath(path, kConfigFileName))) {
    const std::string found = RunFile(files, path);
    if (found.empty()) return std::optional<RunDirectory>();
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": has ", found, " and no ", kConfigFileName,
        ": restore it, or begin a new run with another --run_dir"));
  }
  CHARRNN_ASSIGN_OR_RETURN(RunDirectory directory, Own(files, path));
  return std::make_optional(std::move(directory));
}

absl::Status MarkLatest(FileSystem& files, const std::string& runs,
                        const std::string& run_dir) {
  const auto normal = [](const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
  };
  const std::string path = normal(run_dir);
  if (Dirname(path) != normal(runs)) return absl::OkStatus();
  return ReplaceSymlink(files, Basename(path), JoinPath(runs, kLatest));
}

}  // namespace charrnn
