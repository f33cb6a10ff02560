#ifndef CHARRNN_MODEL_MODEL_FILE_H_
#define CHARRNN_MODEL_MODEL_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "model/model_snapshot.h"

namespace charrnn {

// The model file that a user means by `path`: a file itself, a step's folder,
// or a run's folder (its best, else its latest, else its newest checkpoint).
// NotFound, saying what is missing, if there is none.
absl::StatusOr<std::string> FindModelFile(FileSystem& files,
                                          const std::string& path);

// The model in `file`: a .safetensors or a .pt of the PyTorch notebook's,
// whichever its first bytes say. One that lies in a checkpoint is looked up in
// the manifest before it is believed. Possible errors, naming `file`:
// InvalidArgument if it is neither or damaged; the file system's.
absl::StatusOr<ModelSnapshot> LoadModel(FileSystem& files,
                                        const std::string& file);

// A model and the file that it came from.
struct NamedModel {
  std::string file;
  ModelSnapshot model;
};

// The one after the other, also while a run deletes its old checkpoints.
absl::StatusOr<NamedModel> FindAndLoadModel(FileSystem& files,
                                            const std::string& path);

// Whether a model can be written to `path`: the name must say in which format,
// and the place must be writable. InvalidArgument, NotFound or the file
// system's error, naming `path`; nothing is left there.
absl::Status CheckModelPath(FileSystem& files, const std::string& path);

// Writes the model to `path`, in one step, as a .safetensors or a .pt,
// whichever the name says.
absl::Status SaveModel(FileSystem& files, const ModelSnapshot& model,
                       const std::string& path);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_MODEL_FILE_H_
