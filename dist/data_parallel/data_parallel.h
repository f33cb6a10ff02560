#ifndef CHARRNN_DIST_DATA_PARALLEL_DATA_PARALLEL_H_
#define CHARRNN_DIST_DATA_PARALLEL_DATA_PARALLEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dist/collective/collective.h"

namespace c10d {
class Reducer;
}  // namespace c10d

namespace charrnn {

// Data parallelism for anybody's module: every process computes the loss of its
// slice of a batch, and all get the gradient of the mean over the whole batch.
// Gradients are summed in buckets while the backward pass still runs, by
// c10d::Reducer, as PyTorch's DistributedDataParallel does; in the order that
// suits the network, so that the last bits depend on how many processes there
// are.
//
//   CHARRNN_ASSIGN_OR_RETURN(
//       auto parallel, DataParallel::Create(group.get(), module->parameters(),
//                                           module->buffers()));
//   for (...) {
//     at::Tensor loss = cross_entropy(module->forward(x), y, Reduction::Sum);
//     CHARRNN_ASSIGN_OR_RETURN(double mean, parallel->Backward(loss,
//     y.numel())); optimizer.step();
//   }
//
// Slices may be of different sizes, since each counts with what it holds. The
// parameters are written in place, and so must the optimizer do: what refers to
// them, such as the flat weights that cuDNN's recurrent layers keep, stays
// current. One thread.
class DataParallel {
 public:
  struct Options {
    // Gradients are sent in buckets of so many bytes, the first one sooner:
    // PyTorch's numbers.
    int64_t bucket_bytes = 25 << 20;
    int64_t first_bucket_bytes = 1 << 20;
  };

  // Makes parameters and buffers those of rank 0, and checks that they have
  // arrived. `parameters` are leaves that require gradients, in the same order
  // in all processes. `collective` is not owned, and outlives this. Possible
  // errors: those of the collective, also if the processes' modules differ in
  // shape; DataLoss if what has arrived differs.
  static absl::StatusOr<std::unique_ptr<DataParallel>> Create(
      Collective* collective, std::vector<at::Tensor> parameters,
      const std::vector<at::Tensor>& buffers, const Options& options);
  static absl::StatusOr<std::unique_ptr<DataParallel>> Create(
      Collective* collective, std::vector<at::Tensor> parameters,
      const std::vector<at::Tensor>& buffers = {});

  ~DataParallel();
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  // Computes each parameter's grad() of the mean loss. `loss_sum` is a scalar,
  // the sum over `count` targets of this process's slice; a slice may be empty
  // only if `loss_sum` still depends on every parameter. Returns the mean over
  // all processes. Possible errors: those of the collective.
  absl::StatusOr<double> Backward(const at::Tensor& loss_sum, int64_t count);

 private:
  DataParallel(Collective* collective, std::vector<at::Tensor> parameters);

  Collective* const collective_;
  const std::vector<at::Tensor> parameters_;
  std::unique_ptr<c10d::Reducer> reducer_;  // null: one process
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_DATA_PARALLEL_DATA_PARALLEL_H_
