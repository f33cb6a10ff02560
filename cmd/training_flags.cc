#include "cmd/training_flags.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/preset.h"
#include "cmd/sampling_flags.h"
#include "data/corpus.h"
#include "data/open_corpus.h"
#include "data/split.h"
#include "data/vocab.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/model_file.h"
#include "model/model_snapshot.h"
#include "model/training_plan.h"

ABSL_FLAG(std::string, data_path, "data/tinyshakespeare.txt",
          "Text to train on: a file, or a folder that `prepare` has made.");
ABSL_FLAG(std::string, encoding, "utf8",
          "What a character is: utf8 (a code point) or bytes; a folder that "
          "`prepare` has made has its own.");
ABSL_FLAG(std::string, rnn_type, "GRU", "Recurrent network: GRU or LSTM.");
ABSL_FLAG(int, embedding_dim, 256, "Width of a character's embedding.");
ABSL_FLAG(int, hidden_dim, 256, "Width of a recurrent layer.");
ABSL_FLAG(int, num_layers, 1, "Recurrent layers.");
ABSL_FLAG(double, dropout, 0.1,
          "Share of each recurrent layer's outputs set to 0 in training.");
ABSL_FLAG(int, seq_len, 128, "Characters of each chunk, or stream, in a step.");
ABSL_FLAG(int, batch_size, 128, "Chunks, or streams, in a step.");
ABSL_FLAG(int, overlap_step, 0,
          "Characters from a chunk's beginning to the next one's; 0: seq_len.");
ABSL_FLAG(std::string, data_order, "shuffled",
          "How the text is read: shuffled (chunks in random order, each of "
          "which begins with an empty memory) or streams (batch_size streams "
          "side by side, whose memory goes on from chunk to chunk).");
ABSL_FLAG(double, val_fraction, 0.05,
          "Share of the text, at its end, kept for validation; a folder that "
          "`prepare` has made has its own.");
ABSL_FLAG(int64_t, num_epochs, 5, "Passes over the training part.");
ABSL_FLAG(int64_t, max_steps, 0, "Steps at most; 0: as the epochs make.");
ABSL_FLAG(double, learning_rate, 2e-3, "Adam's learning rate.");
ABSL_FLAG(std::string, lr_schedule, "constant",
          "Learning rate over time: constant, or cosine (falls to 0).");
ABSL_FLAG(int64_t, warmup_steps, 0,
          "Steps over which the learning rate rises to its full value.");
ABSL_FLAG(double, grad_clip, 1, "Largest norm of the gradient; 0: no limit.");
ABSL_FLAG(int, grains, 8,
          "Pieces of a batch that are summed in a fixed order and computed "
          "side by side.");
ABSL_FLAG(int64_t, log_every, 100, "Steps from report to report; 0: none.");
ABSL_FLAG(int64_t, sample_every, 100,
          "Steps from one sampled text to the next; 0: none.");
ABSL_FLAG(int64_t, save_every, 0,
          "Steps from checkpoint to checkpoint, beside each epoch's end; 0: "
          "none.");
ABSL_FLAG(int, keep_checkpoints, 3,
          "Newest checkpoints to keep, beside the best.");
ABSL_FLAG(
    std::string, init_from, "",
    "Model to begin a new run with, its weights and vocabulary: a run's "
    "folder, a step's folder, a .safetensors or a .pt file; empty: random "
    "weights.");
ABSL_FLAG(std::string, reduction, "auto",
          "How gradients are summed: invariant (the same bits with any number "
          "of workers and threads), overlap (while others are computed, by "
          "LibTorch's operators: faster on GPUs, and equal but for rounding), "
          "or auto: invariant on the CPU, overlap on GPUs.");
ABSL_FLAG(std::string, precision, "fp32",
          "What layers are computed in: fp32 (on a GPU by TensorFloat-32 "
          "products), or bf16, which is faster on a GPU and on a CPU that has "
          "amx_bf16 or avx512_bf16; weights and validation are fp32 in both.");
ABSL_FLAG(std::string, save_path, "",
          "Export the best model to this .safetensors or .pt file; empty: "
          "off.");

ABSL_DECLARE_FLAG(std::string, kernels);

namespace charrnn {
namespace {

absl::StatusOr<ModelConfig> ModelFromFlags() {
  ModelConfig config;
  CHARRNN_ASSIGN_OR_RETURN(config.rnn_type,
                           ParseRnnType(absl::GetFlag(FLAGS_rnn_type)));
  config.vocab_size = 1;  // until the text is known
  config.embedding_dim = absl::GetFlag(FLAGS_embedding_dim);
  config.hidden_dim = absl::GetFlag(FLAGS_hidden_dim);
  config.num_layers = absl::GetFlag(FLAGS_num_layers);
  config.dropout = absl::GetFlag(FLAGS_dropout);
  CHARRNN_RETURN_IF_ERROR(Validate(config));
  return config;
}

absl::StatusOr<TrainingConfig> TrainingFromFlags() {
  TrainingConfig config;
  config.seq_len = absl::GetFlag(FLAGS_seq_len);
  config.batch_size = absl::GetFlag(FLAGS_batch_size);
  config.overlap_step = absl::GetFlag(FLAGS_overlap_step);
  CHARRNN_ASSIGN_OR_RETURN(config.data_order,
                           ParseDataOrder(absl::GetFlag(FLAGS_data_order)));
  config.val_fraction = absl::GetFlag(FLAGS_val_fraction);
  config.num_epochs = absl::GetFlag(FLAGS_num_epochs);
  config.max_steps = absl::GetFlag(FLAGS_max_steps);
  config.learning_rate = absl::GetFlag(FLAGS_learning_rate);
  CHARRNN_ASSIGN_OR_RETURN(config.lr_schedule,
                           ParseLrSchedule(absl::GetFlag(FLAGS_lr_schedule)));
  config.warmup_steps = absl::GetFlag(FLAGS_warmup_steps);
  config.grad_clip = absl::GetFlag(FLAGS_grad_clip);
  config.seed = absl::GetFlag(FLAGS_seed);
  config.grains = absl::GetFlag(FLAGS_grains);
  config.log_every = absl::GetFlag(FLAGS_log_every);
  config.sample_every = absl::GetFlag(FLAGS_sample_every);
  config.save_every = absl::GetFlag(FLAGS_save_every);
  config.keep_checkpoints = absl::GetFlag(FLAGS_keep_checkpoints);
  CHARRNN_RETURN_IF_ERROR(Validate(config));
  return config;
}

// Settings under which the snippet is learnt by heart within seconds: the
// whole text as a single chunk, so that what is learnt is what is recited, and
// nothing held out. At a mean loss of a hundredth of a nat no character is
// left that another one could outweigh.
void SuitSnippet(const std::set<std::string>& typed, TrainingRequest& request) {
  const auto unless_typed = [&](const char* flag, auto& field, auto value) {
    if (typed.count(flag) == 0) field = value;
  };
  TrainingConfig& training = request.training;
  unless_typed("val_fraction", training.val_fraction, 0.0);
  unless_typed("batch_size", training.batch_size, 1);
  // Less the character that a split always holds out, and the first one,
  // which is no target.
  unless_typed("seq_len", training.seq_len,
               static_cast<int>(request.corpus->size()) - 2);
  // An epoch is a step here.
  unless_typed("num_epochs", training.num_epochs,
               training.max_steps > 0 ? training.max_steps : int64_t{1000});
  if (typed.count("num_epochs") + typed.count("max_steps") == 0) {
    training.stop_loss = 0.01;
  }
}

// Makes the network that of `given`, a model that `from` names, unless a flag
// asks for another one.
absl::Status TakeNetwork(const ModelConfig& given, const std::string& from,
                         const std::set<std::string>& typed,
                         ModelConfig& config) {
  absl::Status status;
  const auto take = [&](const char* flag, const auto& value,
                        const auto& asked) {
    if (!status.ok() || typed.count(flag) == 0 || value == asked) return;
    status = absl::InvalidArgumentError(
        absl::StrCat("--", flag, "=", asked, ": ", from, " has ", value,
                     ", and weights fit no other network: leave the flag out"));
  };
  take("rnn_type", RnnTypeName(given.rnn_type), RnnTypeName(config.rnn_type));
  take("embedding_dim", given.embedding_dim, config.embedding_dim);
  take("hidden_dim", given.hidden_dim, config.hidden_dim);
  take("num_layers", given.num_layers, config.num_layers);
  const double dropout = config.dropout;
  config = given;
  if (typed.count("dropout")) config.dropout = dropout;
  return status;
}

// The vocabulary of the model to go on from, if there is one.
absl::StatusOr<std::optional<Vocab>> OpenModel(
    FileSystem& files, const std::set<std::string>& typed,
    const ModelSnapshot* resumed, TrainingRequest& request) {
  if (resumed != nullptr) {
    CHARRNN_RETURN_IF_ERROR(TakeNetwork(resumed->config, "the run to resume",
                                        typed, request.model));
    // What a run has kept for tests stays unread, also where it goes on from
    // the text of its shard set, which does not know of it.
    request.training.test_fraction = resumed->data.test_fraction;
    return resumed->vocab;
  }
  const std::string path = UserPath(absl::GetFlag(FLAGS_init_from));
  if (path.empty()) return std::nullopt;
  auto loaded = FindAndLoadModel(files, path);
  if (!loaded.ok()) return Annotate(loaded.status(), "--init_from");
  ModelSnapshot& model = loaded->model;
  CHARRNN_RETURN_IF_ERROR(TakeNetwork(
      model.config, absl::StrCat("--init_from=", path), typed, request.model));
  request.initial_parameters = std::move(model.parameters);
  return model.vocab;
}

// Takes the settings that a shard set was prepared with, unless a flag asks for
// others. A text has none.
absl::Status TakeSettings(const Corpus& corpus,
                          const std::set<std::string>& typed,
                          TrainingConfig& training) {
  const std::optional<SplitFractions> fractions = corpus.split_fractions();
  if (!fractions.has_value()) return absl::OkStatus();
  const auto check = [&](const char* flag, const auto& asked,
                         const auto& prepared) {
    if (typed.count(flag) == 0 || asked == prepared) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "--", flag, "=", asked, ": ", corpus.name(), " was prepared with ",
        prepared, ": leave the flag out, or prepare the texts again with it"));
  };
  CHARRNN_RETURN_IF_ERROR(check("encoding", absl::GetFlag(FLAGS_encoding),
                                EncodingName(corpus.vocab().encoding())));
  CHARRNN_RETURN_IF_ERROR(
      check("val_fraction", training.val_fraction, fractions->validation));
  training.val_fraction = fractions->validation;
  training.test_fraction = fractions->test;
  // As it would be typed, for who goes on from the text itself.
  absl::SetFlag(&FLAGS_val_fraction, fractions->validation);
  return absl::OkStatus();
}

// The text under the vocabulary `vocab`, or its own if there is none.
absl::Status CorpusFromFlags(FileSystem& files,
                             const std::set<std::string>& typed,
                             const std::optional<Vocab>& vocab,
                             TrainingRequest& request) {
  CHARRNN_ASSIGN_OR_RETURN(const Encoding encoding,
                           ParseEncoding(absl::GetFlag(FLAGS_encoding)));
  if (vocab.has_value() && typed.count("encoding") &&
      encoding != vocab->encoding()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--encoding=", EncodingName(encoding),
                     ": the model to go on from reads ",
                     EncodingName(vocab->encoding()), ": leave the flag out"));
  }
  const std::string path = UserPath(absl::GetFlag(FLAGS_data_path));
  if (typed.count("data_path") == 0 && !files.Exists(path)) {
    request.corpus = SnippetCorpus(encoding);
    if (vocab.has_value() && *vocab != request.corpus->vocab()) {
      return absl::NotFoundError(absl::StrCat(
          "--data_path: there is no ", path,
          ", and the model to go on from has learnt another text than the "
          "built-in snippet: name one"));
    }
    request.notes.push_back(
        absl::StrCat("there is no ", absl::GetFlag(FLAGS_data_path),
                     " here and no --data_path was given: training on the "
                     "built-in snippet"));
    SuitSnippet(typed, request);
  } else {
    auto corpus = vocab.has_value() ? OpenCorpusWithVocab(files, path, *vocab)
                                    : OpenCorpus(files, path, encoding);
    if (!corpus.ok()) return Annotate(corpus.status(), "--data_path");
    request.corpus = *std::move(corpus);
    CHARRNN_RETURN_IF_ERROR(
        TakeSettings(*request.corpus, typed, request.training));
  }
  // Whoever has decided on it: config.json says what was read.
  absl::SetFlag(&FLAGS_encoding,
                std::string(EncodingName(request.corpus->vocab().encoding())));
  request.model.vocab_size = request.corpus->vocab().size();
  return absl::OkStatus();
}

// The place to export to, refused now rather than after hours of training.
absl::StatusOr<std::string> SavePathFromFlags(FileSystem& files) {
  std::string path = UserPath(absl::GetFlag(FLAGS_save_path));
  if (path.empty()) return path;
  if (const absl::Status fit = CheckModelPath(files, path); !fit.ok()) {
    return Annotate(fit, "--save_path");
  }
  std::error_code unknown;
  if (std::filesystem::equivalent(
          path, UserPath(absl::GetFlag(FLAGS_data_path)), unknown)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--save_path=", path,
        ": is the text to train on, which would be lost: name another file"));
  }
  return path;
}

}  // namespace

std::string ResolvedReduction(const std::string& reduction,
                              const std::string& device) {
  if (reduction != "auto") return reduction;
  return device == "cpu" ? "invariant" : "overlap";
}

absl::StatusOr<TrainingRequest> TrainingRequestFromFlags(
    FileSystem& files, const std::set<std::string>& typed,
    const ModelSnapshot* resumed) {
  TrainingRequest request;
  CHARRNN_ASSIGN_OR_RETURN(request.preset, ApplyPreset(typed));
  // A network that is given has its own dropout unless another is asked for.
  std::set<std::string> asked = typed;
  if (request.preset.count("dropout") > 0) asked.insert("dropout");
  CHARRNN_ASSIGN_OR_RETURN(request.model, ModelFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(request.training, TrainingFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(request.sampling, SamplingConfigFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(request.save_path, SavePathFromFlags(files));
  request.reduction = absl::GetFlag(FLAGS_reduction);
  if (request.reduction != "auto" && request.reduction != "invariant" &&
      request.reduction != "overlap") {
    return absl::InvalidArgumentError(
        absl::StrCat("--reduction=", request.reduction,
                     ": must be auto, invariant or overlap"));
  }
  request.kernels = absl::GetFlag(FLAGS_kernels);
  const std::string name = absl::GetFlag(FLAGS_precision);
  const auto precision = ParsePrecision(name);
  if (!precision.ok()) {
    return Annotate(precision.status(), absl::StrCat("--precision=", name));
  }
  request.precision = *precision;
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<Vocab> vocab,
                           OpenModel(files, asked, resumed, request));
  CHARRNN_RETURN_IF_ERROR(CorpusFromFlags(files, typed, vocab, request));
  auto fitted = FitToCorpus(request.training, request.corpus->size());
  if (!fitted.ok()) return Annotate(fitted.status(), request.corpus->name());
  request.notes.insert(request.notes.end(), fitted->notes.begin(),
                       fitted->notes.end());
  request.training = fitted->config;
  return request;
}

absl::Status CheckText(const TrainingRequest& request) {
  const Corpus& corpus = *request.corpus;
  const TrainingConfig& training = request.training;
  CHARRNN_ASSIGN_OR_RETURN(
      const Split split, SplitCorpus(corpus.size(), {training.val_fraction,
                                                     training.test_fraction}));
  return Annotate(
      corpus.CheckPresent(0, split.train_size + split.validation_size),
      "--data_path");
}

}  // namespace charrnn
