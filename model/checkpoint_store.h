#ifndef CHARRNN_MODEL_CHECKPOINT_STORE_H_
#define CHARRNN_MODEL_CHECKPOINT_STORE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace charrnn {

// Where checkpoints are kept. A store commits a checkpoint as a whole or not
// at all.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;

  // Commits the model of step `step` and returns where it lies. `best` says
  // that its validation loss is the lowest so far. An error leaves the
  // checkpoints that were committed before as they were.
  virtual absl::StatusOr<std::string> Save(int64_t step,
                                           absl::string_view model,
                                           bool best) = 0;
};

// Checkpoints in a run's folder:
//
//   checkpoints/step-00000320/model.safetensors
//   latest -> checkpoints/step-00000320
//   best   -> checkpoints/step-00000256
//
// A checkpoint is written under a temporary name, synced, renamed and synced;
// then the links move; then the oldest ones are deleted, never the best and
// never one of the newest `keep`.
class LocalCheckpointStore : public CheckpointStore {
 public:
  // `files` is not owned. `keep` is at least 1.
  LocalCheckpointStore(FileSystem* files, std::string run_dir, int keep)
      : files_(files), run_dir_(std::move(run_dir)), keep_(keep) {}

  absl::StatusOr<std::string> Save(int64_t step, absl::string_view model,
                                   bool best) override;

 private:
  // Makes the folder `path` in `folder`, with the model in it.
  absl::Status Write(const std::string& folder, const std::string& path,
                     absl::string_view model);
  // Deletes what is no longer to be kept.
  absl::Status Retain();

  FileSystem* files_;
  std::string run_dir_;
  int keep_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_CHECKPOINT_STORE_H_
