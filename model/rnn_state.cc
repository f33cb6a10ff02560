#include "model/rnn_state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/grains.h"

namespace charrnn {
namespace {

constexpr int64_t kRowDim = 1;

// The parts of a state that there are: hidden, and an LSTM's cell.
int64_t NumParts(const RnnState& state) { return state.cell.defined() ? 2 : 1; }

}  // namespace

RnnState StateOfRows(const RnnState& state, IndexRange rows) {
  const auto copy = [&](const at::Tensor& part) {
    // A narrow part that happens to be contiguous would be no copy.
    return part.narrow(kRowDim, rows.begin, rows.size())
        .clone(at::MemoryFormat::Contiguous);
  };
  RnnState some;
  some.hidden = copy(state.hidden);
  if (state.cell.defined()) some.cell = copy(state.cell);
  return some;
}

RnnState JoinRows(absl::Span<const RnnState> states) {
  std::vector<at::Tensor> hidden;
  std::vector<at::Tensor> cell;
  for (const RnnState& state : states) {
    hidden.push_back(state.hidden);
    if (state.cell.defined()) cell.push_back(state.cell);
  }
  RnnState joined;
  joined.hidden = at::cat(hidden, kRowDim);
  if (!cell.empty()) joined.cell = at::cat(cell, kRowDim);
  return joined;
}

at::Tensor PackState(const RnnState& state, int64_t rows) {
  const at::Tensor& hidden = state.hidden;
  const at::Tensor packed =
      at::zeros({NumParts(state), hidden.size(0), rows, hidden.size(2)},
                hidden.options());
  const int64_t used = hidden.size(kRowDim);
  packed.select(0, 0).narrow(kRowDim, 0, used).copy_(hidden);
  if (state.cell.defined()) {
    packed.select(0, 1).narrow(kRowDim, 0, used).copy_(state.cell);
  }
  return packed.flatten();
}

RnnState UnpackStates(const at::Tensor& packed, int64_t rows,
                      absl::Span<const int64_t> counts, const RnnState& like) {
  const at::Tensor parts =
      packed.view({static_cast<int64_t>(counts.size()), NumParts(like),
                   like.hidden.size(0), rows, like.hidden.size(2)});
  std::vector<RnnState> states;
  for (size_t i = 0; i < counts.size(); ++i) {
    const at::Tensor own = parts.select(0, static_cast<int64_t>(i));
    RnnState state;
    state.hidden = own.select(0, 0).narrow(kRowDim, 0, counts[i]);
    if (like.cell.defined()) {
      state.cell = own.select(0, 1).narrow(kRowDim, 0, counts[i]);
    }
    states.push_back(state);
  }
  return JoinRows(states);
}

}  // namespace charrnn
