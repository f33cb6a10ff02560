#include "model/gradient_reducer.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/device_math.h"
#include "model/flat_blocks.h"
#include "model/grains.h"
#include "model/torch_status.h"

namespace charrnn {

absl::Status LocalReducer::Reduce(GradientSums& sums) {
  TreeSum(absl::MakeSpan(sums.losses));
  if (!sums.gradients.front().is_cpu()) {
    return CatchTorch("adding gradients",
                      [&] { TreeSumTensors(sums.gradients); });
  }
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
