#include "model/train_state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "model/parameter_layout.h"
#include "model/torch_status.h"

namespace charrnn {

absl::StatusOr<TrainState> TrainState::Initial(const ParameterLayout& layout,
                                               uint64_t seed,
                                               const std::string& device) {
  TrainState state;
  const absl::Status drawn = CatchTorch("allocating the model", [&] {
    // Drawn on the CPU, so that every device starts from the same weights.
    at::Tensor flat = at::empty({layout.flat_size()});
    InitializeParameters(layout, seed,
                         absl::MakeSpan(flat.mutable_data_ptr<float>(),
                                        static_cast<size_t>(flat.numel())));
    state.parameters = flat.to(at::Device(device));
    state.exp_avg = at::zeros_like(state.parameters);
    state.exp_avg_sq = at::zeros_like(state.parameters);
  });
  if (absl::IsResourceExhausted(drawn)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(drawn.message(),
                     ": lower --num_layers, --embedding_dim or "
                     "--hidden_dim"));
  }
  CHARRNN_RETURN_IF_ERROR(drawn);
  return state;
}

}  // namespace charrnn
