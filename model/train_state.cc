#include "model/train_state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "data/vocab.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

at::Tensor ToTensor(absl::Span<const float> values, const std::string& device) {
  const at::Tensor tensor = at::empty({static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<float>());
  return tensor.to(at::Device(device));
}

// [L, B, H] of the sizes that `config` has.
at::Tensor ToStates(const std::vector<float>& values, const ModelConfig& config,
                    const std::string& device) {
  if (values.empty()) return {};
  return ToTensor(values, device)
      .view({config.num_layers, -1, config.hidden_dim});
}

std::vector<float> ToVector(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const at::Tensor values = tensor.to(at::kCPU).contiguous();
  const auto* begin = values.const_data_ptr<float>();
  return {begin, begin + values.numel()};
}

}  // namespace

absl::StatusOr<TrainState> TrainState::Initial(const ParameterLayout& layout,
                                               uint64_t seed,
                                               const std::string& device) {
  std::vector<float> parameters;
  const absl::Status drawn = CatchTorch("allocating the model", [&] {
    // Drawn on the CPU, so that every device starts from the same weights.
    parameters.resize(layout.flat_size());
    InitializeParameters(layout, seed, absl::MakeSpan(parameters));
  });
  absl::StatusOr<TrainState> state = drawn.ok()
                                         ? FromParameters(parameters, device)
                                         : absl::StatusOr<TrainState>(drawn);
  if (absl::IsResourceExhausted(state.status())) {
    return absl::ResourceExhaustedError(
        absl::StrCat(state.status().message(),
                     ": lower --num_layers, --embedding_dim or "
                     "--hidden_dim"));
  }
  return state;
}

absl::StatusOr<TrainState> TrainState::FromParameters(
    absl::Span<const float> parameters, const std::string& device) {
  TrainState state;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("allocating the model", [&] {
    state.parameters = ToTensor(parameters, device);
    state.exp_avg = at::zeros_like(state.parameters);
    state.exp_avg_sq = at::zeros_like(state.parameters);
  }));
  return state;
}

absl::StatusOr<TrainState> TrainState::FromCheckpoint(
    const Checkpoint& checkpoint, const std::string& device) {
  TrainState state;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("allocating the model", [&] {
    state.parameters = ToTensor(checkpoint.model.parameters, device);
    state.exp_avg = ToTensor(checkpoint.exp_avg, device);
    state.exp_avg_sq = ToTensor(checkpoint.exp_avg_sq, device);
    const ModelConfig& config = checkpoint.model.config;
    state.streams.hidden = ToStates(checkpoint.streams.hidden, config, device);
    state.streams.cell = ToStates(checkpoint.streams.cell, config, device);
  }));
  state.progress = checkpoint.progress;
  return state;
}

absl::StatusOr<Checkpoint> TrainState::ToCheckpoint(const ModelConfig& config,
                                                    const DataConfig& data,
                                                    const Vocab& vocab) const {
  Checkpoint checkpoint = {{config, data, vocab, {}}, {}, {}, progress, {}};
  CHARRNN_RETURN_IF_ERROR(CatchTorch("copying the model", [&] {
    checkpoint.model.parameters = ToVector(parameters);
    checkpoint.exp_avg = ToVector(exp_avg);
    checkpoint.exp_avg_sq = ToVector(exp_avg_sq);
    checkpoint.streams.hidden = ToVector(streams.hidden);
    checkpoint.streams.cell = ToVector(streams.cell);
  }));
  return checkpoint;
}

}  // namespace charrnn
