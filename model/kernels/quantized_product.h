#ifndef CHARRNN_MODEL_KERNELS_QUANTIZED_PRODUCT_H_
#define CHARRNN_MODEL_KERNELS_QUANTIZED_PRODUCT_H_

#include <cstdint>

#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"

namespace charrnn {

// Products of factors of 8 bits. Weights are rounded to 127 steps on either
// side of 0, in each column of steps of its own; the numbers of a left factor,
// which are states of a recurrent network and lie in [-1, 1], to steps of
// 1 / 127. Sums are of whole numbers and hence exact: all instruction sets but
// the portable one compute the same bits.

// A right factor: what a PackedMatrix in fp32 has, in the same order, an
// element of 32 bits being 4 neighbours in a column.
class QuantizedMatrix {
 public:
  explicit QuantizedMatrix(const PackedMatrix& matrix);

  int64_t blocks() const { return blocks_; }
  int64_t columns() const { return blocks_ * kColumnBlock; }
  int panel_blocks() const { return panel_blocks_; }
  // How many elements a column has; the left factor's rows have as many.
  int64_t inner() const { return inner_; }
  const float* data() const { return data_.data(); }

  // What a step is in a column; NaN where a weight is not finite.
  const float* scales() const { return scales_.data(); }
  // What is to be added to a column's sum, since numbers of a left factor have
  // 128 added.
  const int32_t* offsets() const { return offsets_.data(); }

 private:
  void TakePanel(const PackedMatrix& matrix, int64_t panel);

  const int64_t blocks_;
  const int panel_blocks_;
  const int64_t inner_;
  AlignedArray<float> data_;
  AlignedArray<float> scales_;
  AlignedArray<int32_t> offsets_;
};

// output[r, :] = bias + left[r, :] * right.
struct QuantizedArguments {
  int64_t rows = 0;
  const float* left = nullptr;    // rows of right->inner() elements
  const float* scales = nullptr;  // of left's rows
  const QuantizedMatrix* right = nullptr;
  const float* bias = nullptr;  // [right->columns()]; null: zeros
  float* output = nullptr;      // rows of right->columns()
  int64_t output_stride = 0;
};

void QuantizedProduct(Isa isa, const QuantizedArguments& arguments);

// `rows` rows of `columns` numbers in [-1, 1], a multiple of 16, as rows of
// columns / 4 elements, and what a step is in each of them: 1 / 127, or NaN
// where one of its numbers is NaN, so that products are, too.
void ToQuantizedFactor(Isa isa, const float* values, int64_t rows,
                       int64_t columns, float* factor, float* scales);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_QUANTIZED_PRODUCT_H_
