#ifndef CHARRNN_MODEL_KERNELS_PACKED_MATRIX_H_
#define CHARRNN_MODEL_KERNELS_PACKED_MATRIX_H_

#include <cstdint>
#include <vector>

#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// Columns that go together: all widths are padded to a multiple of it.
constexpr int64_t kColumnBlock = 16;

inline int64_t PaddedColumns(int64_t columns) {
  return (columns + kColumnBlock - 1) / kColumnBlock * kColumnBlock;
}

// The right factor [inner, columns] of products, in the order in which they
// read it: panels of `panel_blocks` blocks of 16 columns, the last one perhaps
// narrower; in a panel all columns of a row of the factor, row after row. An
// element has 32 bits: in fp32 a number, in bf16 two neighbours in a column.
class PackedMatrix {
 public:
  // A list of rows of the matrix [out, in] to be packed, -1 for one of zeros.
  using RowList = std::vector<int64_t>;

  // A factor whose columns are rows of the matrix that is packed: the product
  // is x * matrix^T. `in` is the length of those rows.
  static PackedMatrix OfColumns(RowList rows, int64_t in, int panel_blocks,
                                Precision precision);
  // A factor whose rows are rows of that matrix: the product is x * matrix.
  static PackedMatrix OfRows(RowList rows, int64_t in, int panel_blocks,
                             Precision precision);

  // Takes the panel's values from `matrix`, whose rows are `row_stride` apart.
  // Panels may be packed side by side.
  void PackPanel(const float* matrix, int64_t row_stride, int64_t panel);

  int64_t num_panels() const {
    return (blocks_ + panel_blocks_ - 1) / panel_blocks_;
  }
  int64_t blocks() const { return blocks_; }
  int64_t columns() const { return blocks_ * kColumnBlock; }
  int panel_blocks() const { return panel_blocks_; }
  // How many blocks the panel has.
  int BlocksOf(int64_t panel) const;
  // How many elements a column has; the left factor's rows have as many.
  int64_t inner() const { return inner_; }
  const float* Panel(int64_t panel) const {
    return data_.data() + panel * panel_blocks_ * kColumnBlock * inner_;
  }

 private:
  PackedMatrix(RowList rows, int64_t in, int panel_blocks, Precision precision,
               bool transposed);

  static constexpr int kMaxPanelBlocks = 4;

  // Row `out` of the list, null for one of zeros.
  const float* RowOf(const float* matrix, int64_t row_stride,
                     int64_t out) const;
  // Elements [begin, begin + a few) of the column that is `row`, whose elements
  // are `width` apart.
  void PackColumn(const float* row, int64_t begin, int64_t width,
                  float* to) const;
  // The columns [first, first + width) of the row of elements that `rows`, as
  // many as an element has numbers, make up.
  void PackRow(const float* const* rows, int64_t first, int64_t width,
               float* to) const;

  RowList rows_;
  int64_t in_;
  bool transposed_;
  Precision precision_;
  int panel_blocks_;
  int64_t blocks_;
  int64_t inner_;
  AlignedArray<float> data_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_PACKED_MATRIX_H_
