#include "model/checkpoint_store.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "model/checkpoint.h"
#include "model/manifest.h"
#include "model/train_progress.h"

namespace charrnn {
namespace {

constexpr char kFolder[] = "checkpoints";
constexpr char kPrefix[] = "step-";
constexpr char kUnfinished[] = ".unfinished";
constexpr char kDeleted[] = ".deleted";
constexpr char kReplaced[] = ".replaced";
constexpr char kCorrupt[] = ".corrupt";

constexpr char kLatest[] = "latest";
constexpr char kBest[] = "best";

// Eight digits, so that a listing shows steps in their order.
std::string StepName(int64_t step) {
  return absl::StrFormat("%s%08d", kPrefix, step);
}

std::string Megabytes(int64_t bytes) {
  return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

std::string LocalCheckpointStore::Folder() const {
  return JoinPath(run_dir_, kFolder);
}

std::string LocalCheckpointStore::PathOf(int64_t step) const {
  return Path(StepName(step));
}

std::string LocalCheckpointStore::Path(const std::string& name) const {
  return JoinPath(Folder(), name);
}

absl::StatusOr<std::map<int64_t, std::string>>
LocalCheckpointStore::Committed() {
  std::map<int64_t, std::string> committed;
  const auto names = files_->ListDirectory(Folder());
  if (absl::IsNotFound(names.status())) return committed;
  CHARRNN_RETURN_IF_ERROR(names.status());
  for (const std::string& name : *names) {
    absl::string_view digits = name;
    const bool replaced = absl::ConsumeSuffix(&digits, kReplaced);
    int64_t step = 0;
    if (absl::ConsumePrefix(&digits, kPrefix) &&
        absl::SimpleAtoi(digits, &step) &&
        name == absl::StrCat(StepName(step), replaced ? kReplaced : "")) {
      // In the order of names, so that the one that replaces comes first.
      committed.emplace(step, name);
    }
  }
  return committed;
}

absl::StatusOr<Checkpoint> LocalCheckpointStore::Load(int64_t step,
                                                      const std::string& name) {
  absl::StatusOr<Checkpoint> checkpoint =
      DecodeCheckpoint([&](const std::string& file) {
        return files_->ReadFile(JoinPath(Path(name), file));
      });
  if (checkpoint.ok() && checkpoint->progress.step != step) {
    return absl::DataLossError(absl::StrCat("it is the checkpoint of step ",
                                            checkpoint->progress.step,
                                            ", not of its name"));
  }
  return checkpoint;
}

absl::StatusOr<LocalCheckpointStore::Found> LocalCheckpointStore::Find() {
  CHARRNN_ASSIGN_OR_RETURN(const auto committed, Committed());
  if (committed.empty()) {
    const auto latest = files_->ReadSymlink(JoinPath(run_dir_, kLatest));
    if (!latest.ok()) return Found();
    return absl::FailedPreconditionError(absl::StrCat(
        run_dir_, ": its checkpoints, such as ", *latest,
        ", are not there: put them back, or begin a new run with another "
        "--run_dir"));
  }
  Found found;
  // Damaged, or not all there. Anything else is no reason to give it up.
  const auto is_broken = [](const absl::Status& status) {
    return absl::IsDataLoss(status) || absl::IsNotFound(status);
  };
  for (auto entry = committed.rbegin(); entry != committed.rend(); ++entry) {
    const auto& [step, name] = *entry;
    absl::StatusOr<Checkpoint> checkpoint = Load(step, name);
    if (checkpoint.ok()) {
      found.newest = *std::move(checkpoint);
      break;
    }
    const absl::Status& status = checkpoint.status();
    if (!is_broken(status)) return Annotate(status, Path(name));
    found.broken[name] = std::string(status.message());
  }
  if (!found.newest.has_value()) {
    const auto& [name, what] = *found.broken.rbegin();
    return absl::FailedPreconditionError(
        absl::StrCat(run_dir_, ": none of its checkpoints is whole: ", name,
                     ": ", what, ": begin a new run with another --run_dir"));
  }
  TrainProgress& progress = found.newest->progress;
  if (progress.best_step == 0 || progress.best_step == progress.step) {
    return found;
  }
  const auto best = committed.find(progress.best_step);
  absl::Status status = best == committed.end()
                            ? absl::NotFoundError("gone")
                            : Load(progress.best_step, best->second).status();
  if (!status.ok() && !is_broken(status)) return status;
  if (!status.ok()) {
    // A later one that is worse is then the best that there is.
    if (best != committed.end()) {
      found.broken[best->second] = std::string(status.message());
    }
    progress.best_step = 0;
    progress.best_loss = std::numeric_limits<double>::infinity();
  }
  return found;
}

absl::Status LocalCheckpointStore::TidyUp(const Found& found) {
  CHARRNN_RETURN_IF_ERROR(Restore());
  CHARRNN_RETURN_IF_ERROR(Sweep(kUnfinished));
  CHARRNN_RETURN_IF_ERROR(Sweep(kDeleted));
  CHARRNN_RETURN_IF_ERROR(RemoveTemporaries(*files_, run_dir_));
  for (const auto& [name, what] : found.broken) {
    CHARRNN_RETURN_IF_ERROR(
        SetAside(std::string(absl::StripSuffix(name, kReplaced))));
    CHARRNN_LOG(WARNING) << "the checkpoint " << Path(name)
                         << " is broken and was set aside: " << what;
  }
  if (!found.newest.has_value()) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(Link(found.newest->progress));
  return Retain(found.newest->progress.best_step);
}

absl::Status LocalCheckpointStore::Restore() {
  CHARRNN_ASSIGN_OR_RETURN(const auto committed, Committed());
  for (const auto& [step, name] : committed) {
    if (name == StepName(step)) continue;
    CHARRNN_RETURN_IF_ERROR(files_->Rename(Path(name), PathOf(step)));
  }
  return Sweep(kReplaced);
}

absl::Status LocalCheckpointStore::Sweep(absl::string_view ending) {
  const auto names = files_->ListDirectory(Folder());
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(names.status());
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, kPrefix) || !absl::EndsWith(name, ending)) {
      continue;
    }
    CHARRNN_RETURN_IF_ERROR(RemoveRecursively(*files_, Path(name)));
  }
  return absl::OkStatus();
}

absl::Status LocalCheckpointStore::SetAside(const std::string& name) {
  std::string aside = absl::StrCat(Path(name), kCorrupt);
  for (int i = 1; files_->Kind(aside).ok(); ++i) {
    aside = absl::StrCat(Path(name), kCorrupt, ".", i);
  }
  CHARRNN_RETURN_IF_ERROR(files_->Rename(Path(name), aside));
  return files_->SyncDirectory(Folder());
}

absl::Status LocalCheckpointStore::CheckSpace(int64_t checkpoint_bytes,
                                              int64_t saves) {
  // What else is wrong with the folder is found out by whoever makes it.
  const auto committed = Committed();
  const size_t num_committed = committed.ok() ? committed->size() : 0;
  std::string existing = run_dir_;
  while (!files_->Exists(existing) && Dirname(existing) != existing) {
    existing = Dirname(existing);
  }
  CHARRNN_ASSIGN_OR_RETURN(const int64_t free, files_->FreeSpace(existing));
  // The newest, the best, and the one that is being written.
  const int64_t at_once = int64_t{keep_} + 2;
  const int64_t more = std::min(
      saves,
      std::max<int64_t>(1, at_once - static_cast<int64_t>(num_committed)));
  int64_t wanted = 0;
  if (!__builtin_mul_overflow(more, checkpoint_bytes, &wanted) &&
      wanted <= free) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(run_dir_, ": ", Megabytes(free), " are free where ", more,
                   " x ", Megabytes(checkpoint_bytes),
                   " are to be kept as checkpoints: free some, lower "
                   "--keep_checkpoints, or name a folder "
                   "on another disk with --run_dir"));
}

absl::StatusOr<std::string> LocalCheckpointStore::Save(
    const Checkpoint& checkpoint) {
  return Save(checkpoint, [] { return absl::OkStatus(); });
}

absl::StatusOr<std::string> LocalCheckpointStore::Save(
    const Checkpoint& checkpoint, absl::FunctionRef<absl::Status()> confirm) {
  const std::string name = StepName(checkpoint.progress.step);
  CHARRNN_ASSIGN_OR_RETURN(const auto checkpoint_files,
                           EncodeCheckpoint(checkpoint));
  CHARRNN_RETURN_IF_ERROR(Write(name, checkpoint_files, confirm));
  CHARRNN_RETURN_IF_ERROR(Link(checkpoint.progress));
  if (const absl::Status retained = Retain(checkpoint.progress.best_step);
      !retained.ok()) {
    // The checkpoint is safe; the space is not worth ending a run for.
    CHARRNN_LOG(WARNING) << "an old checkpoint was not deleted: "
                         << retained.message();
  }
  return Path(name);
}

absl::Status LocalCheckpointStore::Write(
    const std::string& name,
    const std::vector<CheckpointFile>& checkpoint_files,
    absl::FunctionRef<absl::Status()> confirm) {
  const std::string unfinished = absl::StrCat(Path(name), kUnfinished);
  CHARRNN_RETURN_IF_ERROR(RemoveRecursively(*files_, unfinished));
  CHARRNN_RETURN_IF_ERROR(files_->CreateDirectories(unfinished));
  absl::Status written;
  for (const CheckpointFile& file : checkpoint_files) {
    if (!written.ok()) break;
    written = WriteFile(*files_, JoinPath(unfinished, file.name), file.bytes);
  }
  if (written.ok()) written = files_->SyncDirectory(unfinished);
  if (written.ok()) written = confirm();
  if (written.ok()) written = Replace(unfinished, Path(name));
  if (!written.ok()) {
    // Its space is wanted for the next one.
    RemoveRecursively(*files_, unfinished).IgnoreError();
  }
  return written;
}

absl::Status LocalCheckpointStore::Replace(const std::string& from,
                                           const std::string& path) {
  // A folder cannot take another's name in one step. In between, and after a
  // crash there, the old one is found under its other name (Committed).
  const std::string old = absl::StrCat(path, kReplaced);
  const bool replaces = files_->Exists(path);
  if (replaces) {
    CHARRNN_RETURN_IF_ERROR(RemoveRecursively(*files_, old));
    CHARRNN_RETURN_IF_ERROR(files_->Rename(path, old));
  }
  if (const absl::Status renamed = files_->Rename(from, path); !renamed.ok()) {
    if (replaces) files_->Rename(old, path).IgnoreError();
    return renamed;
  }
  CHARRNN_RETURN_IF_ERROR(files_->SyncDirectory(Folder()));
  if (!replaces) return absl::OkStatus();
  RemoveRecursively(*files_, old).IgnoreError();  // or at the next start
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CheckpointFile>> LocalCheckpointStore::ReadFiles(
    int64_t step) {
  const std::string path = PathOf(step);
  std::vector<CheckpointFile> read;
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           files_->ListDirectory(path));
  for (const std::string& name : names) {
    CHARRNN_ASSIGN_OR_RETURN(std::string bytes,
                             files_->ReadFile(JoinPath(path, name)));
    read.push_back({name, std::move(bytes)});
  }
  return read;
}

absl::Status LocalCheckpointStore::Link(const TrainProgress& progress) {
  CHARRNN_RETURN_IF_ERROR(
      ReplaceSymlink(*files_, JoinPath(kFolder, StepName(progress.step)),
                     JoinPath(run_dir_, kLatest)));
  const std::string link = JoinPath(run_dir_, kBest);
  if (progress.best_step == 0) {
    return files_->ReadSymlink(link).ok() ? files_->Remove(link)
                                          : absl::OkStatus();
  }
  if (!files_->Exists(PathOf(progress.best_step))) {
    // It could not be saved; an older one is better than none.
    return absl::OkStatus();
  }
  return ReplaceSymlink(*files_,
                        JoinPath(kFolder, StepName(progress.best_step)), link);
}

absl::Status LocalCheckpointStore::Retain(int64_t best_step) {
  CHARRNN_ASSIGN_OR_RETURN(const auto committed, Committed());
  auto surplus = static_cast<int64_t>(committed.size()) - keep_;
  for (const auto& [step, name] : committed) {
    if (surplus-- <= 0) break;
    if (step == best_step) continue;
    // Under a name that nobody takes for a checkpoint's while parts are gone.
    CHARRNN_RETURN_IF_ERROR(
        files_->Rename(Path(name), absl::StrCat(Path(name), kDeleted)));
  }
  // With what could not be deleted before.
  return Sweep(kDeleted);
}

int64_t CheckpointBytes(int64_t flat_size, int64_t stream_values) {
  // Weights and two moments; names, the vocabulary and the rest are small.
  constexpr int64_t kRest = 64 << 10;
  return static_cast<int64_t>(sizeof(float)) * (3 * flat_size + stream_values) +
         kRest;
}

}  // namespace charrnn
