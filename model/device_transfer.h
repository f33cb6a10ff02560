#ifndef CHARRNN_MODEL_DEVICE_TRANSFER_H_
#define CHARRNN_MODEL_DEVICE_TRANSFER_H_

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/batch_reader.h"

// What goes between the host and a GPU while the GPU computes. On a CPU
// everything is there at once. Functions throw what LibTorch throws: call them
// inside CatchTorch.

namespace charrnn {

// Brings the ids of batches to a device ahead of the steps that need them, on a
// stream of their own.
//
//   IdCopier copier(device);
//   copier.Begin(batch);
//   while (...) {
//     at::Tensor ids = copier.Take();
//     ...  // launch what computes with them
//     copier.Begin(next_batch);
//   }
class IdCopier {
 public:
  explicit IdCopier(at::Device device);
  // Waits for copies that are under way.
  ~IdCopier();
  IdCopier(const IdCopier&) = delete;
  IdCopier& operator=(const IdCopier&) = delete;

  // Begins to copy a batch. All that computes with what was taken has been
  // launched.
  void Begin(const Batch& batch);

  // Whether there is something to take.
  bool has_begun() const { return begun_; }

  // What was begun last, int32, [2, rows, seq_len] on the device, inputs before
  // targets; valid until the next but one Begin(). What is launched on the
  // current stream from here on comes after the copy.
  at::Tensor Take();

 private:
  struct Slot {
    at::Tensor host;    // flat, for the largest batch so far; page-locked for
    at::Tensor device;  // a GPU
    std::vector<int64_t> sizes;  // of the batch that is there
    std::optional<c10::Event> copied;
    std::optional<c10::Event> used;
  };

  // Makes room for `size` ids.
  void Reserve(int64_t size, Slot& slot);
  bool on_gpu() const { return stream_.has_value(); }

  const at::Device device_;
  std::optional<c10::Stream> stream_;  // a GPU's
  std::array<Slot, 2> slots_;
  size_t newest_ = 0;  // the slot that was begun last
  bool begun_ = false;
};

// Numbers of a device that are read once they are there.
class LateNumbers {
 public:
  // Begins to copy `numbers`, float64, [n], behind what was launched on the
  // current stream.
  explicit LateNumbers(const at::Tensor& numbers);

  // The numbers, as soon as the device has computed them.
  std::vector<double> Wait() const;

 private:
  at::Tensor host_;
  std::optional<c10::Event> copied_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_DEVICE_TRANSFER_H_
