// The innermost loop of every product: a tile of a few rows by a few blocks of
// 16 columns that stays in registers while it is summed up.
//
// Measured (AMD Zen 5, 4.3 GHz, factors in L2, one thread): 272 GFLOP/s in fp32
// with AVX-512, 136 with AVX2, 545 in bf16, which is what the units can do.

#if defined(CHARRNN_MODEL_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CHARRNN_MODEL_KERNELS_TILE_INL_H_
#undef CHARRNN_MODEL_KERNELS_TILE_INL_H_
#else
#define CHARRNN_MODEL_KERNELS_TILE_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "model/kernels/amx_tile.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/vector-inl.h"

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {

// One step of a sum of products, `a` being the same for all columns. An element
// of 32 bits is a number in fp32, and in bf16 two that are neighbours along the
// sum.
struct Fp32Step {
  static HWY_INLINE Floats Add(Floats a, Floats b, Floats sum) {
    return hn::MulAdd(a, b, sum);
  }
};

#if HWY_TARGET == HWY_AVX3_DL
struct Bf16Step {
  static HWY_INLINE Floats Add(Floats a, Floats b, Floats sum) {
    const auto pairs = [](Floats x) {
      return reinterpret_cast<__m512bh>(x.raw);
    };
    return Floats{_mm512_dpbf16_ps(sum.raw, pairs(a), pairs(b))};
  }
};

// Has no single step: AddAmxProduct makes a tile's sums as a whole.
struct AmxStep {};
template <typename Step>
constexpr bool kByAmx = std::is_same_v<Step, AmxStep>;
#else
template <typename Step>
constexpr bool kByAmx = false;
#endif

// Calls f with the step of `arithmetic`.
template <typename F>
HWY_INLINE void WithStep(const Arithmetic& arithmetic, const F& f) {
#if HWY_TARGET == HWY_AVX3_DL
  if (arithmetic.precision == Precision::kBf16) {
    if (arithmetic.isa == Isa::kAmxBf16) {
      f(AmxStep());
    } else {
      f(Bf16Step());
    }
    return;
  }
#else
  (void)arithmetic;  // there is none but fp32
#endif
  f(Fp32Step());
}

// The block of 16 numbers that begins at `index` of a left factor, as elements
// of `factor`, which begins with number 0.
HWY_INLINE void StoreFactorBlock(int64_t index, const float* values,
                                 float* factor) {
#if HWY_TARGET == HWY_AVX3_DL
  const Floats block = hn::Load(kFloats, values);
  _mm256_store_si256(reinterpret_cast<__m256i*>(factor + index / 2),
                     reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(block.raw)));
#else
  (void)index, (void)values, (void)factor;  // factors are the numbers
#endif
}

// How many accumulators a tile may have: registers, less those for factors.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SCALAR
constexpr int kMaxAccumulators = 12;
#else
constexpr int kMaxAccumulators = 24;
#endif

// The most rows of a tile of `blocks` blocks.
template <typename Step>
constexpr int MaxTileRows(int blocks) {
  if (kByAmx<Step>) return kAmxRows;
  const int rows = kMaxAccumulators / blocks;
  return rows < 8 ? rows : 8;
}

// Where the left factor lies: element (row m, i-th of the sum) is
// a[m * row_stride + i * sum_stride].
struct LeftFactor {
  const float* a;
  int64_t row_stride;
  int64_t sum_stride;
};

// tile[m][block] += sum over i < n of a(m, i) * b[i][block], one vector wide:
// `b` has kBlocks * 16 columns a row, of which this takes the first kLanes of
// each block; so has `tile`. Not inlined, because next to other arithmetic the
// compiler spills accumulators.
template <typename Step, int kRows, int kBlocks>
HWY_NOINLINE void AddToTile(LeftFactor left, int64_t n, const float* b,
                            float* tile) {
  Floats sums[kRows][kBlocks];
  for (int m = 0; m < kRows; ++m) {
    for (int v = 0; v < kBlocks; ++v) {
      sums[m][v] = hn::Load(kFloats, tile + (m * kBlocks + v) * kBlock);
    }
  }
  const float* a = left.a;
  for (int64_t i = 0; i < n; ++i) {
    for (int m = 0; m < kRows; ++m) {
      const Floats factor = hn::Set(kFloats, a[m * left.row_stride]);
      for (int v = 0; v < kBlocks; ++v) {
        sums[m][v] =
            Step::Add(factor, hn::Load(kFloats, b + v * kBlock), sums[m][v]);
      }
    }
    a += left.sum_stride;
    b += kBlocks * kBlock;
  }
  for (int m = 0; m < kRows; ++m) {
    for (int v = 0; v < kBlocks; ++v) {
      hn::Store(sums[m][v], kFloats, tile + (m * kBlocks + v) * kBlock);
    }
  }
}

template <typename Step, int kRows, int kBlocks>
HWY_INLINE void AddBlocks(LeftFactor left, int64_t n, const float* b,
                          float* tile) {
  for (int64_t lane = 0; lane < kBlock; lane += kLanes) {
    AddToTile<Step, kRows, kBlocks>(left, n, b + lane, tile + lane);
  }
}

// The same with a number of rows that is known late, at most `kRows`.
template <typename Step, int kBlocks, int kRows>
HWY_INLINE void AddRowsUpTo(int rows, LeftFactor left, int64_t n,
                            const float* b, float* tile) {
  if constexpr (kRows > 1) {
    if (rows < kRows) {
      AddRowsUpTo<Step, kBlocks, kRows - 1>(rows, left, n, b, tile);
      return;
    }
  }
  AddBlocks<Step, kRows, kBlocks>(left, n, b, tile);
}

// The same with at most MaxTileRows<Step>(kBlocks) rows. Where kByAmx, the left
// factor's `sum_stride` has to be 1.
template <typename Step, int kBlocks>
HWY_INLINE void AddRows(int rows, LeftFactor left, int64_t n, const float* b,
                        float* tile) {
  if constexpr (kByAmx<Step>) {
    constexpr int64_t kWidth = kBlocks * kBlock;
    AddAmxProduct({rows, kBlocks, n, left.a, left.row_stride, b, tile, kWidth});
  } else {
    AddRowsUpTo<Step, kBlocks, MaxTileRows<Step>(kBlocks)>(rows, left, n, b,
                                                           tile);
  }
}

// A tile on its way through memory, in the first level cache.
template <typename Step, int kBlocks>
struct Tile {
  static constexpr int64_t kWidth = kBlocks * kBlock;

  // Row `m` of it.
  HWY_INLINE float* Row(int64_t m) { return data + m * kWidth; }

  // Makes the first `rows` rows equal to row[0, kWidth); null: zeros.
  HWY_INLINE void Begin(int rows, const float* row) {
    if (row == nullptr) {
      std::memset(data, 0, static_cast<size_t>(rows * kWidth) * sizeof(float));
      return;
    }
    for (int m = 0; m < rows; ++m) {
      std::memcpy(Row(m), row, kWidth * sizeof(float));
    }
  }

  // Reads the first `columns` numbers of them from rows that are `stride`
  // apart, the others being zero, and writes these there.
  HWY_INLINE void Load(int rows, const float* from, int64_t stride,
                       int64_t columns) {
    if (columns < kWidth) Begin(rows, nullptr);
    for (int m = 0; m < rows; ++m) {
      Copy(from + m * stride, Row(m), columns);
    }
  }
  HWY_INLINE void Store(int rows, float* to, int64_t stride,
                        int64_t columns = kWidth) {
    for (int m = 0; m < rows; ++m) Copy(Row(m), to + m * stride, columns);
  }

  alignas(64) float data[MaxTileRows<Step>(kBlocks) * kWidth];

 private:
  // A whole row's size is known to the compiler, which is worth a branch.
  static HWY_INLINE void Copy(const float* from, float* to, int64_t columns) {
    if (columns == kWidth) {
      std::memcpy(to, from, kWidth * sizeof(float));
    } else {
      std::memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
    }
  }
};

// Calls f with the number of a panel's blocks, at most 4, as a type.
template <typename F>
HWY_INLINE void WithBlocks(int64_t blocks, const F& f) {
  switch (blocks) {
    case 1:
      return f(std::integral_constant<int, 1>());
    case 2:
      return f(std::integral_constant<int, 2>());
    case 3:
      return f(std::integral_constant<int, 3>());
    default:
      return f(std::integral_constant<int, 4>());
  }
}

// Tiles of nearly equal height that make up `rows` rows.
class TileRows {
 public:
  TileRows(int64_t rows, int max_rows)
      : rows_(rows), tiles_((rows + max_rows - 1) / max_rows) {}

  int64_t tiles() const { return tiles_; }
  int64_t Begin(int64_t tile) const { return tile * rows_ / tiles_; }
  int Size(int64_t tile) const {
    return static_cast<int>(Begin(tile + 1) - Begin(tile));
  }

 private:
  int64_t rows_;
  int64_t tiles_;
};

// Calls f(first row, rows, tile) for tiles of the product of `rows` rows of
// `left`, whose `sum_stride` is 1, and of b, [n][kBlocks * 16]. Each sum begins
// with its column's `start`; null: zeros.
template <typename Step, int kBlocks, typename F>
HWY_INLINE void ForEachTile(int64_t rows, LeftFactor left, int64_t n,
                            const float* b, const float* start, const F& f) {
  const TileRows all(rows, MaxTileRows<Step>(kBlocks));
  for (int64_t i = 0; i < all.tiles(); ++i) {
    Tile<Step, kBlocks> tile;
    const int64_t begin = all.Begin(i);
    const int tile_rows = all.Size(i);
    const float* const a = left.a + begin * left.row_stride;
    if constexpr (kByAmx<Step>) {
      if (start != nullptr) tile.Begin(tile_rows, start);
      AddAmxProduct({tile_rows, kBlocks, n, a, left.row_stride, b, tile.data,
                     tile.kWidth, /*from_zero=*/start == nullptr});
    } else {
      tile.Begin(tile_rows, start);
      AddRows<Step, kBlocks>(tile_rows, {a, left.row_stride, 1}, n, b,
                             tile.data);
    }
    f(begin, tile_rows, tile);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
