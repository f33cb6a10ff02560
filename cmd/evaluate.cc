// Measures how well a trained model predicts a text.

#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "data/corpus.h"
#include "data/open_corpus.h"
#include "data/split.h"
#include "data/vocab.h"
#include "model/computation.h"
#include "model/config.h"
#include "model/evaluation_plan.h"
#include "model/evaluator.h"
#include "model/kernels/arithmetic.h"
#include "model/metrics/display.h"
#include "model/pretrained.h"

ABSL_FLAG(std::string, checkpoint, "runs/latest",
          "What to evaluate: a run's folder (its best model), a step's "
          "folder, a .safetensors or a .pt file.");
ABSL_FLAG(std::string, data_path, "data/tinyshakespeare.txt",
          "Text to evaluate on: a file, or a folder that `prepare` has made.");
ABSL_FLAG(std::string, part, "validation",
          "Which part of the text: validation (the share at its end that "
          "training held out), test (what `prepare --test_fraction` has kept "
          "from it) or all.");
ABSL_FLAG(
    bool, json, false,
    "Print one JSON object instead of a line; what is not known is null.");

namespace charrnn {
namespace {

absl::StatusOr<std::unique_ptr<Corpus>> CorpusFromFlags(
    FileSystem& files, const std::set<std::string>& typed, const Vocab& vocab) {
  const std::string path = UserPath(absl::GetFlag(FLAGS_data_path));
  if (typed.count("data_path") == 0 && !files.Exists(path)) {
    return absl::NotFoundError(
        absl::StrCat("there is no ", absl::GetFlag(FLAGS_data_path),
                     " here: name a text with --data_path"));
  }
  auto corpus = OpenCorpusWithVocab(files, path, vocab);
  if (!corpus.ok()) return Annotate(corpus.status(), "--data_path");
  return corpus;
}

// A part of a text.
struct Part {
  int64_t begin = 0;
  int64_t size = 0;
};

// The part of the text that --part asks for, as it was split when it was
// prepared, or when the model was trained.
absl::StatusOr<Part> PartFromFlags(const Corpus& corpus,
                                   const DataConfig& data) {
  const std::string name = absl::GetFlag(FLAGS_part);
  if (name == "all") return Part{0, corpus.size()};
  const SplitFractions fractions = corpus.split_fractions().value_or(
      SplitFractions{data.val_fraction, data.test_fraction});
  // A text too short to be split has no parts.
  const Split split =
      SplitCorpus(corpus.size(), fractions).value_or(Split{corpus.size()});
  if (name == "validation") {
    return Part{split.train_size, split.validation_size};
  }
  if (split.test_size == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--part=test: ", corpus.name(),
        " has no test part: keep one with `prepare --test_fraction`"));
  }
  return Part{split.train_size + split.validation_size, split.test_size};
}

// That part, read as in training; all of it is on this host.
absl::StatusOr<EvaluationPlan> PlanFromFlags(const Corpus& corpus,
                                             const DataConfig& data) {
  CHARRNN_ASSIGN_OR_RETURN(const Part part, PartFromFlags(corpus, data));
  CHARRNN_RETURN_IF_ERROR(Annotate(
      corpus.CheckPresent(part.begin, part.begin + part.size), "--data_path"));
  const EvaluationPlan plan =
      MakeEvaluationPlan(data.data_order, part.begin, part.size, data.seq_len);
  if (NumTargets(plan) == 0) {
    const bool all = absl::GetFlag(FLAGS_part) == "all";
    return absl::InvalidArgumentError(absl::StrCat(
        "--data_path: ", corpus.name(), ": its ",
        all ? "text" : absl::StrCat(absl::GetFlag(FLAGS_part), " part"),
        " has fewer than two characters, so there is nothing to predict: use ",
        all ? "" : "--part=all or ", "a longer text"));
  }
  return plan;
}

std::string Report(const Evaluation& evaluation) {
  const double loss = evaluation.loss();
  const bool counts_bytes = evaluation.bytes > 0;
  if (!absl::GetFlag(FLAGS_json)) {
    const double bits = evaluation.bits_per_byte();
    return absl::StrFormat(
        "loss %.4f nats per character, %.4f bits per character, %s bits per "
        "byte, perplexity %.4f, %s\n",
        loss, BitsPerChar(loss),
        counts_bytes ? absl::StrFormat("%.4f", bits) : "?", std::exp(loss),
        Counted(evaluation.chars, "character"));
  }
  nlohmann::ordered_json json;
  json["loss"] = loss;
  json["bpc"] = BitsPerChar(loss);
  json["bpb"] = evaluation.bits_per_byte();
  json["perplexity"] = std::exp(loss);
  json["chars"] = evaluation.chars;
  json["bytes"] = counts_bytes ? nlohmann::ordered_json(evaluation.bytes)
                               : nlohmann::ordered_json();
  return json.dump() + "\n";
}

absl::Status RunEvaluation(const CommandLine& command_line) {
  const std::string part = absl::GetFlag(FLAGS_part);
  if (part != "validation" && part != "test" && part != "all") {
    return absl::InvalidArgumentError(
        absl::StrCat("--part=", part, ": must be validation, test or all"));
  }
  FileSystem& files = *FileSystem::Real();
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(
      const Pretrained model,
      LoadPretrained(files, UserPath(absl::GetFlag(FLAGS_checkpoint)),
                     compute.device));
  CHARRNN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Corpus> corpus,
      CorpusFromFlags(files, command_line.typed, model.vocab));
  CHARRNN_ASSIGN_OR_RETURN(const EvaluationPlan plan,
                           PlanFromFlags(*corpus, model.data));
  CHARRNN_LOG(INFO) << "device   " << Describe(compute, Precision::kFp32);
  CHARRNN_LOG(INFO) << "model    " << model.description;
  CHARRNN_LOG(INFO) << "text     " << corpus->name() << ", part "
                    << absl::GetFlag(FLAGS_part);
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<Arithmetic> kernels,
                           KernelsFor(compute.isa, Precision::kFp32));
  Computation computation(model.network.get(), kernels);
  computation.TakeWeights(*compute.pool);
  CHARRNN_ASSIGN_OR_RETURN(const Evaluation evaluation,
                           Evaluate(computation, *corpus, plan, *compute.pool));
  if (!std::isfinite(evaluation.loss())) {
    return absl::DataLossError(absl::StrCat(absl::GetFlag(FLAGS_checkpoint),
                                            ": its loss on ", corpus->name(),
                                            " is not finite"));
  }
  return WriteStdout(Report(evaluation));
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"evaluate", "Measures how well a trained model predicts a text.",
       /*arguments=*/""},
      charrnn::RunEvaluation);
}
