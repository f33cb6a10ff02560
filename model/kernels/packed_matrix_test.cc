#include "model/kernels/packed_matrix.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"
#include "model/kernels/each_arithmetic.h"

namespace charrnn {
namespace {

using RowList = PackedMatrix::RowList;

constexpr int64_t kOut = 37;
constexpr int64_t kRowStride = 60;

void PackAll(const std::vector<float>& matrix, PackedMatrix& packed) {
  for (int64_t i = 0; i < packed.num_panels(); ++i) {
    packed.PackPanel(matrix.data(), kRowStride, i);
  }
}

// The number in row `i` and column `j` of the factor, as kernels find it.
float At(const PackedMatrix& packed, Precision precision, int64_t i,
         int64_t j) {
  const int64_t panel_columns = packed.panel_blocks() * kColumnBlock;
  const int64_t panel = j / panel_columns;
  const int64_t width = packed.BlocksOf(panel) * kColumnBlock;
  const float* const data = packed.Panel(panel) + j % panel_columns;
  if (precision == Precision::kFp32) return data[i * width];
  uint16_t pair[2];
  std::memcpy(pair, data + i / 2 * width, sizeof pair);
  return FromBfloat16(pair[i % 2]);
}

void ExpectFactor(const PackedMatrix& packed, const RowList& rows, int64_t in,
                  bool transposed, Precision precision,
                  const std::vector<float>& matrix) {
  const auto out = static_cast<int64_t>(rows.size());
  const int64_t inner = PaddedColumns(transposed ? in : out);
  ASSERT_EQ(packed.inner(), precision == Precision::kBf16 ? inner / 2 : inner);
  ASSERT_EQ(packed.columns(), PaddedColumns(transposed ? out : in));
  for (int64_t i = 0; i < inner; ++i) {
    for (int64_t j = 0; j < packed.columns(); ++j) {
      const int64_t row = transposed ? j : i;
      const int64_t column = transposed ? i : j;
      const bool padding = row >= out || column >= in || rows[row] < 0;
      const float expected =
          padding ? 0 : matrix[rows[row] * kRowStride + column];
      ASSERT_EQ(At(packed, precision, i, j), Rounded(precision, expected))
          << i << ", " << j;
    }
  }
}

TEST(PackedMatrixTest, HoldsTheRowsThatWereListedAndZerosElsewhere) {
  const std::vector<float> matrix = RandomNumbers(kOut * kRowStride, 1);
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    for (const int panel_blocks : {1, 3, 4}) {
      for (const int64_t in : {1, 15, 16, 17, 31, 50}) {
        for (const int64_t out : {1, 16, 17, 100}) {
          RowList rows;
          for (int64_t i = 0; i < out; ++i) {
            rows.push_back(i % 5 == 3 ? -1 : i * 7 % kOut);
          }
          PackedMatrix columns =
              PackedMatrix::OfColumns(rows, in, panel_blocks, precision);
          PackAll(matrix, columns);
          ExpectFactor(columns, rows, in, true, precision, matrix);
          PackedMatrix packed_rows =
              PackedMatrix::OfRows(rows, in, panel_blocks, precision);
          PackAll(matrix, packed_rows);
          ExpectFactor(packed_rows, rows, in, false, precision, matrix);
        }
      }
    }
  }
}

TEST(PackedMatrixTest, TakesOtherValuesPanelByPanel) {
  const std::vector<float> before = RandomNumbers(kOut * kRowStride, 1);
  const std::vector<float> after = RandomNumbers(kOut * kRowStride, 2);
  RowList rows;
  for (int64_t i = 0; i < kOut; ++i) rows.push_back(i);
  PackedMatrix packed = PackedMatrix::OfColumns(rows, 20, 2, Precision::kFp32);
  ASSERT_EQ(packed.num_panels(), 2);
  PackAll(before, packed);
  packed.PackPanel(after.data(), kRowStride, 1);
  EXPECT_EQ(At(packed, Precision::kFp32, 3, 31), before[31 * kRowStride + 3]);
  EXPECT_EQ(At(packed, Precision::kFp32, 3, 32), after[32 * kRowStride + 3]);
}

TEST(PackedMatrixTest, PaddedColumnsAreMultiplesOfSixteen) {
  EXPECT_EQ(PaddedColumns(1), 16);
  EXPECT_EQ(PaddedColumns(16), 16);
  EXPECT_EQ(PaddedColumns(17), 32);
}

}  // namespace
}  // namespace charrnn
