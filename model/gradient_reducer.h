#ifndef CHARRNN_MODEL_GRADIENT_REDUCER_H_
#define CHARRNN_MODEL_GRADIENT_REDUCER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/grains.h"
#include "model/loss.h"
#include "model/rnn_state.h"

namespace charrnn {

// What the grains of one step have computed, or what they add up to.
struct GradientSums {
  // One flat gradient a grain, each [ParameterLayout::flat_size()]; of the
  // loss summed over the grain's targets. After the reduction, the first one is
  // the sum over the whole global batch and the others are used up.
  std::vector<at::Tensor> gradients;
  // The losses, nats summed over targets, of as many; reduced likewise.
  std::vector<double> losses;
  // Whether the reduced gradient is that of the mean loss, not of the sum.
  bool is_mean = false;
};

// Adds up what was computed, wherever it was computed. The trainer calls it
// once a step and knows nothing of other processes. All processes make the same
// calls in the same order; an error of one of them is an error of all, sooner
// or later, and after it only the destructor may be called.
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;

  // How many processes there are.
  virtual int64_t num_processes() const = 0;

  // Which of them this is: a number in [0, num_processes()).
  virtual int64_t process() const = 0;

  // Which of `count` pieces of work, such as grains, are those of `process`,
  // and of this one.
  IndexRange ShareOf(int64_t process, int64_t count) const {
    return GrainRows(count, num_processes(), process);
  }
  IndexRange LocalShare(int64_t count) const {
    return ShareOf(process(), count);
  }

  // Whether gradients are reduced while others are still computed: then this
  // computes those of the local rows, a share of the batch, and returns the
  // reduced ones; and there is no Reduce(). `state` is as for Loss().
  virtual bool overlaps() const { return false; }
  virtual absl::StatusOr<GradientSums> LossAndGradient(const CharRnn& model,
                                                       const TextRows& text,
                                                       const DropoutKey& key,
                                                       RnnState* state);

  // Sums those of `num_grains` grains that are this process's share, given in
  // order, with those of all others. Returns the same sums everywhere.
  virtual absl::Status Reduce(int64_t num_grains, GradientSums& sums) = 0;

  // Of `values` each process has those of its share; afterwards all have all.
  virtual absl::Status Share(absl::Span<double> values) = 0;

  // Makes `all`, [num_processes() * n], the tensors [n] of all, in order.
  virtual absl::Status Gather(const at::Tensor& own, at::Tensor& all) = 0;
};

// One process: all grains are its own, summed by the fixed tree.
class LocalReducer : public GradientReducer {
 public:
  // `pool` is not owned and outlives the reducer.
  explicit LocalReducer(ThreadPool* pool) : pool_(pool) {}

  int64_t num_processes() const override { return 1; }
  int64_t process() const override { return 0; }
  absl::Status Reduce(int64_t num_grains, GradientSums& sums) override;
  absl::Status Share(absl::Span<double>) override { return absl::OkStatus(); }
  absl::Status Gather(const at::Tensor& own, at::Tensor& all) override;

 private:
  ThreadPool* pool_;
  std::vector<float*> terms_;  // of a call
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_GRADIENT_REDUCER_H_
