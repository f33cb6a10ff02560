#include "dist/collective/collective.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "dist/collective/nccl_backend.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

constexpr char kGloo[] = "gloo";
constexpr char kNccl[] = "nccl";

// An error of c10d's says that another process is gone or late.
absl::Status CatchOthers(absl::string_view what, absl::FunctionRef<void()> f) {
  absl::Status status = CatchTorch(what, f);
  if (absl::IsInternal(status)) {
    return absl::UnavailableError(status.message());
  }
  return status;
}

c10::intrusive_ptr<c10d::Backend> MakeGloo(
    const c10::intrusive_ptr<c10d::Store>& store,
    const Collective::Options& options) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(
      absl::ToChronoMilliseconds(options.timeout));
  gloo->devices.push_back(
      options.address.empty()
          ? c10d::ProcessGroupGloo::createDefaultDevice()
          : c10d::ProcessGroupGloo::createDeviceForHostname(options.address));
  // One call at a time is under way.
  gloo->threads = 1;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(
      store, options.rank, options.world_size, std::move(gloo));
}

Collective::Options WithBackend(Collective::Options options) {
  if (options.backend.empty()) {
    options.backend = options.device == "cpu" ? kGloo : kNccl;
  }
  return options;
}

// What the group's first process uses, which has to be what all use: they would
// wait for one another in vain.
std::string AgreeOnBackend(c10d::Store& store,
                           const Collective::Options& options) {
  constexpr char kKey[] = "backend";
  if (options.rank == 0) {
    store.set(kKey, std::vector<uint8_t>(options.backend.begin(),
                                         options.backend.end()));
    return options.backend;
  }
  const std::vector<uint8_t> theirs = store.get(kKey);
  return {theirs.begin(), theirs.end()};
}

}  // namespace

struct Collective::Peers {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
};

Collective::Collective(const Options& options)
    : options_(WithBackend(options)) {}

absl::StatusOr<std::unique_ptr<Collective>> Collective::Create(
    c10::intrusive_ptr<c10d::Store> store, const Options& options) {
  // c10d's flight recorder notes each call's stack in a table of the process,
  // which groups on two threads would break.
  static const int recorder_is_off =
      setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/0);
  (void)recorder_is_off;
  std::unique_ptr<Collective> group(new Collective(options));
  if (options.world_size == 1) return group;
  auto peers = std::make_unique<Peers>();
  peers->store = std::move(store);
  std::string others = group->options_.backend;
  CHARRNN_RETURN_IF_ERROR(CatchOthers("meeting the other workers", [&] {
    peers->store->setTimeout(absl::ToChronoMilliseconds(options.timeout));
    others = AgreeOnBackend(*peers->store, group->options_);
    if (others != group->options_.backend) return;
    peers->backend =
        others == kNccl
            ? MakeNcclBackend(peers->store, options.rank, options.world_size,
                              options.timeout, options.device)
            : MakeGloo(peers->store, options);
  }));
  if (peers->backend == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--backend: this worker's is ", group->options_.backend,
        ", and that of the first is ", others, ": give all hosts the same"));
  }
  group->peers_ = std::move(peers);
  return group;
}

Collective::~Collective() {
  if (peers_ == nullptr) return;
  Abort();
  CatchOthers("leaving the other workers", [&] {
    peers_.reset();
  }).IgnoreError();
}

void Collective::Abort() {
  // gloo's pairs hear of a dead process by themselves.
  if (peers_ == nullptr || options_.backend != kNccl) return;
  CatchOthers("leaving the other workers", [&] {
    peers_->backend->abort();
  }).IgnoreError();
}

std::chrono::milliseconds Collective::Timeout() {
  const absl::Duration timeout = options_.timeout + more_;
  more_ = absl::ZeroDuration();
  return absl::ToChronoMilliseconds(timeout);
}

absl::Status Collective::Sum(absl::Span<double> values) {
  if (peers_ == nullptr) return absl::OkStatus();
  at::Tensor tensor;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("copying numbers", [&] {
    tensor = at::from_blob(values.data(), {static_cast<int64_t>(values.size())},
                           at::kDouble)
                 .to(at::Device(options_.device));
  }));
  CHARRNN_RETURN_IF_ERROR(Sum(tensor));
  return CatchTorch("copying numbers", [&] {
    const at::Tensor sums = tensor.cpu();
    std::copy_n(sums.const_data_ptr<double>(), values.size(), values.begin());
  });
}

absl::Status Collective::Sum(at::Tensor& tensor) {
  if (peers_ == nullptr) return absl::OkStatus();
  return CatchOthers("summing", [&] {
    c10d::AllreduceOptions options;
    options.timeout = Timeout();
    std::vector<at::Tensor> tensors = {tensor};
    peers_->backend->allreduce(tensors, options)->wait();
  });
}

absl::Status Collective::Broadcast(at::Tensor& tensor, int root) {
  if (peers_ == nullptr) return absl::OkStatus();
  return CatchOthers("broadcasting", [&] {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    options.timeout = Timeout();
    std::vector<at::Tensor> tensors = {tensor};
    peers_->backend->broadcast(tensors, options)->wait();
  });
}

absl::Status Collective::Gather(const at::Tensor& tensor, at::Tensor& all) {
  if (peers_ == nullptr) {
    return CatchTorch("gathering", [&] { all.copy_(tensor); });
  }
  return CatchOthers("gathering", [&] {
    c10d::AllgatherOptions options;
    options.timeout = Timeout();
    at::Tensor own = tensor;
    peers_->backend->_allgather_base(all, own, options)->wait();
  });
}

absl::Status Collective::Exchange(const at::Tensor& to,
                                  const std::vector<int64_t>& to_counts,
                                  at::Tensor& from,
                                  const std::vector<int64_t>& from_counts) {
  if (peers_ == nullptr) {
    return CatchTorch("exchanging", [&] { from.copy_(to); });
  }
  return CatchOthers("exchanging", [&] {
    c10d::AllToAllOptions options;
    options.timeout = Timeout();
    at::Tensor input = to;
    std::vector<int64_t> input_counts = to_counts;
    std::vector<int64_t> output_counts = from_counts;
    peers_->backend
        ->alltoall_base(from, input, output_counts, input_counts, options)
        ->wait();
  });
}

c10::intrusive_ptr<c10d::ProcessGroup> Collective::process_group() const {
  if (peers_ == nullptr) return nullptr;
  auto group = c10::make_intrusive<c10d::ProcessGroup>(
      peers_->store, options_.rank, options_.world_size);
  const auto type = options_.backend == kNccl
                        ? c10d::ProcessGroup::BackendType::NCCL
                        : c10d::ProcessGroup::BackendType::GLOO;
  group->setBackend(at::Device(options_.device).type(), type, peers_->backend);
  group->setDefaultBackend(type);
  group->setGroupName("charrnn");
  return group;
}

}  // namespace charrnn
