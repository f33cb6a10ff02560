#ifndef CHARRNN_MODEL_KERNELS_RECURRENCE_H_
#define CHARRNN_MODEL_KERNELS_RECURRENCE_H_

#include <cstdint>

#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"

namespace charrnn {

// One time step of a recurrent layer for some rows of text, forward and
// backward through time. Widths are padded: U is PaddedColumns(hidden size),
// and what is padding is zero everywhere and stays so.
//
// A row's gates take 4 * U numbers, in this order:
//   GRU   forward:  reset, update, new, and the hidden part of new
//         backward: gradients of the hidden part of new, of reset, update, new
//   LSTM  both:     input, forget, cell, output
// so that 3 or 4 neighbours are what the hidden state's weights are multiplied
// with, and 3 or 4 what the input's are.
//
// Source: the formulas of torch.nn.GRU and torch.nn.LSTM, and their
// derivatives.

// The layout of a layer's gates.
struct GateLayout {
  int gates;            // matrices in a weight: 3 or 4
  int forward_input;    // where, in units of U, those of the input begin
  int backward_hidden;  // where gradients of the hidden part begin
  int backward_input;   // where those of the input's part begin
  int order_hidden[4];  // which of PyTorch's gates these are
};

constexpr GateLayout kGruGates = {3, 0, 0, 1, {2, 0, 1, 0}};
constexpr GateLayout kLstmGates = {4, 0, 0, 0, {0, 1, 2, 3}};

// A step forward: from the state before to the state after.
struct ForwardStep {
  int64_t rows = 0;
  int64_t units = 0;    // U
  int64_t padding = 0;  // how many of them, the last ones; less than 16
  // The state before as the left factor of weight_hh^T; in fp32 it is `hidden`
  // itself.
  FactorRows factor;
  // weight_hh^T, for each block of 16 units the columns of all gates, as one
  // panel.
  const PackedMatrix* weight = nullptr;
  // What these come to, [rows, gates * U], where that is known already: the
  // state after may then be where the one before is.
  const float* sums = nullptr;
  const float* hidden = nullptr;  // [rows, U], before
  const float* cell = nullptr;    // the same; LSTM only
  const float* bias = nullptr;    // [U], of the hidden part of new; GRU only
  // For each row the input's part of its gates, biases included.
  const float* const* inputs = nullptr;
  // Afterwards. `gates`, rows of 4 * U, are kept for the step backward, and may
  // be where the inputs are; `next_factor` is filled in bf16 alone, rows of
  // U / 2.
  float* gates = nullptr;
  float* next_hidden = nullptr;
  float* next_cell = nullptr;
  float* next_factor = nullptr;
};

// A step backward: from the gradient of the state after to those of the gates.
struct BackwardStep {
  int64_t rows = 0;
  int64_t units = 0;
  int64_t padding = 0;
  // The gradients of the hidden part of the gates one step later as a left
  // factor, and weight_hh, [3 or 4 * U, U], in panels of kProductBlocks blocks.
  // No rows after the last step, which has no later one.
  FactorRows later;
  const PackedMatrix* weight = nullptr;
  // The output's gradient of this step, [rows, U].
  const float* output = nullptr;
  // Gradients that go by no weight: of the state at this step, and after the
  // call at the one before. [rows, U], zero after the last step. For the GRU of
  // the hidden state, for the LSTM of the cell.
  float* carried = nullptr;
  const float* hidden = nullptr;  // before the step; GRU only
  const float* cell = nullptr;    // before the step; LSTM only
  const float* next_cell = nullptr;
  // `gates`, and `hidden` or `cell`, of the step that comes next, which are
  // only asked for; null: none comes.
  const float* gates_ahead = nullptr;
  const float* state_ahead = nullptr;
  // What the step forward has kept, and what their gradients will be, rows of
  // 4 * U; may be the same.
  const float* gates = nullptr;
  float* gradients = nullptr;
  float* factor = nullptr;  // these as left factors, rows of 2 * U; bf16
};

void GruForward(const Arithmetic& arithmetic, const ForwardStep& step);
void GruBackward(const Arithmetic& arithmetic, const BackwardStep& step);
void LstmForward(const Arithmetic& arithmetic, const ForwardStep& step);
void LstmBackward(const Arithmetic& arithmetic, const BackwardStep& step);

// What follows the products of a step forward, given its `sums` in place of
// `factor` and `weight`; the same bits.
void GruCells(const Arithmetic& arithmetic, const ForwardStep& step);
void LstmCells(const Arithmetic& arithmetic, const ForwardStep& step);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_RECURRENCE_H_
