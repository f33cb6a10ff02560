#include "model/sampler.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/step_network.h"
#include "model/rnn_state.h"
#include "model/token_sampler.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// A model in the middle of a text.
class PlainReader {
 public:
  explicit PlainReader(const CharRnn& model)
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

// The random number, in [0, 1), of a stream's character.
double Uniform(uint64_t seed, int64_t stream, int64_t position) {
  const PhiloxBlock random = Philox(
      {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
       static_cast<uint32_t>(stream),
       static_cast<uint32_t>(RandomPurpose::kSampling)},
      seed);
  return ToUnitDouble(random[0], random[1]);
}

std::unique_ptr<const StepWeights> TakeWeights(const CharRnn& model,
                                               const Arithmetic& arithmetic) {
  if (!model.device().is_cpu()) return nullptr;
  return std::make_unique<const StepWeights>(
      model.config(), arithmetic, model.flat().const_data_ptr<float>());
}

}  // namespace

Sampler::Sampler(const CharRnn* model, const SamplingConfig& config,
                 std::vector<int32_t> beginnings,
                 std::unique_ptr<const StepWeights> weights)
    : model_(model),
      config_(config),
      beginnings_(std::move(beginnings)),
      weights_(std::move(weights)) {}

Sampler::Sampler(const CharRnn* model, const SamplingConfig& config,
                 std::vector<int32_t> beginnings, const Arithmetic& arithmetic)
    : Sampler(model, config, std::move(beginnings),
              TakeWeights(*model, arithmetic)) {}

Sampler Sampler::Plain(const CharRnn* model, const SamplingConfig& config,
                       std::vector<int32_t> beginnings) {
  return Sampler(model, config, std::move(beginnings), nullptr);
}

absl::Status Sampler::Generate(
    absl::Span<const int32_t> prompt, int64_t stream,
    absl::FunctionRef<absl::Status(int32_t)> emit) const {
  return GenerateMany(prompt, stream, 1,
                      [&](int64_t, int32_t id) { return emit(id); })
      .front();
}

std::vector<absl::Status> Sampler::GenerateMany(
    absl::Span<const int32_t> prompt, int64_t first, int64_t count,
    Emit emit) const {
  if (weights_ != nullptr) return GenerateByKernels(prompt, first, count, emit);
  std::vector<absl::Status> statuses(count);
  for (int64_t i = 0; i < count; ++i) {
    absl::Status& status = statuses[i];
    const absl::Status caught = CatchTorch(
        "sampling", [&] { status = GeneratePlainly(prompt, first + i, emit); });
    status.Update(caught);
  }
  return statuses;
}

std::vector<absl::Status> Sampler::GenerateByKernels(
    absl::Span<const int32_t> prompt, int64_t first, int64_t count,
    Emit emit) const {
  const int vocab_size = model_->config().vocab_size;
  std::vector<absl::Status> statuses(count);
  std::vector<int32_t> last(count, 0);
  TokenSampler sampler(config_, vocab_size);
  StepNetwork network(weights_.get(), count);
  if (!prompt.empty()) {
    network.Begin(prompt.first(prompt.size() - 1));
    std::fill(last.begin(), last.end(), prompt.back());
  }
  for (int64_t position = 0; position < config_.max_generate; ++position) {
    const bool begins = position == 0 && prompt.empty();
    const float* logits = begins ? nullptr : network.Step(last);
    bool any = false;
    for (int64_t i = 0; i < count; ++i) {
      if (!statuses[i].ok()) continue;
      absl::Span<const float> row;
      if (!begins) {
        row = absl::MakeConstSpan(logits + i * network.logits_stride(),
                                  static_cast<size_t>(vocab_size));
      }
      const absl::StatusOr<int32_t> id =
          Draw(sampler, row, first + i, position);
      statuses[i] = id.ok() ? emit(first + i, *id) : id.status();
      if (!statuses[i].ok()) continue;
      last[i] = *id;
      any = true;
    }
    if (!any) break;
  }
  return statuses;
}

absl::Status Sampler::GeneratePlainly(absl::Span<const int32_t> prompt,
                                      int64_t stream, Emit emit) const {
  TokenSampler sampler(config_, model_->config().vocab_size);
  PlainReader reader(*model_);
  absl::Span<const int32_t> next = prompt;
  int32_t last = 0;
  for (int64_t position = 0; position < config_.max_generate; ++position) {
    const absl::Span<const float> logits =
        next.empty() ? absl::Span<const float>() : reader.Read(next);
    CHARRNN_ASSIGN_OR_RETURN(last, Draw(sampler, logits, stream, position));
    CHARRNN_RETURN_IF_ERROR(emit(stream, last));
    next = absl::MakeConstSpan(&last, 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<int32_t> Sampler::Draw(TokenSampler& sampler,
                                      absl::Span<const float> logits,
                                      int64_t stream, int64_t position) const {
  const double u = Uniform(config_.seed, stream, position);
  if (!logits.empty()) return sampler.Sample(logits, u);
  if (beginnings_.empty()) {
    return static_cast<int32_t>(u * model_->config().vocab_size);
  }
  return beginnings_[static_cast<size_t>(
      u * static_cast<double>(beginnings_.size()))];
}

}  // namespace charrnn
