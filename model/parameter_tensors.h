#ifndef CHARRNN_MODEL_PARAMETER_TENSORS_H_
#define CHARRNN_MODEL_PARAMETER_TENSORS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/parameter_layout.h"
#include "model/safetensors.h"

namespace charrnn {

// The parameters in `flat`, [layout.flat_size()], as tensors of type F32 with
// `prefix` before their names, in the layout's order. Their bytes point into
// `flat`.
std::vector<TensorView> ParameterTensors(const ParameterLayout& layout,
                                         absl::Span<const float> flat,
                                         absl::string_view prefix = "");

// The reverse: the tensors that are named with `prefix`, which may come in any
// order, as a flat array of [layout.flat_size()], the gaps 0.
// InvalidArgument, naming the tensor, unless these are exactly the layout's
// parameters, each of its shape and of type F32; nothing is allocated before
// that is known.
absl::StatusOr<std::vector<float>> FlattenTensors(
    const ParameterLayout& layout, const std::vector<TensorView>& tensors,
    absl::string_view prefix = "");

}  // namespace charrnn

#endif  // CHARRNN_MODEL_PARAMETER_TENSORS_H_
