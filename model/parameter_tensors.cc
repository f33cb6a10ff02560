#include "model/parameter_tensors.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/parameter_layout.h"
#include "model/safetensors.h"

namespace charrnn {
namespace {

constexpr char kDtype[] = "F32";

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace

std::vector<TensorView> ParameterTensors(const ParameterLayout& layout,
                                         absl::Span<const float> flat,
                                         absl::string_view prefix) {
  std::vector<TensorView> tensors;
  for (const ParameterSpec& spec : layout.parameters()) {
    const auto* begin =
        reinterpret_cast<const char*>(flat.data() + spec.offset);
    tensors.push_back({absl::StrCat(prefix, spec.name), kDtype, spec.shape,
                       absl::string_view(begin, spec.size * sizeof(float))});
  }
  return tensors;
}

absl::StatusOr<std::vector<float>> FlattenTensors(
    const ParameterLayout& layout, const std::vector<TensorView>& tensors,
    absl::string_view prefix) {
  std::map<absl::string_view, const TensorView*> by_name;
  for (const TensorView& tensor : tensors) {
    if (absl::StartsWith(tensor.name, prefix)) by_name[tensor.name] = &tensor;
  }
  if (by_name.size() != layout.parameters().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", by_name.size(), " tensors",
                     prefix.empty() ? "" : absl::StrCat(" named ", prefix, "*"),
                     ", its config wants ", layout.parameters().size()));
  }
  for (const ParameterSpec& spec : layout.parameters()) {
    const std::string name = absl::StrCat(prefix, spec.name);
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", name, "' is missing"));
    }
    const TensorView& tensor = *found->second;
    if (tensor.dtype != kDtype || tensor.shape != spec.shape) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tensor '", name, "' is ", tensor.dtype, ShapeText(tensor.shape),
          ", its config wants ", kDtype, ShapeText(spec.shape)));
    }
  }
  std::vector<float> flat(layout.flat_size());
  for (const ParameterSpec& spec : layout.parameters()) {
    const absl::string_view bytes =
        by_name.at(absl::StrCat(prefix, spec.name))->bytes;
    std::memcpy(flat.data() + spec.offset, bytes.data(), bytes.size());
  }
  return flat;
}

}  // namespace charrnn
