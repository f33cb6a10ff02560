#include "model/checkpoint_store.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "model/model_file.h"

namespace charrnn {
namespace {

constexpr char kFolder[] = "checkpoints";
constexpr char kPrefix[] = "step-";
constexpr char kUnfinished[] = ".unfinished";

// Eight digits, so that a listing shows steps in their order.
std::string StepName(int64_t step) {
  return absl::StrFormat("%s%08d", kPrefix, step);
}

}  // namespace

absl::StatusOr<std::string> LocalCheckpointStore::Save(int64_t step,
                                                       absl::string_view model,
                                                       bool best) {
  const std::string name = StepName(step);
  const std::string folder = JoinPath(run_dir_, kFolder);
  std::string path = JoinPath(folder, name);
  CHARRNN_RETURN_IF_ERROR(Write(folder, path, model));
  const std::string target = JoinPath(kFolder, name);
  CHARRNN_RETURN_IF_ERROR(
      ReplaceSymlink(*files_, target, JoinPath(run_dir_, "latest")));
  if (best) {
    CHARRNN_RETURN_IF_ERROR(
        ReplaceSymlink(*files_, target, JoinPath(run_dir_, "best")));
  }
  if (const absl::Status retained = Retain(); !retained.ok()) {
    // The checkpoint is safe; the space is not worth ending a run for.
    CHARRNN_LOG(WARNING) << "an old checkpoint was not deleted: "
                         << retained.message();
  }
  return path;
}

absl::Status LocalCheckpointStore::Write(const std::string& folder,
                                         const std::string& path,
                                         absl::string_view model) {
  if (files_->Exists(path)) {
    // A step that is done again, after a crash between commit and links.
    return WriteFileAtomically(*files_, JoinPath(path, kModelFileName), model);
  }
  const std::string unfinished = absl::StrCat(path, kUnfinished);
  CHARRNN_RETURN_IF_ERROR(RemoveRecursively(*files_, unfinished));
  CHARRNN_RETURN_IF_ERROR(files_->CreateDirectories(unfinished));
  absl::Status written =
      WriteFileAtomically(*files_, JoinPath(unfinished, kModelFileName), model);
  if (written.ok()) written = files_->Rename(unfinished, path);
  if (!written.ok()) {
    RemoveRecursively(*files_, unfinished).IgnoreError();
    return written;
  }
  return files_->SyncDirectory(folder);
}

absl::Status LocalCheckpointStore::Retain() {
  const std::string folder = JoinPath(run_dir_, kFolder);
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           files_->ListDirectory(folder));
  std::map<int64_t, std::string> committed;  // by step, oldest first
  for (const std::string& name : names) {
    int64_t step = 0;
    if (absl::StartsWith(name, kPrefix) &&
        absl::SimpleAtoi(name.substr(strlen(kPrefix)), &step) &&
        name == StepName(step)) {
      committed[step] = name;
    }
  }
  const absl::StatusOr<std::string> best =
      files_->ReadSymlink(JoinPath(run_dir_, "best"));
  // Not knowing which one is the best is no reason to delete it.
  if (!best.ok() && !absl::IsNotFound(best.status())) return best.status();
  auto surplus = static_cast<int64_t>(committed.size()) - keep_;
  for (const auto& [step, name] : committed) {
    if (surplus-- <= 0) break;
    if (best.ok() && Basename(*best) == name) continue;
    CHARRNN_RETURN_IF_ERROR(RemoveRecursively(*files_, JoinPath(folder, name)));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
