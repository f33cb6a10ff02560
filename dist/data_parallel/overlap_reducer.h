#ifndef CHARRNN_DIST_DATA_PARALLEL_OVERLAP_REDUCER_H_
#define CHARRNN_DIST_DATA_PARALLEL_OVERLAP_REDUCER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/data_parallel/data_parallel.h"
#include "dist/probe.h"
#include "model/char_rnn.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/loss.h"
#include "model/rnn_state.h"

namespace charrnn {

// Each process computes its rows as one batch, and sends gradients while it
// computes others: faster than the invariant reduction, and equal to it within
// float tolerance.
class OverlapReducer : public GradientReducer {
 public:
  // Nothing is owned, everything outlives the reducer.
  OverlapReducer(Collective* collective, Agreement* agreement, Probe probe);
  ~OverlapReducer() override;

  int64_t num_processes() const override { return collective_->world_size(); }
  int64_t process() const override { return collective_->rank(); }
  bool overlaps() const override { return true; }
  absl::StatusOr<GradientSums> LossAndGradient(const CharRnn& model,
                                               const TextRows& text,
                                               const DropoutKey& dropout,
                                               RnnState* state) override;
  absl::Status Reduce(int64_t num_grains, GradientSums& sums) override;
  absl::Status Share(absl::Span<double> values) override;
  absl::Status Gather(const at::Tensor& own, at::Tensor& all) override {
    return collective_->Gather(own, all);
  }

 private:
  Collective* const collective_;
  Agreement* const agreement_;
  const Probe probe_;
  std::vector<at::Tensor> leaves_;  // of the model that is trained
  std::unique_ptr<DataParallel> parallel_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_DATA_PARALLEL_OVERLAP_REDUCER_H_
