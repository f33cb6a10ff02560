#include "dist/collective/invariant_reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/probe.h"
#include "model/flat_blocks.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// The terms of the tree that are left of `own` once its part of it is done.
std::vector<int64_t> TermsLeft(int64_t num_grains, IndexRange own) {
  std::vector<bool> used(own.size());
  TreeSumWithin(num_grains, own,
                [&](int64_t, int64_t term) { used[term - own.begin] = true; });
  std::vector<int64_t> left;
  for (int64_t i = own.begin; i < own.end; ++i) {
    if (!used[i - own.begin]) left.push_back(i);
  }
  return left;
}

// Keeps `tensor` if it is of that size already.
void Resize(int64_t size, const at::Tensor& like, at::Tensor& tensor) {
  if (tensor.defined() && tensor.numel() == size) return;
  tensor = at::empty({size}, like.options());
}

}  // namespace

InvariantReducer::InvariantReducer(Collective* collective, ThreadPool* pool,
                                   Agreement* agreement, Probe probe)
    : collective_(collective),
      pool_(pool),
      agreement_(agreement),
      probe_(std::move(probe)) {}

absl::Status InvariantReducer::Reduce(int64_t num_grains, GradientSums& sums) {
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "before the collective"));
  std::vector<double> losses(num_grains);
  const IndexRange own = LocalShare(num_grains);
  std::copy(sums.losses.begin(), sums.losses.end(), losses.begin() + own.begin);
  CHARRNN_RETURN_IF_ERROR(agreement_->Agree(absl::MakeSpan(losses)));
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "in the collective"));
  TreeSum(absl::MakeSpan(losses));
  sums.losses = {losses.front()};
  SumWithin(num_grains, sums.gradients);
  if (collective_->world_size() > 1) {
    CHARRNN_RETURN_IF_ERROR(ReduceGradients(num_grains, sums.gradients));
  }
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "after the collective"));
  agreement_->Resume();
  return absl::OkStatus();
}

void InvariantReducer::SumWithin(int64_t num_grains,
                                 const std::vector<at::Tensor>& gradients) {
  const IndexRange own = LocalShare(num_grains);
  const auto for_each_sum = [&](const auto& add) {
    TreeSumWithin(num_grains, own, [&](int64_t sum, int64_t term) {
      add(gradients[sum - own.begin], gradients[term - own.begin]);
    });
  };
  if (!gradients.front().is_cpu()) {
    for_each_sum(
        [](const at::Tensor& sum, const at::Tensor& term) { sum.add_(term); });
    return;
  }
  ForEachBlock(
      *pool_, gradients.front().numel(), [&](int64_t begin, int64_t end) {
        for_each_sum([&](const at::Tensor& sum, const at::Tensor& term) {
          AddArray(term.const_data_ptr<float>(), begin, end,
                   sum.mutable_data_ptr<float>());
        });
      });
}

InvariantReducer::Plan InvariantReducer::MakePlan(int64_t num_grains,
                                                  int64_t size) const {
  const int64_t world_size = collective_->world_size();
  Plan plan;
  // The last pieces may be short, or have nothing.
  plan.piece = (size + world_size - 1) / world_size;
  for (int64_t rank = 0; rank < world_size; ++rank) {
    plan.pieces.push_back({std::min(rank * plan.piece, size),
                           std::min((rank + 1) * plan.piece, size)});
    plan.shares.push_back(GrainRows(num_grains, world_size, rank));
    plan.left.push_back(TermsLeft(num_grains, plan.shares.back()));
  }
  return plan;
}

void InvariantReducer::Pack(const Plan& plan,
                            const std::vector<at::Tensor>& gradients) {
  const int64_t rank = collective_->rank();
  int64_t offset = 0;
  for (const IndexRange& theirs : plan.pieces) {
    for (const int64_t term : plan.left[rank]) {
      to_.narrow(0, offset, theirs.size())
          .copy_(gradients[term - plan.shares[rank].begin].narrow(
              0, theirs.begin, theirs.size()));
      offset += theirs.size();
    }
  }
}

void InvariantReducer::SumAcross(const Plan& plan, int64_t num_grains) {
  const int64_t rank = collective_->rank();
  const int64_t mine = plan.pieces[rank].size();
  std::vector<at::Tensor> terms(num_grains);
  int64_t offset = 0;
  for (const auto& of_rank : plan.left) {
    for (const int64_t term : of_rank) {
      terms[term] = from_.narrow(0, offset, mine);
      offset += mine;
    }
  }
  TreeSumAcross(num_grains, plan.shares, [&](int64_t sum, int64_t term) {
    terms[sum].add_(terms[term]);
  });
  all_.narrow(0, rank * plan.piece, mine).copy_(terms.front());
}

absl::Status InvariantReducer::ReduceGradients(
    int64_t num_grains, std::vector<at::Tensor>& gradients) {
  const int64_t rank = collective_->rank();
  const int64_t size = gradients.front().numel();
  const Plan plan = MakePlan(num_grains, size);
  std::vector<int64_t> to_counts;
  std::vector<int64_t> from_counts;
  int64_t from_size = 0;
  for (size_t r = 0; r < plan.pieces.size(); ++r) {
    to_counts.push_back(static_cast<int64_t>(plan.left[rank].size()) *
                        plan.pieces[r].size());
    from_counts.push_back(static_cast<int64_t>(plan.left[r].size()) *
                          plan.pieces[rank].size());
    from_size += from_counts.back();
  }
  CHARRNN_RETURN_IF_ERROR(CatchTorch("packing gradients", [&] {
    const at::Tensor& like = gradients.front();
    Resize(static_cast<int64_t>(plan.left[rank].size()) * size, like, to_);
    Resize(from_size, like, from_);
    Resize(plan.piece * collective_->world_size(), like, all_);
    Pack(plan, gradients);
  }));
  CHARRNN_RETURN_IF_ERROR(
      collective_->Exchange(to_, to_counts, from_, from_counts));
  at::Tensor own;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("summing gradients", [&] {
    SumAcross(plan, num_grains);
    own = all_.narrow(0, rank * plan.piece, plan.piece).clone();
  }));
  CHARRNN_RETURN_IF_ERROR(collective_->Gather(own, all_));
  return CatchTorch("unpacking gradients",
                    [&] { gradients.front().copy_(all_.narrow(0, 0, size)); });
}

absl::Status InvariantReducer::Share(absl::Span<double> values) {
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "in validation"));
  return collective_->Sum(values);
}

}  // namespace charrnn
