#include "model/device_transfer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "data/batch_reader.h"

namespace charrnn {
namespace {

c10::Stream CurrentStream(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

// Memory of the host that a GPU can read and write by itself.
at::Tensor HostMemory(int64_t size, at::ScalarType type, bool locked) {
  return at::empty({size},
                   at::TensorOptions().dtype(type).pinned_memory(locked));
}

}  // namespace

IdCopier::IdCopier(at::Device device) : device_(device) {
  if (device.is_cpu()) return;
  stream_ = c10::impl::VirtualGuardImpl(device.type())
                .getStreamFromGlobalPool(device);
}

IdCopier::~IdCopier() {
  for (const Slot& slot : slots_) {
    if (slot.copied.has_value()) slot.copied->synchronize();
  }
}

void IdCopier::Reserve(int64_t size, Slot& slot) {
  if (slot.host.defined() && slot.host.numel() >= size) return;
  slot.host = HostMemory(size, at::kInt, on_gpu());
  if (!on_gpu()) {
    slot.device = slot.host;
    return;
  }
  slot.device = at::empty({size}, slot.host.options().device(device_));
  slot.copied.emplace(device_.type());
  slot.used.emplace(device_.type());
  // The memory may be somebody's whose last work is still to be done.
  slot.used->record(CurrentStream(device_));
}

void IdCopier::Begin(const Batch& batch) {
  if (slots_[newest_].used.has_value()) {
    slots_[newest_].used->record(CurrentStream(device_));
  }
  newest_ = 1 - newest_;
  begun_ = true;
  Slot& slot = slots_[newest_];
  if (slot.copied.has_value()) slot.copied->synchronize();
  slot.sizes = {2, batch.rows, batch.seq_len};
  const auto size = static_cast<int64_t>(2 * batch.inputs.size());
  Reserve(size, slot);
  std::copy(batch.targets.begin(), batch.targets.end(),
            std::copy(batch.inputs.begin(), batch.inputs.end(),
                      slot.host.mutable_data_ptr<int32_t>()));
  if (!on_gpu()) return;
  slot.used->block(*stream_);
  const c10::StreamGuard guard(*stream_);
  slot.device.narrow(0, 0, size)
      .copy_(slot.host.narrow(0, 0, size), /*non_blocking=*/true);
  slot.copied->record(*stream_);
}

at::Tensor IdCopier::Take() {
  const Slot& slot = slots_[newest_];
  if (on_gpu()) slot.copied->block(CurrentStream(device_));
  begun_ = false;
  const int64_t size = slot.sizes[0] * slot.sizes[1] * slot.sizes[2];
  return slot.device.narrow(0, 0, size).view(slot.sizes);
}

LateNumbers::LateNumbers(const at::Tensor& numbers) {
  if (numbers.is_cpu()) {
    host_ = numbers;
    return;
  }
  host_ = HostMemory(numbers.numel(), at::kDouble, /*locked=*/true);
  host_.copy_(numbers, /*non_blocking=*/true);
  copied_.emplace(numbers.device().type());
  copied_->record(CurrentStream(numbers.device()));
}

std::vector<double> LateNumbers::Wait() const {
  if (copied_.has_value()) copied_->synchronize();
  const double* const begin = host_.const_data_ptr<double>();
  return {begin, begin + host_.numel()};
}

}  // namespace charrnn
