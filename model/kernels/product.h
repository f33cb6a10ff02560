#ifndef CHARRNN_MODEL_KERNELS_PRODUCT_H_
#define CHARRNN_MODEL_KERNELS_PRODUCT_H_

#include <cstdint>

#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"

namespace charrnn {

// Rows of a left factor, `stride` elements of 32 bits apart: in fp32 an element
// is a number, in bf16 two (ToFactor makes them).
struct FactorRows {
  const float* data = nullptr;
  int64_t stride = 0;
};

// output[r, :] = bias + left[r, :] * right.
struct ProductArguments {
  int64_t rows = 0;
  FactorRows left;  // right.inner() elements each
  const PackedMatrix* right = nullptr;
  const float* bias = nullptr;  // [right.columns()]; null: zeros
  float* output = nullptr;      // rows of right.columns()
  int64_t output_stride = 0;
};

// Each element is one sum in ascending order, begun with the bias; by AMX in
// runs of kAmxRun numbers (amx_tile.h).
void Product(const Arithmetic& arithmetic, const ProductArguments& arguments);

// How many blocks the panels of a product's right factor have.
constexpr int kProductBlocks = 4;

// `n` numbers, a multiple of 16, as n / 2 elements of a left factor in bf16.
// Values lie at a multiple of 64 bytes, the factor at one of 32. A denormal
// number becomes 0.
void ToFactor(const Arithmetic& arithmetic, const float* values, int64_t n,
              float* factor);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_PRODUCT_H_
