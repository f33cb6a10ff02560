#include "model/stream_states.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace charrnn {
namespace {

constexpr char kDtype[] = "F32";
constexpr char kHidden[] = "hidden";
constexpr char kCell[] = "cell";

bool HasCell(const ModelConfig& config) {
  return config.rnn_type == RnnType::kLstm;
}

TensorView View(const ModelConfig& config, const char* name,
                const std::vector<float>& values) {
  const int64_t row = int64_t{config.num_layers} * config.hidden_dim;
  const int64_t rows = static_cast<int64_t>(values.size()) / row;
  return {name,
          kDtype,
          {config.num_layers, rows, config.hidden_dim},
          absl::string_view(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(float))};
}

absl::StatusOr<std::vector<float>> Take(
    const ModelConfig& config, absl::string_view name,
    const std::vector<TensorView>& tensors) {
  for (const TensorView& tensor : tensors) {
    if (tensor.name != name) continue;
    const std::vector<int64_t>& shape = tensor.shape;
    if (tensor.dtype != kDtype || shape.size() != 3 ||
        shape[0] != config.num_layers || shape[1] < 1 ||
        shape[2] != config.hidden_dim) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", name, "' is no state of the model's"));
    }
    // As many as the shape says, which has been checked.
    std::vector<float> values(tensor.bytes.size() / sizeof(float));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("tensor '", name, "' is missing"));
}

}  // namespace

std::vector<TensorView> StreamTensors(const ModelConfig& config,
                                      const StreamStates& states) {
  std::vector<TensorView> tensors = {View(config, kHidden, states.hidden)};
  if (HasCell(config)) tensors.push_back(View(config, kCell, states.cell));
  return tensors;
}

absl::StatusOr<StreamStates> StreamStatesFromTensors(
    const ModelConfig& config, const std::vector<TensorView>& tensors) {
  StreamStates states;
  CHARRNN_ASSIGN_OR_RETURN(states.hidden, Take(config, kHidden, tensors));
  size_t num_tensors = 1;
  if (HasCell(config)) {
    CHARRNN_ASSIGN_OR_RETURN(states.cell, Take(config, kCell, tensors));
    if (states.cell.size() != states.hidden.size()) {
      return absl::InvalidArgumentError(
          "tensors 'hidden' and 'cell' are not of the same streams");
    }
    ++num_tensors;
  }
  if (tensors.size() != num_tensors) {
    return absl::InvalidArgumentError("it has tensors of other kinds");
  }
  return states;
}

}  // namespace charrnn
