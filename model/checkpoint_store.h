#ifndef CHARRNN_MODEL_CHECKPOINT_STORE_H_
#define CHARRNN_MODEL_CHECKPOINT_STORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "model/checkpoint.h"
#include "model/manifest.h"
#include "model/train_progress.h"

namespace charrnn {

// Where checkpoints are kept. A store commits a checkpoint as a whole or not
// at all.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;

  // Commits the checkpoint of its step, in place of an earlier one of the same
  // step, and returns where it lies. It is the best one if its progress says
  // so. An error leaves the checkpoints that were committed before as they
  // were. Called from any thread, one at a time.
  virtual absl::StatusOr<std::string> Save(const Checkpoint& checkpoint) = 0;
};

// Checkpoints in a run's folder:
//
//   checkpoints/step-00000320/{model.safetensors,...,MANIFEST.json}
//   latest -> checkpoints/step-00000320
//   best   -> checkpoints/step-00000256
//
// A checkpoint is written as step-00000320.unfinished, synced and renamed; then
// the links move; then the oldest ones are deleted, never the best and never
// one of the newest `keep`. One that is found broken is set aside as
// step-00000320.corrupt and stays. While one takes another's place, the other
// is step-00000320.replaced.
class LocalCheckpointStore : public CheckpointStore {
 public:
  // `files` is not owned. `keep` is at least 1. Nobody else writes in the
  // folder.
  LocalCheckpointStore(FileSystem* files, std::string run_dir, int keep)
      : files_(files), run_dir_(std::move(run_dir)), keep_(keep) {}

  // What the folder holds, as a run that goes on finds it.
  struct Found {
    // The newest checkpoint that is whole; none if there is none. It knows of
    // no best one if that is broken or gone.
    std::optional<Checkpoint> newest;
    // Those that are newer, or the best, and broken, with what is wrong, by
    // name.
    std::map<std::string, std::string> broken;
  };

  // Looks, and changes nothing. Possible errors: FailedPrecondition if
  // checkpoints are there and not one of them is whole, or if they were there
  // and are gone; Unimplemented for one of a later version; what the file
  // system says of one that cannot be read.
  absl::StatusOr<Found> Find();

  // Puts the folder in order after an interruption: deletes what was left
  // unfinished or no longer to be kept, sets aside what is broken, and makes
  // the links say what the newest checkpoint knows.
  absl::Status TidyUp(const Found& found);

  // Whether the run's checkpoints fit on the disk, if each takes
  // `checkpoint_bytes` and `saves` more are to come. The folder may be still to
  // be made. FailedPrecondition tells both sizes.
  absl::Status CheckSpace(int64_t checkpoint_bytes, int64_t saves);

  absl::StatusOr<std::string> Save(const Checkpoint& checkpoint) override;

  // The same in two phases: once all of it is on the disk `confirm` is asked,
  // whose error leaves it uncommitted and is returned.
  absl::StatusOr<std::string> Save(const Checkpoint& checkpoint,
                                   absl::FunctionRef<absl::Status()> confirm);

  // The files of the checkpoint of `step`, as they are. Possible errors:
  // NotFound if there is none; what the file system says.
  absl::StatusOr<std::vector<CheckpointFile>> ReadFiles(int64_t step);

  // Where the checkpoint of `step` lies, if there is one.
  std::string PathOf(int64_t step) const;

 private:
  std::string Folder() const;
  std::string Path(const std::string& name) const;
  // The names of the committed checkpoints by step, oldest first.
  absl::StatusOr<std::map<int64_t, std::string>> Committed();
  absl::StatusOr<Checkpoint> Load(int64_t step, const std::string& name);
  // Gives those that were about to be replaced their names again.
  absl::Status Restore();
  // Makes the checkpoint `name` of `checkpoint_files` if `confirm` agrees.
  absl::Status Write(const std::string& name,
                     const std::vector<CheckpointFile>& checkpoint_files,
                     absl::FunctionRef<absl::Status()> confirm);
  // Gives the folder `from` the name `path`, in place of another one.
  absl::Status Replace(const std::string& from, const std::string& path);
  absl::Status Link(const TrainProgress& progress);
  // Deletes what is no longer to be kept.
  absl::Status Retain(int64_t best_step);
  // Deletes the checkpoints whose names end in `ending`.
  absl::Status Sweep(absl::string_view ending);
  absl::Status SetAside(const std::string& name);

  FileSystem* files_;
  std::string run_dir_;
  int keep_;
};

// Bytes that a checkpoint of a model with `flat_size` parameters takes on a
// disk, about, if its streams' states are so many numbers.
int64_t CheckpointBytes(int64_t flat_size, int64_t stream_values);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_CHECKPOINT_STORE_H_
