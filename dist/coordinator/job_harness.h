#ifndef CHARRNN_DIST_COORDINATOR_JOB_HARNESS_H_
#define CHARRNN_DIST_COORDINATOR_JOB_HARNESS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "data/vocab.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/manifest.h"
#include "model/parameter_layout.h"
#include "model/train_progress.h"

namespace charrnn {

// What tests of a run's book, a job and its server need of a run.

// The config.json of a run.
inline std::string RunConfig(const TrainingConfig& training = {},
                             const std::string& device = "cpu") {
  ModelConfig model;
  model.vocab_size = 2;
  return absl::StrCat(
      R"({"version": "1", "corpus": {"name": "a.txt", "fingerprint": "f"},)",
      R"( "device": ")", device, R"(", "model": )", ToJson(model),
      R"(, "training": )", ToJson(training), R"(, "sampling": )",
      ToJson(SamplingConfig()), R"(, "flags": {}, "typed": []})");
}

// The files of a checkpoint whose progress is `progress`, with weights of
// their own for each step; of some hundred bytes, or more with more units.
inline std::vector<CheckpointFile> CheckpointFiles(
    const TrainProgress& progress, int units = 1) {
  ModelConfig config;
  config.vocab_size = 2;
  config.embedding_dim = units;
  config.hidden_dim = units;
  std::vector<float> values(ParameterLayout(config).flat_size());
  for (size_t i = 0; i < values.size(); ++i) {
    // Not the same bytes over and over.
    const uint32_t mixed = static_cast<uint32_t>(i) * 2654435761u;
    values[i] = static_cast<float>(progress.step) +
                static_cast<float>(mixed >> 8) * 1e-8f;
  }
  const auto files = EncodeCheckpoint(
      {{config, {}, *Vocab::FromText("ab", Encoding::kUtf8), values},
       values,
       values,
       progress});
  return *files;
}

inline std::vector<CheckpointFile> CheckpointFilesOf(int64_t step,
                                                     int units = 1) {
  TrainProgress progress;
  progress.step = step;
  progress.best_step = step;
  return CheckpointFiles(progress, units);
}

// To compare them by.
inline std::map<std::string, std::string> ByName(
    const std::vector<CheckpointFile>& files) {
  std::map<std::string, std::string> by_name;
  for (const CheckpointFile& file : files) by_name[file.name] = file.bytes;
  return by_name;
}

// How often `part` is in `text`.
inline int Count(absl::string_view text, absl::string_view part) {
  int count = 0;
  for (size_t at = text.find(part); at != absl::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_JOB_HARNESS_H_
