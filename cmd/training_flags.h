#ifndef CHARRNN_CMD_TRAINING_FLAGS_H_
#define CHARRNN_CMD_TRAINING_FLAGS_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "data/corpus.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/model_snapshot.h"

namespace charrnn {

// What a user asks for who trains a model.
struct TrainingRequest {
  std::unique_ptr<Corpus> corpus;
  ModelConfig model;        // its vocabulary that of the corpus
  TrainingConfig training;  // fitted to the corpus
  SamplingConfig sampling;
  // Weights to begin with instead of random ones, in the model's layout.
  std::optional<std::vector<float>> initial_parameters;
  std::string save_path;  // empty: off
  std::string reduction;  // "auto", "invariant" or "overlap"
  std::string kernels;    // "fused" or "libtorch"
  Precision precision = Precision::kFp32;
  std::set<std::string> preset;  // flags that --preset has set

  // What was changed to suit a small text, a line each; to be said aloud once
  // the rest of the input is known to be good.
  std::vector<std::string> notes;
};

// What "auto" stands for on `device`, "cpu" or "cuda:N": bits that do not
// depend on who computes with whom where that costs little, speed elsewhere.
std::string ResolvedReduction(const std::string& reduction,
                              const std::string& device);

// Reads the training flags, and the text and model that they name. `typed` are
// the flags that the user gave: a text that was not asked for may be absent,
// and then the built-in snippet stands in, with settings that suit it.
// `resumed` is the model of the run that goes on, if there is one; it, or else
// that of --init_from, decides on the network and the vocabulary.
//
// Possible errors: InvalidArgument, naming the flag or the text; NotFound and
// others that the file system gives.
absl::StatusOr<TrainingRequest> TrainingRequestFromFlags(
    FileSystem& files, const std::set<std::string>& typed,
    const ModelSnapshot* resumed = nullptr);

// Whether all that a run reads is on this host; it never reads the test part.
// NotFound names what is missing.
absl::Status CheckText(const TrainingRequest& request);

}  // namespace charrnn

#endif  // CHARRNN_CMD_TRAINING_FLAGS_H_
