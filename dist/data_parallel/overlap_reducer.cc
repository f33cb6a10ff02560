#include "dist/data_parallel/overlap_reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/data_parallel/data_parallel.h"
#include "dist/probe.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/loss.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"

namespace charrnn {

OverlapReducer::OverlapReducer(Collective* collective, Agreement* agreement,
                               Probe probe)
    : collective_(collective),
      agreement_(agreement),
      probe_(std::move(probe)) {}

OverlapReducer::~OverlapReducer() = default;

absl::StatusOr<GradientSums> OverlapReducer::LossAndGradient(
    const CharRnn& model, const TextRows& text, const DropoutKey& dropout,
    RnnState* state) {
  if (parallel_ == nullptr) {
    CHARRNN_RETURN_IF_ERROR(CatchTorch("preparing to share gradients",
                                       [&] { leaves_ = model.Leaves(); }));
    CHARRNN_ASSIGN_OR_RETURN(parallel_,
                             DataParallel::Create(collective_, leaves_));
  }
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "before the collective"));
  at::Tensor loss;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("computing the loss", [&] {
    loss = SummedLoss(model, leaves_, text, &dropout, state);
  }));
  std::vector<double> losses(collective_->world_size());
  CHARRNN_RETURN_IF_ERROR(CatchTorch("reading the loss", [&] {
    losses[collective_->rank()] = loss.item<double>();
  }));
  CHARRNN_RETURN_IF_ERROR(agreement_->Agree(absl::MakeSpan(losses)));
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "in the collective"));
  CHARRNN_RETURN_IF_ERROR(
      parallel_->Backward(loss, text.rows * text.seq_len).status());
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "after the collective"));
  GradientSums sums;
  TreeSum(absl::MakeSpan(losses));
  sums.losses = {losses.front()};
  CHARRNN_RETURN_IF_ERROR(CatchTorch("collecting gradients", [&] {
    at::Tensor flat =
        at::zeros({model.layout().flat_size()}, model.flat().options());
    const absl::Span<const ParameterSpec> specs = model.layout().parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      flat.narrow(0, specs[i].offset, specs[i].size)
          .copy_(leaves_[i].grad().reshape({-1}));
    }
    sums.gradients.push_back(std::move(flat));
  }));
  sums.is_mean = true;
  agreement_->Resume();
  return sums;
}

absl::Status OverlapReducer::Reduce(int64_t, GradientSums&) {
  CHARRNN_CHECK(false) << "the gradients are reduced as they are computed";
  return absl::OkStatus();
}

absl::Status OverlapReducer::Share(absl::Span<double> values) {
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "in validation"));
  return collective_->Sum(values);
}

}  // namespace charrnn
