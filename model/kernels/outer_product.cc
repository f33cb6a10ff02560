#include "model/kernels/outer_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/kernels/aligned_array.h"
#include "model/kernels/amx_tile.h"
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
#include "model/kernels/tiles-inl.h"
#include "model/kernels/vector-inl.h"

#ifndef CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_ARGUMENTS_
#define CHARRNN_MODEL_KERNELS_OUTER_PRODUCT_ARGUMENTS_
namespace charrnn {
namespace {

struct PackArguments {
  RowPointers rows;
  int64_t elements;  // that a column of the factor has
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
void PackPanels(const PackArguments& p, const PackBlock& f) {
  const int64_t blocks = p.columns / kBlock;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t panel = block / p.panel_blocks;
    const int64_t first = panel * p.panel_blocks;
    const int64_t width = std::min<int64_t>(p.panel_blocks, blocks - first);
    float* to =
        p.packed + first * kBlock * p.elements + (block - first) * kBlock;
    for (int64_t i = 0; i < p.elements; ++i, to += width * kBlock) {
      f(i, p.offset + block * kBlock, to);
    }
  }
}

void PackFp32(const PackArguments& p) {
  PackPanels(p, [&](int64_t i, int64_t column, float* to) {
    std::memcpy(to, p.rows[i] + column, kBlock * sizeof(float));
  });
}

#if HWY_TARGET == HWY_AVX3_DL
// Element `i` of 16 columns; one behind the last row is zero.
__m512i Bf16Elements(const PackArguments& p, int64_t i, int64_t column) {
  const auto half = [&](int64_t row) {
    if (row >= static_cast<int64_t>(p.rows.size())) {
      return _mm512_setzero_si512();
    }
    return _mm512_cvtepu16_epi32(_mm256_load_si256(
        reinterpret_cast<const __m256i*>(p.rows[row] + column / 2)));
  };
  return _mm512_or_si512(half(2 * i), _mm512_slli_epi32(half(2 * i + 1), 16));
}

void PackBf16(const PackArguments& p) {
  PackPanels(p, [&](int64_t i, int64_t column, float* to) {
    _mm512_store_si512(to, Bf16Elements(p, i, column));
  });
}

// Makes columns rows of 16 times 16 elements: of neighbours, of pairs, of
// quarters and of halves of vectors.
void Transpose(__m512i* rows) {
  __m512i pairs[kBlock];
  for (int i = 0; i < kBlock; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < kBlock; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  // Quarter q of rows[4 * group + i] is column 4 * q + i of rows 4 * group on.
  for (int i = 0; i < 4; ++i) {
    const __m512i low01 = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    const __m512i high01 = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
    const __m512i low23 = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    const __m512i high23 =
        _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    pairs[i] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    pairs[i + 4] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    pairs[i + 8] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    pairs[i + 12] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
  for (int i = 0; i < kBlock; ++i) rows[i] = pairs[i];
}

// A left factor for AddAmxProduct: a row of elements for each column.
void PackBf16Columns(const PackArguments& p) {
  for (int64_t block = 0; block < p.columns; block += kBlock) {
    for (int64_t first = 0; first < p.elements; first += kBlock) {
      __m512i rows[kBlock];
      for (int64_t i = 0; i < kBlock; ++i) {
        rows[i] = Bf16Elements(p, first + i, p.offset + block);
      }
      Transpose(rows);
      for (int64_t i = 0; i < kBlock; ++i) {
        _mm512_store_si512(p.packed + (block + i) * p.elements + first,
                           rows[i]);
      }
    }
  }
}
#endif

// The left factor from column `row` on, which is a row of the sums.
template <typename Step>
LeftFactor LeftOf(const SumArguments& p, int64_t row) {
  if constexpr (kByAmx<Step>) {
    return {p.left + row * p.elements, p.elements, 1};
  } else {
    return {p.left + row / kBlock * kBlock * p.elements + row % kBlock, 1,
            kBlock};
  }
}

// A tile of `kBlocks` blocks of columns, of which `columns` exist.
template <typename Step, int kBlocks>
void AddTile(const SumArguments& p, int64_t row, int rows, int64_t column) {
  Tile<Step, kBlocks> tile;
  float* const sum = p.sum + row * p.right_columns + column;
  const int64_t columns =
      std::min<int64_t>(tile.kWidth, p.right_columns - column);
  const LeftFactor left = LeftOf<Step>(p, row);
  const float* const right = p.right + column * p.elements;
  if constexpr (kByAmx<Step>) {
    if (columns == tile.kWidth) {
      AddAmxProduct({rows, kBlocks, p.elements, left.a, left.row_stride, right,
                     sum, p.right_columns});
      return;
    }
  }
  tile.Load(rows, sum, p.right_columns, columns);
  AddRows<Step, kBlocks>(rows, left, p.elements, right, tile.data);
  tile.Store(rows, sum, p.right_columns, columns);
}

template <typename Step, int kBlocks>
void AddPanel(const SumArguments& p, int64_t column) {
  for (int64_t block = 0; block < p.left_columns; block += kBlock) {
    const TileRows rows(std::min(kBlock, p.left_columns - block),
                        MaxTileRows<Step>(kBlocks));
    for (int64_t tile = 0; tile < rows.tiles(); ++tile) {
      AddTile<Step, kBlocks>(p, block + rows.Begin(tile), rows.Size(tile),
                             column);
    }
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

void PackRight(const Arithmetic& arithmetic, const PackArguments& arguments) {
#if HWY_TARGET == HWY_AVX3_DL
  if (arithmetic.precision == Precision::kBf16) return PackBf16(arguments);
#else
  (void)arithmetic;
#endif
  PackFp32(arguments);
}

void PackLeft(const Arithmetic& arithmetic, const PackArguments& arguments) {
#if HWY_TARGET == HWY_AVX3_DL
  if (UsesAmx(arithmetic)) return PackBf16Columns(arguments);
#endif
  PackRight(arithmetic, arguments);
}

void AddOuterProducts(const Arithmetic& arithmetic,
                      const SumArguments& arguments) {
  WithStep(arithmetic,
           [&](auto step) { AddPanels<decltype(step)>(arguments); });
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {
namespace {

// How many elements `rows` rows are, whole runs.
int64_t Elements(const Arithmetic& arithmetic, int64_t rows) {
  const int64_t run = OuterProduct::RowsTogether(arithmetic);
  return (rows + run - 1) / run * run / NumbersPerElement(arithmetic.precision);
}

}  // namespace

int64_t OuterProduct::RowsTogether(const Arithmetic& arithmetic) {
  return UsesAmx(arithmetic) ? kAmxRun
                             : NumbersPerElement(arithmetic.precision);
}

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
  const int64_t elements = Elements(arithmetic_, num_rows_);
  right_.Resize(elements * padded);
  CHARRNN_KERNEL(arithmetic_.isa, PackRight)
  (arithmetic_, {rows, elements, 0, padded, kProductBlocks, right_.data()});
}

void OuterProduct::Add(RowPointers rows, int64_t offset, int64_t columns,
                       float* sum) {
  const int64_t elements = Elements(arithmetic_, num_rows_);
  const int64_t padded = PaddedColumns(columns);
  left_.Resize(elements * padded);
  CHARRNN_KERNEL(arithmetic_.isa, PackLeft)
  (arithmetic_,
   {rows, elements, offset, padded, /*panel_blocks=*/1, left_.data()});
  CHARRNN_KERNEL(arithmetic_.isa, AddOuterProducts)
  (arithmetic_,
   {elements, left_.data(), columns, right_.data(), right_columns_, sum});
}

}  // namespace charrnn
#endif  // HWY_ONCE
