#include "dist/collective/invariant_reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
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

IndexRange InvariantReducer::LocalShare(int64_t count) const {
  return GrainRows(count, collective_->world_size(), collective_->rank());
}

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

absl::Status InvariantReducer::ReduceGradients(
    int64_t num_grains, std::vector<at::Tensor>& gradients) {
  const int64_t world_size = collective_->world_size();
  const int64_t rank = collective_->rank();
  const int64_t size = gradients.front().numel();
  // The last pieces may be short, or have nothing.
  const int64_t piece = (size + world_size - 1) / world_size;
  const auto piece_of = [&](int64_t owner) {
    return IndexRange{std::min(owner * piece, size),
                      std::min((owner + 1) * piece, size)};
  };
  std::vector<IndexRange> shares;
  std::vector<std::vector<int64_t>> left;
  for (int64_t r = 0; r < world_size; ++r) {
    shares.push_back(GrainRows(num_grains, world_size, r));
    left.push_back(TermsLeft(num_grains, shares.back()));
  }
  const IndexRange mine = piece_of(rank);

  std::vector<int64_t> to_counts;
  std::vector<int64_t> from_counts;
  for (int64_t r = 0; r < world_size; ++r) {
    to_counts.push_back(static_cast<int64_t>(left[rank].size()) *
                        piece_of(r).size());
    from_counts.push_back(static_cast<int64_t>(left[r].size()) * mine.size());
  }
  CHARRNN_RETURN_IF_ERROR(CatchTorch("packing gradients", [&] {
    const at::Tensor& like = gradients.front();
    Resize(static_cast<int64_t>(left[rank].size()) * size, like, to_);
    int64_t from_size = 0;
    for (const int64_t count : from_counts) from_size += count;
    Resize(from_size, like, from_);
    Resize(piece * world_size, like, all_);
    int64_t offset = 0;
    for (int64_t r = 0; r < world_size; ++r) {
      const IndexRange theirs = piece_of(r);
      for (const int64_t term : left[rank]) {
        to_.narrow(0, offset, theirs.size())
            .copy_(gradients[term - shares[rank].begin].narrow(0, theirs.begin,
                                                               theirs.size()));
        offset += theirs.size();
      }
    }
  }));
  CHARRNN_RETURN_IF_ERROR(
      collective_->Exchange(to_, to_counts, from_, from_counts));
  CHARRNN_RETURN_IF_ERROR(CatchTorch("summing gradients", [&] {
    std::vector<at::Tensor> terms(num_grains);
    int64_t offset = 0;
    for (const auto& of_rank : left) {
      for (const int64_t term : of_rank) {
        terms[term] = from_.narrow(0, offset, mine.size());
        offset += mine.size();
      }
    }
    TreeSumAcross(num_grains, shares, [&](int64_t sum, int64_t term) {
      terms[sum].add_(terms[term]);
    });
    all_.narrow(0, rank * piece, mine.size()).copy_(terms.front());
  }));
  const at::Tensor own = all_.narrow(0, rank * piece, piece);
  CHARRNN_RETURN_IF_ERROR(collective_->Gather(own.clone(), all_));
  return CatchTorch("unpacking gradients",
                    [&] { gradients.front().copy_(all_.narrow(0, 0, size)); });
}

absl::Status InvariantReducer::Share(absl::Span<double> values) {
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe_, "in validation"));
  return collective_->Sum(values);
}

}  // namespace charrnn
