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
    if (UsesAmx(arithmetic)) {
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

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
