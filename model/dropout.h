#ifndef CHARRNN_MODEL_DROPOUT_H_
#define CHARRNN_MODEL_DROPOUT_H_

#include <cstdint>

#include "absl/types/span.h"

namespace charrnn {

// Which mask of which step. Randomness is a function and never a state: the
// element at (layer, row, time, unit) depends on these values alone, so every
// split of a batch over threads and processes draws the same mask.
struct DropoutKey {
  uint64_t seed = 0;
  int64_t step = 0;       // counted from 0
  double rate = 0;        // the probability of a zero, in [0, 1)
  int64_t first_row = 0;  // the slice's first row within the global batch
};

// The parts of a mask's numbers that do not depend on row, time and unit: the
// last counter word of layer `layer`, the key of the step, below which 32-bit
// number an element is 0, and what it is otherwise.
struct DropoutNumbers {
  DropoutNumbers(const DropoutKey& key, int layer);

  uint32_t purpose;
  uint64_t philox_key;
  uint32_t threshold;
  float kept;
};

// Fills `mask`, [rows, times, units] in row-major order, with 0 (probability
// key.rate) or 1 / (1 - key.rate). Row r of the mask belongs to row
// key.first_row + r of the global batch.
//
// Source: inverted dropout as in torch.nn.Dropout, drawn from Philox4x32-10.
void FillDropoutMask(const DropoutKey& key, int layer, int64_t rows,
                     int64_t times, int64_t units, absl::Span<float> mask);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_DROPOUT_H_
