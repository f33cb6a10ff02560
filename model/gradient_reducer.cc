#include "model/gradient_reducer.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/flat_blocks.h"
#include "model/grains.h"
#include "model/loss.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"

namespace charrnn {

absl::StatusOr<GradientSums> GradientReducer::LossAndGradient(const CharRnn&,
                                                              const TextRows&,
                                                              const DropoutKey&,
                                                              RnnState*) {
  return absl::UnimplementedError("it does not overlap");
}

absl::Status LocalReducer::Gather(const at::Tensor& own, at::Tensor& all) {
  return CatchTorch("gathering", [&] { all.copy_(own); });
}

absl::Status LocalReducer::Reduce(int64_t, GradientSums& sums) {
  TreeSum(absl::MakeSpan(sums.losses));
  if (sums.gradients.size() == 1) return absl::OkStatus();
  terms_.clear();
  for (const at::Tensor& gradient : sums.gradients) {
    CHARRNN_CHECK(gradient.is_cpu()) << gradient.device();
    terms_.push_back(gradient.mutable_data_ptr<float>());
  }
  ForEachBlock(
      *pool_, sums.gradients.front().numel(),
      [&](int64_t begin, int64_t end) { TreeSumArrays(terms_, begin, end); });
  return absl::OkStatus();
}

}  // namespace charrnn
