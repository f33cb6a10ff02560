#ifndef CHARRNN_CMD_TRAINING_FLAGS_H_
#define CHARRNN_CMD_TRAINING_FLAGS_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "data/corpus.h"
#include "model/config.h"

namespace charrnn {

// What a user asks for who trains a model.
struct TrainingRequest {
  std::unique_ptr<Corpus> corpus;
  ModelConfig model;        // its vocabulary that of the corpus
  TrainingConfig training;  // fitted to the corpus
  SamplingConfig sampling;
  std::string run_dir;    // empty: one named after the time
  std::string save_path;  // empty: off

  // What was changed to suit a small text, a line each; to be said aloud once
  // the rest of the input is known to be good.
  std::vector<std::string> notes;
};

// Reads the training flags and the text that they name. `typed` are the flags
// that the user gave: a text that was not asked for may be absent, and then the
// built-in snippet stands in, with settings that suit it.
//
// Possible errors: InvalidArgument, naming the flag or the text; NotFound and
// others that the file system gives.
absl::StatusOr<TrainingRequest> TrainingRequestFromFlags(
    FileSystem& files, const std::set<std::string>& typed);

}  // namespace charrnn

#endif  // CHARRNN_CMD_TRAINING_FLAGS_H_
