#ifndef CHARRNN_MODEL_SAMPLER_H_
#define CHARRNN_MODEL_SAMPLER_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/char_rnn.h"
#include "model/config.h"

namespace charrnn {

// Writes text with a model, one character after another.
//
// What a stream says is a function of (model, config, prompt, stream) alone:
// its random numbers are Philox keyed by (seed, stream, position), and its
// numbers never share an operator's call with another stream's. Safe for use
// by several threads at once.
//
//   Sampler sampler(&model, config);
//   CHARRNN_RETURN_IF_ERROR(sampler.Generate(
//       prompt, /*stream=*/0, [&](int32_t id) {
//         absl::StrAppend(&text, vocab.Symbol(id));
//         return absl::OkStatus();
//       }));
class Sampler {
 public:
  // `config` has passed Validate(). `model` is not owned. A text without a
  // prompt begins with one of `beginnings`; empty: with any symbol.
  Sampler(const CharRnn* model, const SamplingConfig& config,
          std::vector<int32_t> beginnings = {})
      : model_(model), config_(config), beginnings_(std::move(beginnings)) {}

  // Calls `emit` with each of config.max_generate ids, as they come, of the
  // text that follows `prompt`. Without a prompt the first id is drawn
  // uniformly from those that a text may begin with. An error of `emit` ends it
  // and is returned.
  //
  // Possible errors: Internal if the model's output is not finite; those of
  // CatchTorch.
  absl::Status Generate(absl::Span<const int32_t> prompt, int64_t stream,
                        absl::FunctionRef<absl::Status(int32_t)> emit) const;

 private:
  absl::Status GenerateOrThrow(
      absl::Span<const int32_t> prompt, int64_t stream,
      absl::FunctionRef<absl::Status(int32_t)> emit) const;

  // The random number, in [0, 1), of a stream's character.
  double Uniform(int64_t stream, int64_t position) const;

  const CharRnn* model_;
  SamplingConfig config_;
  std::vector<int32_t> beginnings_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_SAMPLER_H_
