#ifndef CHARRNN_MODEL_STREAM_STATES_H_
#define CHARRNN_MODEL_STREAM_STATES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace charrnn {

// What the network remembers of each of B streams of text, as a checkpoint
// keeps it: arrays [L, B, H], both empty where there are no streams.
struct StreamStates {
  std::vector<float> hidden;
  std::vector<float> cell;  // LSTM only
};

// The states as the tensors "hidden" and, of an LSTM, "cell"; views into
// `states`, which must outlive them.
std::vector<TensorView> StreamTensors(const ModelConfig& config,
                                      const StreamStates& states);

// Reads them back. InvalidArgument, naming the tensor, unless these are the
// tensors of at least one stream, each of its shape and of type F32.
absl::StatusOr<StreamStates> StreamStatesFromTensors(
    const ModelConfig& config, const std::vector<TensorView>& tensors);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_STREAM_STATES_H_
