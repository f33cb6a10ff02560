// Writes text with a trained model.

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/sampling_flags.h"
#include "cmd/text_writer.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/pretrained.h"
#include "model/sampler.h"

ABSL_FLAG(std::string, checkpoint, "runs/latest",
          "What to sample from: a run's folder (its best model), a step's "
          "folder, a .safetensors or a .pt file.");
ABSL_FLAG(std::string, prompt, "",
          "Text to continue; empty: one random character.");
ABSL_FLAG(int64_t, num_samples, 1, "Texts to write.");
ABSL_FLAG(std::string, precision, "fp32",
          "What the fused kernels multiply in: fp32; bf16, faster, where the "
          "CPU has AMX or AVX512-BF16, each with bits of its own; or int8, "
          "fastest, whose probabilities are a little off.");
ABSL_FLAG(bool, interactive, false,
          "Read a prompt from each line of standard input and continue it.");

namespace charrnn {
namespace {

constexpr int64_t kMaxSamples = 1'000'000;

absl::Status Sample(const CommandLine& command_line) {
  CHARRNN_ASSIGN_OR_RETURN(const SamplingConfig config,
                           SamplingConfigFromFlags());
  const int64_t num_samples = absl::GetFlag(FLAGS_num_samples);
  if (num_samples < 1 || num_samples > kMaxSamples) {
    return absl::InvalidArgumentError(
        absl::StrCat("--num_samples=", num_samples,
                     ": must be at least 1 and at most ", kMaxSamples));
  }
  for (const char* flag : {"prompt", "num_samples"}) {
    if (absl::GetFlag(FLAGS_interactive) && command_line.typed.count(flag)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag,
                       ": does not go with --interactive, which reads its "
                       "prompts from standard input: leave one out"));
    }
  }
  const std::string name = absl::GetFlag(FLAGS_precision);
  const auto precision = ParseSamplingPrecision(name);
  if (!precision.ok()) {
    return Annotate(precision.status(), absl::StrCat("--precision=", name));
  }
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<Arithmetic> kernels,
                           KernelsFor(compute.isa, *precision));
  CHARRNN_ASSIGN_OR_RETURN(
      const Pretrained model,
      LoadPretrained(*FileSystem::Real(),
                     UserPath(absl::GetFlag(FLAGS_checkpoint)),
                     compute.device));
  const auto prompt = EncodePrompt(model.vocab, absl::GetFlag(FLAGS_prompt));
  if (!prompt.ok()) return Annotate(prompt.status(), "--prompt");
  CHARRNN_LOG(INFO) << "device   " << Describe(compute, *precision);
  CHARRNN_LOG(INFO) << "model    " << model.description;
  const Sampler sampler(model.network.get(), config, model.vocab.Beginnings(),
                        kernels);
  const TextWriter writer(&sampler, &model.vocab);
  if (absl::GetFlag(FLAGS_interactive)) return writer.Converse(std::cin);
  if (num_samples == 1) return writer.WriteOne(*prompt, /*stream=*/0);
  return writer.WriteMany(*prompt, num_samples, *compute.pool);
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
