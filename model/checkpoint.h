#ifndef CHARRNN_MODEL_CHECKPOINT_H_
#define CHARRNN_MODEL_CHECKPOINT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
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
//
// `parameters` is in the order of ParameterLayout(config), [flat_size()].
absl::StatusOr<std::string> EncodeModel(const ModelConfig& config,
                                        const DataConfig& data,
                                        const Vocab& vocab,
                                        absl::Span<const float> parameters);

// Reads what EncodeModel wrote. InvalidArgument, naming what is wrong, if the
// file is anything else; nothing in it is believed unchecked.
absl::StatusOr<ModelSnapshot> DecodeModel(absl::string_view file);

// The model file that a user means by `path`: a file itself, a step's folder,
// or a run's folder (its best, else its latest checkpoint). NotFound, saying
// what is missing, if there is none.
absl::StatusOr<std::string> FindModelFile(FileSystem& files,
                                          const std::string& path);

// DecodeModel of the file `file`, which messages name.
absl::StatusOr<ModelSnapshot> LoadModel(FileSystem& files,
                                        const std::string& file);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_CHECKPOINT_H_
