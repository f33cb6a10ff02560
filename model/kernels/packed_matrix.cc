#include "model/kernels/packed_matrix.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"

namespace charrnn {

PackedMatrix::PackedMatrix(RowList rows, int64_t in, int panel_blocks,
                           Precision precision, bool transposed)
    : rows_(std::move(rows)),
      in_(in),
      transposed_(transposed),
      precision_(precision),
      panel_blocks_(panel_blocks) {
  const auto out = static_cast<int64_t>(rows_.size());
  const int64_t columns = transposed ? out : in;
  const int64_t inner = PaddedColumns(transposed ? in : out);
  blocks_ = PaddedColumns(columns) / kColumnBlock;
  inner_ = precision == Precision::kBf16 ? inner / 2 : inner;
  data_.Resize(blocks_ * kColumnBlock * inner_);
}

PackedMatrix PackedMatrix::OfColumns(RowList rows, int64_t in, int panel_blocks,
                                     Precision precision) {
  return PackedMatrix(std::move(rows), in, panel_blocks, precision,
                      /*transposed=*/true);
}

PackedMatrix PackedMatrix::OfRows(RowList rows, int64_t in, int panel_blocks,
                                  Precision precision) {
  return PackedMatrix(std::move(rows), in, panel_blocks, precision,
                      /*transposed=*/false);
}

int PackedMatrix::BlocksOf(int64_t panel) const {
  return static_cast<int>(
      std::min<int64_t>(panel_blocks_, blocks_ - panel * panel_blocks_));
}

float PackedMatrix::At(const float* matrix, int64_t row_stride, int64_t i,
                       int64_t j) const {
  const int64_t out = transposed_ ? j : i;
  const int64_t in = transposed_ ? i : j;
  if (out >= static_cast<int64_t>(rows_.size()) || in >= in_) return 0;
  const int64_t row = rows_[out];
  return row < 0 ? 0 : matrix[row * row_stride + in];
}

void PackedMatrix::PackPanel(const float* matrix, int64_t row_stride,
                             int64_t panel) {
  float* to = const_cast<float*>(Panel(panel));
  const int64_t first = panel * panel_blocks_ * kColumnBlock;
  const int64_t width = BlocksOf(panel) * kColumnBlock;
  for (int64_t i = 0; i < inner_; ++i) {
    for (int64_t j = first; j < first + width; ++j) {
      if (precision_ == Precision::kFp32) {
        *to++ = At(matrix, row_stride, i, j);
      } else {
        const uint32_t pair =
            ToBfloat16(At(matrix, row_stride, 2 * i, j)) |
            uint32_t{ToBfloat16(At(matrix, row_stride, 2 * i + 1, j))} << 16;
        std::memcpy(to++, &pair, sizeof pair);
      }
    }
  }
}

}  // namespace charrnn
