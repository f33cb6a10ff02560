#ifndef CHARRNN_MODEL_SAMPLER_H_
#define CHARRNN_MODEL_SAMPLER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/step_network.h"
#include "model/token_sampler.h"

namespace charrnn {

// Writes text with a model, one character after another: by fused kernels on
// the CPU, by LibTorch's operators elsewhere.
//
// What a stream says is a function of (model, config, prompt, stream) and of
// the arithmetic alone: its random numbers are Philox keyed by (seed, stream,
// position), and its numbers do not depend on those of streams beside it. Safe
// for use by several threads at once.
//
//   Sampler sampler(&model, config);
//   CHARRNN_RETURN_IF_ERROR(sampler.Generate(
//       prompt, /*stream=*/0, [&](int32_t id) {
//         absl::StrAppend(&text, vocab.Symbol(id));
//         return absl::OkStatus();
//       }));
class Sampler {
 public:
  // Receives the next id of a stream.
  using Emit = absl::FunctionRef<absl::Status(int64_t stream, int32_t id)>;

  // How many streams a thread has side by side: with more of them the time for
  // each no longer falls (:sampling_benchmark).
  static constexpr int64_t kStreamsTogether = 32;

  // `config` has passed Validate(). `model` is not owned. A text without a
  // prompt begins with one of `beginnings`; empty: with any symbol. `kernels`
  // is how to compute on the CPU, which this machine supports; none: by
  // LibTorch's operators. For kernels the weights are taken as they are now.
  Sampler(const CharRnn* model, const SamplingConfig& config,
          std::vector<int32_t> beginnings = {},
          const std::optional<Arithmetic>& kernels = Arithmetic{BestIsa()});

  const SamplingConfig& config() const { return config_; }

  // Calls `emit` with each of config.max_generate ids, as they come, of the
  // text that follows `prompt`. Without a prompt the first id is drawn
  // uniformly from those that a text may begin with. An error of `emit` ends it
  // and is returned.
  //
  // Possible errors: Internal if the model's output is not finite; those of
  // CatchTorch.
  absl::Status Generate(absl::Span<const int32_t> prompt, int64_t stream,
                        absl::FunctionRef<absl::Status(int32_t)> emit) const;

  // The same for streams [first, first + count), side by side on all threads of
  // `pool`; calls of `emit` for different streams may come at once. What is
  // returned, one for each, is that of Generate: one stream's error leaves the
  // others alone.
  std::vector<absl::Status> GenerateMany(absl::Span<const int32_t> prompt,
                                         int64_t first, int64_t count,
                                         ThreadPool& pool, Emit emit) const;

 private:
  // Streams [first, first + statuses.size()), on this thread.
  void GenerateBatch(absl::Span<const int32_t> prompt, int64_t first, Emit emit,
                     absl::Span<absl::Status> statuses) const;
  void GenerateByKernels(absl::Span<const int32_t> prompt, int64_t first,
                         Emit emit, absl::Span<absl::Status> statuses) const;
  absl::Status GenerateByLibTorch(absl::Span<const int32_t> prompt,
                                  int64_t stream, Emit emit) const;

  // The id of a stream's `position`; no logits: that of a text which begins
  // without a prompt.
  absl::StatusOr<int32_t> Draw(TokenSampler& sampler,
                               absl::Span<const float> logits, int64_t stream,
                               int64_t position) const;

  const CharRnn* model_;
  SamplingConfig config_;
  std::vector<int32_t> beginnings_;
  std::unique_ptr<const StepWeights> weights_;  // null: LibTorch computes
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_SAMPLER_H_
