#ifndef CHARRNN_MODEL_CHECKPOINT_H_
#define CHARRNN_MODEL_CHECKPOINT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/manifest.h"
#include "model/model_snapshot.h"
#include "model/stream_states.h"
#include "model/train_progress.h"

namespace charrnn {

// All that a run goes on from, apart from its text: a copy that is nobody's
// but its owner's, so that it can be written while training goes on.
struct Checkpoint {
  ModelSnapshot model;
  // Adam's first and second moment, in the order of the model's parameters.
  std::vector<float> exp_avg;
  std::vector<float> exp_avg_sq;
  TrainProgress progress;
  StreamStates streams = {};  // empty where chunks are shuffled
};

// The files of a checkpoint, in the order in which they are to be written:
//
//   model.safetensors      the model by itself (see EncodeModel)
//   optimizer.safetensors  "exp_avg.<parameter>", "exp_avg_sq.<parameter>"
//   streams.safetensors    "hidden" and an LSTM's "cell", if there are streams
//   trainer.json           the progress
//   MANIFEST.json          the sizes and checksums of those
//
// The safetensors files hold nothing that does not change the numbers: no
// path, time, host or thread count.
absl::StatusOr<std::vector<CheckpointFile>> EncodeCheckpoint(
    const Checkpoint& checkpoint);

// Reads a checkpoint whose file `name` has the bytes `read(name)`; sizes and
// checksums are looked at before anything is believed.
//
// Possible errors, naming the file: DataLoss if it is damaged or makes no
// sense; Unimplemented if a later version of this program has written it; those
// of `read`.
absl::StatusOr<Checkpoint> DecodeCheckpoint(
    const std::function<absl::StatusOr<std::string>(const std::string& name)>&
        read);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_CHECKPOINT_H_
