#include "model/sampler.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "model/char_rnn.h"
#include "model/rnn_state.h"
#include "model/token_sampler.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// A model in the middle of a text.
class Reader {
 public:
  explicit Reader(const CharRnn& model)
      : model_(model),
        weights_(model.Weights()),
        state_(model.ZeroState(/*rows=*/1)) {}

  // Reads `ids`, at least one, and returns the logits [V] of what follows,
  // valid until the next call.
  absl::Span<const float> Read(absl::Span<const int32_t> ids) {
    const c10::InferenceMode no_gradients;
    const std::vector<int64_t> wide(ids.begin(), ids.end());
    const at::Tensor input =
        at::tensor(wide, at::kLong).unsqueeze(0).to(model_.device());
    const at::Tensor logits = model_.Forward(weights_, input, nullptr, &state_);
    last_ = logits.select(1, logits.size(1) - 1)
                .flatten()
                .to(at::kCPU)
                .contiguous();
    return absl::MakeConstSpan(last_.const_data_ptr<float>(),
                               static_cast<size_t>(last_.numel()));
  }

 private:
  const CharRnn& model_;
  const std::vector<at::Tensor> weights_;
  RnnState state_;
  at::Tensor last_;  // owns what Read returns
};

}  // namespace

double Sampler::Uniform(int64_t stream, int64_t position) const {
  const PhiloxBlock random = Philox(
      {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
       static_cast<uint32_t>(stream),
       static_cast<uint32_t>(RandomPurpose::kSampling)},
      config_.seed);
  return ToUnitDouble(random[0], random[1]);
}

absl::Status Sampler::Generate(
    absl::Span<const int32_t> prompt, int64_t stream,
    absl::FunctionRef<absl::Status(int32_t)> emit) const {
  absl::Status status;
  CHARRNN_RETURN_IF_ERROR(CatchTorch(
      "sampling", [&] { status = GenerateOrThrow(prompt, stream, emit); }));
  return status;
}

absl::Status Sampler::GenerateOrThrow(
    absl::Span<const int32_t> prompt, int64_t stream,
    absl::FunctionRef<absl::Status(int32_t)> emit) const {
  const int vocab_size = model_->config().vocab_size;
  TokenSampler sampler(config_, vocab_size);
  Reader reader(*model_);
  absl::Span<const int32_t> next = prompt;
  int32_t last = 0;
  for (int64_t position = 0; position < config_.max_generate; ++position) {
    const double u = Uniform(stream, position);
    if (next.empty()) {
      last = beginnings_.empty()
                 ? static_cast<int32_t>(u * vocab_size)
                 : beginnings_[static_cast<size_t>(
                       u * static_cast<double>(beginnings_.size()))];
    } else {
      CHARRNN_ASSIGN_OR_RETURN(last, sampler.Sample(reader.Read(next), u));
    }
    CHARRNN_RETURN_IF_ERROR(emit(last));
    next = absl::MakeConstSpan(&last, 1);
  }
  return absl::OkStatus();
}

}  // namespace charrnn
