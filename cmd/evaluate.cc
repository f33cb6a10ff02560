// Measures how well a trained model predicts a text.

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "model/display.h"
#include "model/evaluator.h"
#include "model/pretrained.h"

ABSL_FLAG(std::string, checkpoint, "runs/latest",
          "What to evaluate: a run's folder (its best model), a step's "
          "folder, or a .safetensors file.");
ABSL_FLAG(std::string, data_path, "data/tinyshakespeare.txt",
          "Text file to evaluate on.");
ABSL_FLAG(std::string, part, "validation",
          "Which part of the text: validation (the share at its end that "
          "training held out) or all.");
ABSL_FLAG(bool, json, false, "Print one JSON object instead of a line.");

namespace charrnn {
namespace {

// The chunks of the part of a text that --part asks for, cut as in training.
absl::StatusOr<ChunkIndex> ChunksFromFlags(const Corpus& corpus,
                                           const DataConfig& data) {
  const std::string part = absl::GetFlag(FLAGS_part);
  if (part == "all") {
    return ChunkIndex::Validation(0, corpus.size(), data.seq_len);
  }
  if (part != "validation") {
    return absl::InvalidArgumentError(
        absl::StrCat("--part=", part, ": must be validation or all"));
  }
  CHARRNN_ASSIGN_OR_RETURN(const Split split,
                           SplitCorpus(corpus.size(), data.val_fraction));
  return ChunkIndex::Validation(split.train_size, split.validation_size,
                                data.seq_len);
}

std::string Report(const Evaluation& evaluation) {
  const double loss = evaluation.loss();
  if (!absl::GetFlag(FLAGS_json)) {
    return absl::StrFormat(
        "loss %.4f nats per character, %.4f bits per character, perplexity "
        "%.4f, %s characters\n",
        loss, BitsPerChar(loss), std::exp(loss),
        WithThousands(evaluation.chars));
  }
  nlohmann::ordered_json json;
  json["loss"] = loss;
  json["bpc"] = BitsPerChar(loss);
  json["perplexity"] = std::exp(loss);
  json["chars"] = evaluation.chars;
  return json.dump() + "\n";
}

absl::Status Evaluate(const CommandLine&) {
  FileSystem& files = *FileSystem::Real();
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(
      const Pretrained model,
      LoadPretrained(files, UserPath(absl::GetFlag(FLAGS_checkpoint)),
                     compute.device));
  CHARRNN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Corpus> corpus,
      OpenTextCorpusWithVocab(files, UserPath(absl::GetFlag(FLAGS_data_path)),
                              model.vocab));
  CHARRNN_ASSIGN_OR_RETURN(const ChunkIndex chunks,
                           ChunksFromFlags(*corpus, model.data));
  if (chunks.num_chunks() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(corpus->name(),
                     ": its validation part has fewer than two characters: "
                     "evaluate with --part=all or on a longer text"));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      const Evaluation evaluation,
      Evaluate(*model.network, *corpus, chunks, *compute.pool));
  return WriteStdout(Report(evaluation));
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"evaluate", "Measures how well a trained model predicts a text.",
       /*arguments=*/""},
      charrnn::Evaluate);
}
