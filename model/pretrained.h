#ifndef CHARRNN_MODEL_PRETRAINED_H_
#define CHARRNN_MODEL_PRETRAINED_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "data/vocab.h"
#include "model/char_rnn.h"
#include "model/config.h"

namespace charrnn {

// A trained model, ready to compute with.
struct Pretrained {
  std::unique_ptr<CharRnn> network;
  Vocab vocab;
  DataConfig data;
  std::string description;  // for a person: the file, and what network it is
};

// Loads the model that a user means by `path` (see FindModelFile) onto
// `device`, "cpu" or "cuda:N". Possible errors: those of FindModelFile,
// LoadModel and CatchTorch.
absl::StatusOr<Pretrained> LoadPretrained(FileSystem& files,
                                          const std::string& path,
                                          const std::string& device);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_PRETRAINED_H_
