// Samples as `sample` does, with its flags, in the turns that standard input
// gives it (turns.h). A step is --max_generate characters of each of --streams
// texts.

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/sampling_flags.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/pretrained.h"
#include "model/sampler.h"
#include "testing/pytorch_comparison/turns.h"

ABSL_FLAG(std::string, checkpoint, "runs/latest", "What to sample from.");
ABSL_FLAG(int64_t, streams, 1, "Texts at once.");
ABSL_FLAG(std::string, precision, "fp32", "fp32, bf16 or int8.");

namespace charrnn {
namespace {

// One character after another of `streams` texts, the first of which is number
// `first`, on all threads of `pool`.
absl::Status SampleTexts(const Sampler& sampler, int64_t first, int64_t streams,
                         ThreadPool& pool) {
  for (const absl::Status& status : sampler.GenerateMany(
           /*prompt=*/{}, first, streams, pool,
           [](int64_t, int32_t) { return absl::OkStatus(); })) {
    CHARRNN_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status SampleInTurns(const CommandLine&) {
  CHARRNN_ASSIGN_OR_RETURN(const SamplingConfig config,
                           SamplingConfigFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(
      const Pretrained model,
      LoadPretrained(*FileSystem::Real(),
                     UserPath(absl::GetFlag(FLAGS_checkpoint)),
                     compute.device));
  CHARRNN_ASSIGN_OR_RETURN(
      const Precision precision,
      ParseSamplingPrecision(absl::GetFlag(FLAGS_precision)));
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<Arithmetic> kernels,
                           KernelsFor(compute.isa, precision));
  const Sampler sampler(model.network.get(), config, model.vocab.Beginnings(),
                        kernels);
  const int64_t streams = absl::GetFlag(FLAGS_streams);
  Turns turns(Clock::Real(), &std::cin, &std::cout);
  int64_t first = 0;
  for (bool more = turns.Begin(); more; more = turns.StepDone()) {
    CHARRNN_RETURN_IF_ERROR(
        SampleTexts(sampler, first, streams, *compute.pool));
    first += streams;
  }
  return turns.status();
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"sampling_step", "Samples in turns that standard input gives.",
       /*arguments=*/""},
      charrnn::SampleInTurns);
}
