#include "dist/data_parallel/data_parallel.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "dist/collective/collective.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

uint32_t Checksum(const std::vector<at::Tensor>& tensors) {
  uint32_t crc = 0;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor values = tensor.detach().cpu().contiguous();
    crc = ExtendCrc32c(
        crc,
        absl::string_view(static_cast<const char*>(values.const_data_ptr()),
                          values.nbytes()));
  }
  return crc;
}

// Makes `tensors` those of rank 0, and sees whether they are.
absl::Status TakeOver(Collective& collective,
                      const std::vector<at::Tensor>& tensors) {
  const c10::NoGradGuard no_gradients;
  for (const at::Tensor& tensor : tensors) {
    at::Tensor values;
    CHARRNN_RETURN_IF_ERROR(CatchTorch("copying a parameter", [&] {
      values = tensor.detach().contiguous().clone();
    }));
    CHARRNN_RETURN_IF_ERROR(collective.Broadcast(values, 0));
    CHARRNN_RETURN_IF_ERROR(
        CatchTorch("copying a parameter", [&] { tensor.copy_(values); }));
  }
  uint32_t checksum = 0;
  CHARRNN_RETURN_IF_ERROR(
      CatchTorch("checking parameters", [&] { checksum = Checksum(tensors); }));
  std::vector<double> checksums(collective.world_size());
  checksums[collective.rank()] = checksum;
  CHARRNN_RETURN_IF_ERROR(collective.Sum(absl::MakeSpan(checksums)));
  for (const double other : checksums) {
    if (other != checksums.front()) {
      return absl::DataLossError(
          "the parameters of rank 0 have not arrived as they were");
    }
  }
  return absl::OkStatus();
}

}  // namespace

DataParallel::DataParallel(Collective* collective,
                           std::vector<at::Tensor> parameters)
    : collective_(collective), parameters_(std::move(parameters)) {}

DataParallel::~DataParallel() = default;

absl::StatusOr<std::unique_ptr<DataParallel>> DataParallel::Create(
    Collective* collective, std::vector<at::Tensor> parameters,
    const std::vector<at::Tensor>& buffers) {
  return Create(collective, std::move(parameters), buffers, Options());
}

absl::StatusOr<std::unique_ptr<DataParallel>> DataParallel::Create(
    Collective* collective, std::vector<at::Tensor> parameters,
    const std::vector<at::Tensor>& buffers, const Options& options) {
  std::unique_ptr<DataParallel> parallel(
      new DataParallel(collective, std::move(parameters)));
  if (collective->world_size() == 1) return parallel;
  std::vector<at::Tensor> all = parallel->parameters_;
  all.insert(all.end(), buffers.begin(), buffers.end());
  CHARRNN_RETURN_IF_ERROR(TakeOver(*collective, all));
  CHARRNN_RETURN_IF_ERROR(CatchTorch("preparing to share gradients", [&] {
    const std::vector<at::Tensor>& ours = parallel->parameters_;
    const std::vector<bool> sparse(ours.size(), false);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        ours,
        {static_cast<size_t>(options.first_bucket_bytes),
         static_cast<size_t>(options.bucket_bytes)},
        sparse);
    // Gradients come in about the reverse order of the parameters.
    std::reverse(buckets.begin(), buckets.end());
    parallel->reducer_ = std::make_unique<c10d::Reducer>(
        ours, buckets, collective->process_group(), sparse,
        options.bucket_bytes, /*find_unused_parameters=*/false,
        /*gradient_as_bucket_view=*/false,
        /*param_names=*/std::unordered_map<size_t, std::string>(),
        options.first_bucket_bytes,
        /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
        /*bucket_bytes_cap_list=*/std::vector<int64_t>());
  }));
  return parallel;
}

absl::StatusOr<double> DataParallel::Backward(const at::Tensor& loss_sum,
                                              int64_t count) {
  std::array<double, 2> totals = {0, static_cast<double>(count)};
  CHARRNN_RETURN_IF_ERROR(CatchTorch(
      "reading the loss", [&] { totals[0] = loss_sum.item<double>(); }));
  CHARRNN_RETURN_IF_ERROR(collective_->Sum(absl::MakeSpan(totals)));
  const absl::Status status = CatchTorch("sharing gradients", [&] {
    for (const at::Tensor& parameter : parameters_) {
      // In place: the buckets' copies go by what is there.
      if (parameter.grad().defined()) parameter.mutable_grad().zero_();
    }
    if (reducer_ != nullptr) {
      reducer_->prepare_for_forward();
      reducer_->prepare_for_backward({});
    }
    // The reducer takes the mean over processes.
    torch::autograd::backward(
        {loss_sum * (collective_->world_size() / totals[1])});
  });
  if (absl::IsInternal(status)) {
    return absl::UnavailableError(status.message());
  }
  CHARRNN_RETURN_IF_ERROR(status);
  return totals[0] / totals[1];
}

}  // namespace charrnn
