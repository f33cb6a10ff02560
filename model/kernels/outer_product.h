#ifndef CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_H_
#define CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_H_

#include <cstdint>

#include "absl/types/span.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// Rows of a left factor (product.h), wherever they lie: in bf16 of pairs of
// numbers, as ToFactor makes them. Each at a multiple of the bytes of 16
// numbers, with zeros up to a multiple of 16.
using RowPointers = absl::Span<const float* const>;

// Sums of outer products, which gradients of weights are:
//   sum[m, n] += sum over k of left[k, m] * right[k, n]
// Each element is one sum in the order of k (by AMX as amx_tile.h has it), so
// that rows may come in any number of calls, a multiple of RowsTogether() of
// them in each but the last.
// Keeps its work space; for one thread at a time.
class OuterProduct {
 public:
  // How many rows enter a sum at once.
  static int64_t RowsTogether(const Arithmetic& arithmetic);

  explicit OuterProduct(const Arithmetic& arithmetic)
      : arithmetic_(arithmetic) {}

  // Makes room for so many rows and columns, so that fewer allocate nothing.
  void Reserve(int64_t rows, int64_t left_columns, int64_t right_columns);

  // The right rows of the calls that follow, `columns` numbers each.
  void SetRight(RowPointers rows, int64_t columns);

  // Adds the outer products of as many left rows, of which this takes `columns`
  // numbers from `offset` on, a multiple of 16, to `sum`, rows of what
  // SetRight was told.
  void Add(RowPointers rows, int64_t offset, int64_t columns, float* sum);

 private:
  Arithmetic arithmetic_;
  int64_t num_rows_ = 0;
  int64_t right_columns_ = 0;
  AlignedArray<float> left_;   // packed
  AlignedArray<float> right_;  // packed
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_H_
