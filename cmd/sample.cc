// Writes text with a trained model.

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/sampling_flags.h"
#include "data/vocab.h"
#include "model/config.h"
#include "model/pretrained.h"
#include "model/sampler.h"

ABSL_FLAG(std::string, checkpoint, "runs/latest",
          "What to sample from: a run's folder (its best model), a step's "
          "folder, or a .safetensors file.");
ABSL_FLAG(std::string, prompt, "",
          "Text to continue; empty: one random character.");
ABSL_FLAG(int64_t, num_samples, 1, "Texts to write.");
ABSL_FLAG(bool, interactive, false,
          "Read a prompt from each line of standard input and continue it.");

namespace charrnn {
namespace {

constexpr int64_t kMaxSamples = 1'000'000;

// The prompt as the model knows it. What it does not know is left out, which
// is said aloud.
absl::StatusOr<std::vector<int32_t>> EncodePrompt(const Vocab& vocab,
                                                  const std::string& prompt) {
  auto encoded = vocab.Encode(prompt);
  if (!encoded.ok()) return Annotate(encoded.status(), "--prompt");
  if (!prompt.empty() && encoded->ids.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--prompt: the model knows none of its characters (", encoded->unknown,
        "): use characters of the text that it was trained on"));
  }
  if (encoded->num_unknown > 0) {
    CHARRNN_LOG(WARNING) << "left out of the prompt, unknown to the model: "
                         << encoded->num_unknown << " characters ("
                         << encoded->unknown << ")";
  }
  return encoded->ids;
}

// Writes the prompt and its continuation, character by character.
absl::Status StreamOne(const Sampler& sampler, const Vocab& vocab,
                       const std::vector<int32_t>& prompt, int64_t stream) {
  absl::Status written = WriteStdout(vocab.Decode(prompt));
  CHARRNN_RETURN_IF_ERROR(sampler.Generate(prompt, stream, [&](int32_t id) {
    if (written.ok()) written = WriteStdout(vocab.Symbol(id));
  }));
  CHARRNN_RETURN_IF_ERROR(written);
  return WriteStdout("\n");
}

// Writes several texts, computed side by side, each below a line of its own.
absl::Status WriteMany(const Sampler& sampler, const Vocab& vocab,
                       const std::vector<int32_t>& prompt, int64_t count,
                       ThreadPool& pool) {
  std::vector<std::string> texts(count, vocab.Decode(prompt));
  std::vector<absl::Status> statuses(count);
  pool.ParallelFor(count, [&](int64_t i) {
    statuses[i] = sampler.Generate(prompt, i, [&](int32_t id) {
      absl::StrAppend(&texts[i], vocab.Symbol(id));
    });
  });
  for (int64_t i = 0; i < count; ++i) {
    CHARRNN_RETURN_IF_ERROR(statuses[i]);
    CHARRNN_RETURN_IF_ERROR(WriteStdout(absl::StrCat(
        "==== sample ", i + 1, " of ", count, " ====\n", texts[i], "\n")));
  }
  return absl::OkStatus();
}

// Continues one line of standard input after the other. A line that the model
// cannot read is answered with what is wrong, and the next one is awaited.
absl::Status Converse(const Sampler& sampler, const Vocab& vocab) {
  std::string line;
  for (int64_t stream = 0; std::getline(std::cin, line); ++stream) {
    const auto prompt = EncodePrompt(vocab, line);
    if (!prompt.ok()) {
      CHARRNN_LOG(ERROR) << prompt.status().message();
      continue;
    }
    CHARRNN_RETURN_IF_ERROR(StreamOne(sampler, vocab, *prompt, stream));
  }
  return absl::OkStatus();
}

absl::Status Sample(const CommandLine&) {
  CHARRNN_ASSIGN_OR_RETURN(const SamplingConfig config,
                           SamplingConfigFromFlags());
  const int64_t num_samples = absl::GetFlag(FLAGS_num_samples);
  if (num_samples < 1 || num_samples > kMaxSamples) {
    return absl::InvalidArgumentError(
        absl::StrCat("--num_samples=", num_samples,
                     ": must be at least 1 and at most ", kMaxSamples));
  }
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(
      const Pretrained model,
      LoadPretrained(*FileSystem::Real(),
                     UserPath(absl::GetFlag(FLAGS_checkpoint)),
                     compute.device));
  CHARRNN_ASSIGN_OR_RETURN(
      const std::vector<int32_t> prompt,
      EncodePrompt(model.vocab, absl::GetFlag(FLAGS_prompt)));
  CHARRNN_LOG(INFO) << "device   " << compute.description;
  const Sampler sampler(model.network.get(), config);
  if (absl::GetFlag(FLAGS_interactive)) return Converse(sampler, model.vocab);
  if (num_samples == 1) return StreamOne(sampler, model.vocab, prompt, 0);
  return WriteMany(sampler, model.vocab, prompt, num_samples, *compute.pool);
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"sample", "Writes text with a trained model, to standard output.",
       /*arguments=*/""},
      charrnn::Sample);
}
