#ifndef CHARRNN_CMD_RUN_START_H_
#define CHARRNN_CMD_RUN_START_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/training_flags.h"
#include "model/checkpoint_store.h"
#include "model/kernels/arithmetic.h"
#include "model/run_directory.h"
#include "model/train_state.h"
#include "model/training_plan.h"

namespace charrnn {

// A run that is ready to be trained: all that its user has said is known to be
// good, and its folder is this process's own.
struct RunStart {
  RunStart(TrainingRequest the_request, const TrainingPlan& the_plan)
      : request(std::move(the_request)), plan(the_plan) {}

  TrainingRequest request;
  TrainingPlan plan;
  Compute compute;
  std::optional<Arithmetic> kernels;  // none: LibTorch's operators
  TrainState state;                   // of its newest checkpoint, or of none
  RunDirectory directory;
  std::unique_ptr<LocalCheckpointStore> store;
  std::vector<std::string> notes;  // to be said aloud, a line each

  // Whether there is nothing left to train.
  bool finished = false;
};

// Begins a new run as the flags say, or with --resume goes on with an earlier
// one. Nothing is changed on the disk unless all is well.
//
// Possible errors: InvalidArgument and FailedPrecondition for what the user can
// mend, naming the flag; those of the file system and of CatchTorch; those of
// `check`, which is asked about a run that has something left to train before
// anything is written. It may be empty.
absl::StatusOr<RunStart> StartRun(
    FileSystem& files, Clock& clock, const CommandLine& command_line,
    const std::function<absl::Status(const RunStart&)>& check = nullptr);

// The state that a run begins with if it has no checkpoint. Possible errors:
// those of CatchTorch.
absl::StatusOr<TrainState> InitialState(const TrainingRequest& request,
                                        const std::string& device);

}  // namespace charrnn

#endif  // CHARRNN_CMD_RUN_START_H_
