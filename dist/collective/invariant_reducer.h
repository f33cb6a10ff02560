#ifndef CHARRNN_DIST_COLLECTIVE_INVARIANT_REDUCER_H_
#define CHARRNN_DIST_COLLECTIVE_INVARIANT_REDUCER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/probe.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"

namespace charrnn {

// Sums the grains of all processes by the fixed tree (model/grains.h), so that
// the bits do not depend on how many processes there are.
//
// Each process adds up what it can of the tree within its own run of grains.
// The sums that are left are cut into as many pieces as there are processes;
// each process collects one piece of them from everybody, does the rest of the
// tree on it, and sends it to all. That moves no more bytes than a ring would.
class InvariantReducer : public GradientReducer {
 public:
  // Nothing is owned, everything outlives the reducer. `agreement` is told what
  // is agreed upon in each reduction.
  InvariantReducer(Collective* collective, ThreadPool* pool,
                   Agreement* agreement, Probe probe = nullptr);

  int64_t num_processes() const override { return collective_->world_size(); }
  int64_t process() const override { return collective_->rank(); }
  absl::Status Reduce(int64_t num_grains, GradientSums& sums) override;
  absl::Status Share(absl::Span<double> values) override;
  absl::Status Gather(const at::Tensor& own, at::Tensor& all) override {
    return collective_->Gather(own, all);
  }

 private:
  // Who does which part of the tree, and of the array.
  struct Plan {
    int64_t piece = 0;                       // elements of a whole piece
    std::vector<IndexRange> pieces;          // by rank
    std::vector<IndexRange> shares;          // of the grains, by rank
    std::vector<std::vector<int64_t>> left;  // terms after that, by rank
  };

  Plan MakePlan(int64_t num_grains, int64_t size) const;
  // These throw what LibTorch throws.
  void Pack(const Plan& plan, const std::vector<at::Tensor>& gradients);
  void SumAcross(const Plan& plan, int64_t num_grains);
  absl::Status ReduceGradients(int64_t num_grains,
                               std::vector<at::Tensor>& gradients);
  // Adds up the parts of the tree that lie within this process's share.
  void SumWithin(int64_t num_grains, const std::vector<at::Tensor>& gradients);

  Collective* const collective_;
  ThreadPool* const pool_;
  Agreement* const agreement_;
  const Probe probe_;
  // Kept from step to step: what is sent, received, and collected.
  at::Tensor to_;
  at::Tensor from_;
  at::Tensor all_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COLLECTIVE_INVARIANT_REDUCER_H_
