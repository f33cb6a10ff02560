#include "model/gradient_reducer.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/flat_blocks.h"
#include "model/grains.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// The tree over tensors of another device: the same sums, element by element.
struct TensorTerm {
  at::Tensor tensor;
  void operator+=(const TensorTerm& other) { tensor.add_(other.tensor); }
};

absl::Status SumOnDevice(const std::vector<at::Tensor>& gradients) {
  return CatchTorch("adding gradients", [&] {
    std::vector<TensorTerm> terms;
    for (const at::Tensor& gradient : gradients) terms.push_back({gradient});
    TreeSum(absl::MakeSpan(terms));
  });
}

}  // namespace

absl::Status LocalReducer::Reduce(GradientSums& sums) {
  TreeSum(absl::MakeSpan(sums.losses));
  if (!sums.gradients.front().is_cpu()) return SumOnDevice(sums.gradients);
  std::vector<float*> terms;
  for (const at::Tensor& gradient : sums.gradients) {
    terms.push_back(gradient.mutable_data_ptr<float>());
  }
  ForEachBlock(
      *pool_, sums.gradients.front().numel(),
      [&](int64_t begin, int64_t end) { TreeSumArrays(terms, begin, end); });
  return absl::OkStatus();
}

}  // namespace charrnn
