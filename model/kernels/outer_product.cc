#include "model/kernels/outer_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/outer_product.cc"
#include "model/kernels/targets.h"
// The order counts: from here on, all is compiled once for each target.
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "model/kernels/tile-inl.h"
#include "model/kernels/vector-inl.h"

#ifndef CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_ARGUMENTS_
#define CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_ARGUMENTS_
namespace charrnn {
namespace {

struct PackArguments {
  RowPointers rows;
  int64_t offset;
  int64_t columns;  // a multiple of 16
  int panel_blocks;
  float* packed;
};

struct SumArguments {
  int64_t elements;  // that a column of a factor has
  const float* left;
  int64_t left_columns;
  const float* right;
  int64_t right_columns;
  float* sum;
};

}  // namespace
}  // namespace charrnn
#endif  // CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_ARGUMENTS_

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {
namespace {

// Calls f(element, column, to) for each block of 16 columns of each row of
// elements, in the order of a PackedMatrix's panels.
template <typename PackBlock>
void PackPanels(const PackArguments& p, int64_t elements, const PackBlock& f) {
  const int64_t blocks = p.columns / kBlock;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t panel = block / p.panel_blocks;
    const int64_t first = panel * p.panel_blocks;
    const int64_t width = std::min<int64_t>(p.panel_blocks, blocks - first);
    float* to = p.packed + first * kBlock * elements + (block - first) * kBlock;
    for (int64_t i = 0; i < elements; ++i, to += width * kBlock) {
      f(i, p.offset + block * kBlock, to);
    }
  }
}

void PackFp32(const PackArguments& p) {
  PackPanels(p, static_cast<int64_t>(p.rows.size()),
             [&](int64_t i, int64_t column, float* to) {
               std::memcpy(to, p.rows[i] + column, kBlock * sizeof(float));
             });
}

#if HWY_TARGET == HWY_AVX3_DL
void PackBf16(const PackArguments& p) {
  const auto size = static_cast<int64_t>(p.rows.size());
  PackPanels(p, (size + 1) / 2, [&](int64_t i, int64_t column, float* to) {
    const auto half = [&](int64_t row) {
      const __m512 values = row < size ? _mm512_load_ps(p.rows[row] + column)
                                       : _mm512_setzero_ps();
      return _mm512_cvtepu16_epi32(
          reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values)));
    };
    _mm512_store_si512(
        to,
        _mm512_or_si512(half(2 * i), _mm512_slli_epi32(half(2 * i + 1), 16)));
  });
}
#endif

// A tile of `kBlocks` blocks of columns, of which `columns` exist.
template <typename Step, int kBlocks>
void AddTile(const SumArguments& p, int64_t row, int rows, int64_t column) {
  Tile<kBlocks> tile;
  float* const sum = p.sum + row * p.right_columns + column;
  const int64_t columns =
      std::min<int64_t>(tile.kWidth, p.right_columns - column);
  tile.Load(rows, sum, p.right_columns, columns);
  const float* const left =
      p.left + row / kBlock * kBlock * p.elements + row % kBlock;
  AddRows<Step, kBlocks>(rows, {left, 1, kBlock}, p.elements,
                         p.right + column * p.elements, tile.data);
  tile.Store(rows, sum, p.right_columns, columns);
}

template <typename Step, int kBlocks>
void AddPanel(const SumArguments& p, int64_t column) {
  for (int64_t block = 0; block < p.left_columns; block += kBlock) {
    ForEachTile(std::min(kBlock, p.left_columns - block), MaxTileRows(kBlocks),
                [&](int64_t begin, int rows) {
                  AddTile<Step, kBlocks>(p, block + begin, rows, column);
                });
  }
}

template <typename Step>
void AddPanels(const SumArguments& p) {
  constexpr int64_t kWidth = kProductBlocks * kBlock;
  for (int64_t column = 0; column < p.right_columns; column += kWidth) {
    const int64_t left = p.right_columns - column;
    WithBlocks((left + kBlock - 1) / kBlock, [&](auto blocks) {
      AddPanel<Step, decltype(blocks)::value>(p, column);
    });
  }
}

}  // namespace

void PackFactor(Precision precision, const PackArguments& arguments) {
#if HWY_TARGET == HWY_AVX3_DL
  if (precision == Precision::kBf16) return PackBf16(arguments);
#else
  (void)precision;
#endif
  PackFp32(arguments);
}

void AddOuterProducts(Precision precision, const SumArguments& arguments) {
  WithStep(precision, [&](auto step) { AddPanels<decltype(step)>(arguments); });
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {
namespace {

int64_t Elements(const Arithmetic& arithmetic, int64_t rows) {
  const int64_t numbers = NumbersPerElement(arithmetic.precision);
  return (rows + numbers - 1) / numbers;
}

}  // namespace

void OuterProduct::Reserve(int64_t rows, int64_t left_columns,
                           int64_t right_columns) {
  const int64_t elements = Elements(arithmetic_, rows);
  left_.Resize(elements * PaddedColumns(left_columns));
  right_.Resize(elements * PaddedColumns(right_columns));
}

void OuterProduct::SetRight(RowPointers rows, int64_t columns) {
  num_rows_ = static_cast<int64_t>(rows.size());
  right_columns_ = columns;
  const int64_t padded = PaddedColumns(columns);
  right_.Resize(Elements(arithmetic_, num_rows_) * padded);
  CHARRNN_KERNEL(arithmetic_.isa, PackFactor)
  (arithmetic_.precision, {rows, 0, padded, kProductBlocks, right_.data()});
}

void OuterProduct::Add(RowPointers rows, int64_t offset, int64_t columns,
                       float* sum) {
  const int64_t elements = Elements(arithmetic_, num_rows_);
  const int64_t padded = PaddedColumns(columns);
  left_.Resize(elements * padded);
  CHARRNN_KERNEL(arithmetic_.isa, PackFactor)
  (arithmetic_.precision,
   {rows, offset, padded, /*panel_blocks=*/1, left_.data()});
  CHARRNN_KERNEL(arithmetic_.isa, AddOuterProducts)
  (arithmetic_.precision,
   {elements, left_.data(), columns, right_.data(), right_columns_, sum});
}

}  // namespace charrnn
#endif  // HWY_ONCE
