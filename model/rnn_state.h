#ifndef CHARRNN_MODEL_RNN_STATE_H_
#define CHARRNN_MODEL_RNN_STATE_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/types/span.h"
#include "model/grains.h"

namespace charrnn {

// What a recurrent network remembers of the text before, for B rows. Functions
// throw what LibTorch throws: call them inside CatchTorch.
struct RnnState {
  at::Tensor hidden;  // [L, B, H]
  at::Tensor cell;    // [L, B, H]; LSTM only

  bool defined() const { return hidden.defined(); }
};

// A copy of `rows` of `state`.
RnnState StateOfRows(const RnnState& state, IndexRange rows);

// The states of neighbouring rows as one.
RnnState JoinRows(absl::Span<const RnnState> states);

// A state as one array on its device, with room for `rows` rows of it; the
// others are zeros.
at::Tensor PackState(const RnnState& state, int64_t rows);

// Takes apart what PackState has made for neighbouring rows, each with room for
// `rows` of them, of which the state `i` has `counts[i]`. `like` has the other
// sizes.
RnnState UnpackStates(const at::Tensor& packed, int64_t rows,
                      absl::Span<const int64_t> counts, const RnnState& like);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_RNN_STATE_H_
