#include "model/sampler.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
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

// The random number, in [0, 1), of a stream's character.
double Uniform(uint64_t seed, int64_t stream, int64_t position) {
  const PhiloxBlock random = Philox(
      {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
       static_cast<uint32_t>(stream),
       static_cast<uint32_t>(RandomPurpose::kSampling)},
      seed);
  return ToUnitDouble(random[0], random[1]);
}

}  // namespace

Sampler::Sampler(const CharRnn* model, const SamplingConfig& config,
                 std::vector<int32_t> beginnings,
                 const std::optional<Arithmetic>& kernels)
    : model_(model), config_(config), beginnings_(std::move(beginnings)) {
  if (!kernels.has_value() || !model->device().is_cpu()) return;
  weights_ = std::make_unique<const StepWeights>(
      model->config(), *kernels, model->flat().const_data_ptr<float>());
}

absl::Status Sampler::Generate(
    absl::Span<const int32_t> prompt, int64_t stream,
    absl::FunctionRef<absl::Status(int32_t)> emit) const {
  absl::Status status;
  GenerateBatch(
      prompt, stream, [&](int64_t, int32_t id) { return emit(id); },
      absl::MakeSpan(&status, 1));
  return status;
}

std::vector<absl::Status> Sampler::GenerateMany(
    absl::Span<const int32_t> prompt, int64_t first, int64_t count,
    ThreadPool& pool, Emit emit) const {
  std::vector<absl::Status> statuses(count);
  // As many for each thread, so that none waits for others.
  const int64_t at_once = kStreamsTogether * pool.num_threads();
  const int64_t rounds = (count + at_once - 1) / at_once;
  const int64_t batches = rounds * pool.num_threads();
  pool.ParallelFor(batches, [&](int64_t i) {
    const int64_t begin = i * count / batches;
    const int64_t end = (i + 1) * count / batches;
    if (begin == end) return;
    GenerateBatch(prompt, first + begin, emit,
                  absl::MakeSpan(statuses).subspan(begin, end - begin));
  });
  return statuses;
}

void Sampler::GenerateBatch(absl::Span<const int32_t> prompt, int64_t first,
                            Emit emit,
                            absl::Span<absl::Status> statuses) const {
  if (weights_ != nullptr) {
    // It takes memory, which there may not be.
    const absl::Status thrown = CatchTorch(
        "sampling", [&] { GenerateByKernels(prompt, first, emit, statuses); });
    for (absl::Status& status : statuses) status.Update(thrown);
    return;
  }
  for (absl::Status& status : statuses) {
    const absl::Status thrown = CatchTorch(
        "sampling", [&] { status = GenerateByLibTorch(prompt, first, emit); });
    status.Update(thrown);
    ++first;
  }
}

void Sampler::GenerateByKernels(absl::Span<const int32_t> prompt, int64_t first,
                                Emit emit,
                                absl::Span<absl::Status> statuses) const {
  const auto vocab_size = static_cast<size_t>(model_->config().vocab_size);
  TokenSampler sampler(config_, model_->config().vocab_size);
  StepNetwork network(weights_.get(), static_cast<int64_t>(statuses.size()));
  std::vector<int32_t> last(statuses.size(), 0);
  if (!prompt.empty()) {
    network.Begin(prompt.first(prompt.size() - 1));
    std::fill(last.begin(), last.end(), prompt.back());
  }
  bool goes_on = true;
  for (int64_t position = 0; position < config_.max_generate && goes_on;
       ++position) {
    const bool begins = position == 0 && prompt.empty();
    const float* const logits = begins ? nullptr : network.Step(last);
    goes_on = false;
    for (size_t i = 0; i < statuses.size(); ++i) {
      if (!statuses[i].ok()) continue;
      absl::Span<const float> row;
      if (!begins) {
        row = absl::MakeConstSpan(logits + i * network.logits_stride(),
                                  vocab_size);
      }
      const int64_t stream = first + static_cast<int64_t>(i);
      const auto id = Draw(sampler, row, stream, position);
      statuses[i] = id.ok() ? emit(stream, *id) : id.status();
      if (!statuses[i].ok()) continue;
      last[i] = *id;
      goes_on = true;
    }
  }
}

absl::Status Sampler::GenerateByLibTorch(absl::Span<const int32_t> prompt,
                                         int64_t stream, Emit emit) const {
  TokenSampler sampler(config_, model_->config().vocab_size);
  Reader reader(*model_);
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
