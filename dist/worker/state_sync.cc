#include "dist/worker/state_sync.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/status_macros.h"
#include "dist/collective/collective.h"
#include "dist/probe.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"
#include "model/train_progress.h"
#include "model/train_state.h"

namespace charrnn {
namespace {

uint32_t ExtendWith(uint32_t crc, const at::Tensor& tensor) {
  const at::Tensor values = tensor.cpu().contiguous();
  return ExtendCrc32c(
      crc, absl::string_view(
               reinterpret_cast<const char*>(values.const_data_ptr<float>()),
               values.nbytes()));
}

// The tensors that a state consists of, which share its memory; those of
// streams are undefined where there are none.
std::array<at::Tensor, 5> TensorsOf(const TrainState& state) {
  return {state.parameters, state.exp_avg, state.exp_avg_sq,
          state.streams.hidden, state.streams.cell};
}

// Of all that decides on the numbers to come; the times that a process has
// measured are its own.
uint32_t Checksum(const TrainState& state) {
  TrainProgress progress = state.progress;
  progress.training_s = 0;
  progress.wall_s = 0;
  progress.records = {};
  uint32_t crc = Crc32c(ToJson(progress));
  for (const at::Tensor& tensor : TensorsOf(state)) {
    if (tensor.defined()) crc = ExtendWith(crc, tensor);
  }
  return crc;
}

// What the source tells first.
struct Announcement {
  double failed = 0;
  double checksum = 0;
  double flat_size = 0;
  double text_size = 0;  // of the progress or the error, in bytes
  // Of the streams' states, 0 where there are none: layers, streams, width, and
  // whether they have cells.
  double layers = 0;
  double streams = 0;
  double width = 0;
  double has_cell = 0;

  std::array<double, 8> values() const {
    return {failed, checksum, flat_size, text_size,
            layers, streams,  width,     has_cell};
  }
};

absl::StatusOr<Announcement> Announce(Collective& collective, bool is_source,
                                      const Announcement& own) {
  std::array<double, 8> values = {};
  if (is_source) values = own.values();
  CHARRNN_RETURN_IF_ERROR(collective.Sum(absl::MakeSpan(values)));
  return Announcement{values[0], values[1], values[2], values[3],
                      values[4], values[5], values[6], values[7]};
}

// What `source` tells of the state that it has, or of its error.
Announcement Describe(const absl::Status& error,
                      const std::optional<TrainState>& state, uint32_t checksum,
                      const std::string& text) {
  Announcement own;
  own.failed = error.ok() ? 0 : 1;
  own.checksum = checksum;
  own.text_size = static_cast<double>(text.size());
  if (!state.has_value()) return own;
  own.flat_size = static_cast<double>(state->parameters.numel());
  const RnnState& streams = state->streams;
  if (!streams.defined()) return own;
  own.layers = static_cast<double>(streams.hidden.size(0));
  own.streams = static_cast<double>(streams.hidden.size(1));
  own.width = static_cast<double>(streams.hidden.size(2));
  own.has_cell = streams.cell.defined() ? 1 : 0;
  return own;
}

// A state of the sizes that the source has announced.
TrainState EmptyState(const Announcement& announced,
                      const std::string& device) {
  const auto options = at::TensorOptions(at::kFloat).device(at::Device(device));
  const auto size = static_cast<int64_t>(announced.flat_size);
  TrainState state;
  state.parameters = at::empty({size}, options);
  state.exp_avg = at::empty({size}, options);
  state.exp_avg_sq = at::empty({size}, options);
  if (announced.streams == 0) return state;
  const std::array<int64_t, 3> shape = {static_cast<int64_t>(announced.layers),
                                        static_cast<int64_t>(announced.streams),
                                        static_cast<int64_t>(announced.width)};
  state.streams.hidden = at::empty(shape, options);
  if (announced.has_cell != 0) state.streams.cell = at::empty(shape, options);
  return state;
}

absl::StatusOr<std::string> BroadcastText(Collective& collective, int source,
                                          const std::string& device,
                                          std::string text, int64_t size) {
  text.resize(size);
  at::Tensor bytes;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("copying text", [&] {
    bytes = at::from_blob(text.data(), {size}, at::kByte)
                .to(at::Device(device), at::kByte, false, /*copy=*/true);
  }));
  CHARRNN_RETURN_IF_ERROR(collective.Broadcast(bytes, source));
  CHARRNN_RETURN_IF_ERROR(CatchTorch("copying text", [&] {
    const at::Tensor received = bytes.cpu();
    text.assign(reinterpret_cast<const char*>(received.const_data_ptr()), size);
  }));
  return text;
}

// Whether it is so in any of the processes.
absl::StatusOr<bool> Any(Collective& collective, bool is_so) {
  double count = is_so ? 1 : 0;
  CHARRNN_RETURN_IF_ERROR(collective.Sum(absl::MakeSpan(&count, 1)));
  return count > 0;
}

// Sends the source's state, whose progress is `text`, to all; returns what has
// arrived, once all have the same.
absl::StatusOr<TrainState> Transfer(Collective& collective, int source,
                                    const std::string& device,
                                    const Announcement& announced,
                                    const TrainState* sent, std::string text) {
  TrainState copy;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("allocating the model", [&] {
    copy = sent != nullptr ? *sent : EmptyState(announced, device);
    // What is sent as a whole has no gaps.
    RnnState& streams = copy.streams;
    if (streams.defined()) streams.hidden = streams.hidden.contiguous();
    if (streams.cell.defined()) streams.cell = streams.cell.contiguous();
  }));
  CHARRNN_ASSIGN_OR_RETURN(
      text, BroadcastText(collective, source, device, text,
                          static_cast<int64_t>(announced.text_size)));
  CHARRNN_ASSIGN_OR_RETURN(copy.progress, TrainProgressFromJson(text));
  for (at::Tensor& tensor : TensorsOf(copy)) {
    if (!tensor.defined()) continue;
    CHARRNN_RETURN_IF_ERROR(collective.Broadcast(tensor, source));
  }
  uint32_t received = 0;
  CHARRNN_RETURN_IF_ERROR(
      CatchTorch("checking the state", [&] { received = Checksum(copy); }));
  CHARRNN_ASSIGN_OR_RETURN(
      const bool anybody_differs,
      Any(collective, received != static_cast<uint32_t>(announced.checksum)));
  if (anybody_differs) {
    return absl::UnavailableError("the state arrived damaged");
  }
  return copy;
}

}  // namespace

absl::Status SyncState(Collective& collective, int source,
                       const std::string& device,
                       const absl::Status& source_error,
                       std::optional<TrainState>& state, const Probe& probe) {
  const bool is_source = collective.rank() == source;
  uint32_t own_checksum = 0;
  if (state.has_value()) {
    CHARRNN_RETURN_IF_ERROR(CatchTorch(
        "checking the state", [&] { own_checksum = Checksum(*state); }));
  }
  std::string text = !source_error.ok() ? std::string(source_error.message())
                     : is_source        ? ToJson(state->progress)
                                        : "";
  CHARRNN_ASSIGN_OR_RETURN(
      const Announcement announced,
      Announce(collective, is_source,
               Describe(source_error, state, own_checksum, text)));
  CHARRNN_RETURN_IF_ERROR(CallProbe(probe, is_source
                                               ? "in a sync, as its source"
                                               : "in a sync, as a receiver"));
  const auto text_size = static_cast<int64_t>(announced.text_size);
  if (announced.failed != 0) {
    CHARRNN_ASSIGN_OR_RETURN(
        text, BroadcastText(collective, source, device, text, text_size));
    return is_source ? source_error : absl::UnavailableError(text);
  }
  const auto checksum = static_cast<uint32_t>(announced.checksum);
  CHARRNN_ASSIGN_OR_RETURN(
      const bool anybody_lacks_it,
      Any(collective, !state.has_value() || own_checksum != checksum));
  if (!anybody_lacks_it) return absl::OkStatus();

  CHARRNN_ASSIGN_OR_RETURN(
      TrainState copy,
      Transfer(collective, source, device, announced,
               is_source ? &*state : nullptr, std::move(text)));
  if (!is_source && (!state.has_value() || own_checksum != checksum)) {
    state = std::move(copy);
  }
  return absl::OkStatus();
}

}  // namespace charrnn
