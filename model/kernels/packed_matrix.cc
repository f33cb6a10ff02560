#include "model/kernels/packed_matrix.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"

namespace charrnn {
namespace {

// Elements of a column that are packed at a time: a cache line of a weight.
constexpr int64_t kRun = 16;

// Numbers of an element, at most.
constexpr int kMaxNumbers = 2;

}  // namespace

PackedMatrix::PackedMatrix(RowList rows, int64_t in, int panel_blocks,
                           Precision precision, bool transposed)
    : rows_(std::move(rows)),
      in_(in),
      transposed_(transposed),
      precision_(precision),
      panel_blocks_(panel_blocks) {
  CHARRNN_CHECK(panel_blocks <= kMaxPanelBlocks) << panel_blocks;
  const auto out = static_cast<int64_t>(rows_.size());
  const int64_t columns = transposed ? out : in;
  const int64_t inner = PaddedColumns(transposed ? in : out);
  blocks_ = PaddedColumns(columns) / kColumnBlock;
  inner_ = inner / NumbersPerElement(precision);
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

const float* PackedMatrix::RowOf(const float* matrix, int64_t row_stride,
                                 int64_t out) const {
  if (out >= static_cast<int64_t>(rows_.size()) || rows_[out] < 0) {
    return nullptr;
  }
  return matrix + rows_[out] * row_stride;
}

void PackedMatrix::PackPanel(const float* matrix, int64_t row_stride,
                             int64_t panel) {
  float* const to = const_cast<float*>(Panel(panel));
  const int64_t first = panel * panel_blocks_ * kColumnBlock;
  const int64_t width = BlocksOf(panel) * kColumnBlock;
  if (transposed_) {
    // A row of the matrix is a column here, and is read in short runs, so that
    // what is written lies in the first level cache.
    for (int64_t i = 0; i < inner_; i += kRun) {
      for (int64_t j = 0; j < width; ++j) {
        PackColumn(RowOf(matrix, row_stride, first + j), i, width, to + j);
      }
    }
    return;
  }
  const int64_t numbers = NumbersPerElement(precision_);
  for (int64_t i = 0; i < inner_; ++i) {
    const float* rows[kMaxNumbers] = {};
    for (int64_t k = 0; k < numbers; ++k) {
      rows[k] = RowOf(matrix, row_stride, numbers * i + k);
    }
    PackRow(rows, first, width, to + i * width);
  }
}

void PackedMatrix::PackColumn(const float* row, int64_t begin, int64_t width,
                              float* to) const {
  const int64_t numbers = NumbersPerElement(precision_);
  const int64_t end = std::min(begin + kRun, inner_);
  float run[kMaxNumbers * kRun] = {};
  const int64_t count =
      std::min((end - begin) * numbers, in_ - begin * numbers);
  if (row != nullptr && count > 0) {
    std::memcpy(run, row + begin * numbers,
                static_cast<size_t>(count) * sizeof(float));
  }
  for (int64_t i = begin; i < end; ++i) {
    const float* const element = run + (i - begin) * numbers;
    to[i * width] = precision_ == Precision::kFp32
                        ? element[0]
                        : ToBfloat16Pair(element[0], element[1]);
  }
}

void PackedMatrix::PackRow(const float* const* rows, int64_t first,
                           int64_t width, float* to) const {
  const int64_t count = std::max<int64_t>(0, std::min(width, in_ - first));
  const auto bytes = static_cast<size_t>(count) * sizeof(float);
  if (precision_ == Precision::kFp32) {
    std::memset(to, 0, static_cast<size_t>(width) * sizeof(float));
    if (rows[0] != nullptr) std::memcpy(to, rows[0] + first, bytes);
    return;
  }
  float pair[kMaxNumbers][kMaxPanelBlocks * kColumnBlock] = {};
  for (int k = 0; k < kMaxNumbers; ++k) {
    if (rows[k] != nullptr) std::memcpy(pair[k], rows[k] + first, bytes);
  }
  for (int64_t j = 0; j < width; ++j) {
    to[j] = ToBfloat16Pair(pair[0][j], pair[1][j]);
  }
}

}  // namespace charrnn
