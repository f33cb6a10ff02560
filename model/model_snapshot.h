#ifndef CHARRNN_MODEL_MODEL_SNAPSHOT_H_
#define CHARRNN_MODEL_MODEL_SNAPSHOT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/vocab.h"
#include "model/config.h"

namespace charrnn {

// The file name of a model within a checkpoint's folder.
inline constexpr char kModelFileName[] = "model.safetensors";

// A trained model by itself: enough to sample from and to evaluate.
struct ModelSnapshot {
  ModelConfig config;
  DataConfig data;
  Vocab vocab;
  // In the order of ParameterLayout(config), [flat_size()].
  std::vector<float> parameters;
};

// model.safetensors: every parameter under its PyTorch name as F32, and the
// metadata `format` (which version of this layout), `config`, `data` and
// `vocab`, the last three JSON. Equal models give equal bytes.
absl::StatusOr<std::string> EncodeModel(const ModelSnapshot& model);

// Reads what EncodeModel wrote. InvalidArgument, naming what is wrong, if the
// file is anything else; nothing in it is believed unchecked.
absl::StatusOr<ModelSnapshot> DecodeModel(absl::string_view file);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_MODEL_SNAPSHOT_H_
