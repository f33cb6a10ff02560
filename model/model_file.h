#ifndef CHARRNN_MODEL_MODEL_FILE_H_
#define CHARRNN_MODEL_MODEL_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "model/model_snapshot.h"

namespace charrnn {

// The file name of a model within a checkpoint's folder.
inline constexpr char kModelFileName[] = "model.safetensors";

// The model file that a user means by `path`: a file itself, a step's folder,
// or a run's folder (its best, else its latest checkpoint). NotFound, saying
// what is missing, if there is none.
absl::StatusOr<std::string> FindModelFile(FileSystem& files,
                                          const std::string& path);

// DecodeModel of the file `file`, which messages name.
absl::StatusOr<ModelSnapshot> LoadModel(FileSystem& files,
                                        const std::string& file);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_MODEL_FILE_H_
