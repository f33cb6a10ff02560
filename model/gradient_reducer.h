#ifndef CHARRNN_MODEL_GRADIENT_REDUCER_H_
#define CHARRNN_MODEL_GRADIENT_REDUCER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/thread_pool.h"
#include "model/grains.h"

namespace charrnn {

// What the grains of one step have computed, or what they add up to.
struct GradientSums {
  // One flat gradient a grain, each [ParameterLayout::flat_size()]; of the
  // loss summed over the grain's targets. On a GPU a single one, of all local
  // grains together. After the reduction, the first one is the sum over the
  // whole global batch and the others are used up.
  std::vector<at::Tensor> gradients;
  // The losses, nats summed over targets, of as many; reduced likewise.
  std::vector<double> losses;
};

// Adds up what grains computed, wherever they were computed. The trainer calls
// it once a step and knows nothing of other processes.
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;

  // Which of the `num_grains` grains of a global batch this process computes.
  virtual IndexRange LocalGrains(int64_t num_grains) const = 0;

  // Sums the local grains, given in order, with those of all other processes.
  // Returns the same sums everywhere, or an error everywhere.
  virtual absl::Status Reduce(GradientSums& sums) = 0;
};

// One process: all grains are its own, summed by the fixed tree.
class LocalReducer : public GradientReducer {
 public:
  // `pool` is not owned and outlives the reducer.
  explicit LocalReducer(ThreadPool* pool) : pool_(pool) {}

  IndexRange LocalGrains(int64_t num_grains) const override {
    return {0, num_grains};
  }
  absl::Status Reduce(GradientSums& sums) override;

 private:
  ThreadPool* pool_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_GRADIENT_REDUCER_H_
