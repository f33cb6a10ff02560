// The product of one row and a matrix, which is as fast as the matrix comes out
// of a cache: every element is used once. What counts is that many sums run
// side by side, since each one has to wait for its last addition, and that many
// lines of the matrix are on their way.
//
// Measured (AMD Zen 5, one thread, 786 KB of weights of a GRU of 256 units in
// L2, of which 64 bytes a cycle can come at most): 49 bytes a cycle in fp32, 47
// in bf16 with 24 blocks at once, 38 with 12.

#if defined(CHARRNN_MODEL_KERNELS_ROW_PRODUCT_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef CHARRNN_MODEL_KERNELS_ROW_PRODUCT_INL_H_
#undef CHARRNN_MODEL_KERNELS_ROW_PRODUCT_INL_H_
#else
#define CHARRNN_MODEL_KERNELS_ROW_PRODUCT_INL_H_
#endif

#include <cstdint>

#include "model/kernels/vector-inl.h"

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {

// The right factor: `blocks` blocks of 16 columns in panels of `panel_blocks`,
// 3 or 4 of them, the last one perhaps narrower.
struct RowFactor {
  const float* data;
  int64_t blocks;
  int panel_blocks;
};

// How many blocks' sums stay in registers, but for those of a narrow last
// panel.
#if HWY_TARGET == HWY_AVX2
constexpr int kRowBlocks = 6;
#elif HWY_TARGET == HWY_SCALAR
constexpr int kRowBlocks = 4;
#else
constexpr int kRowBlocks = 24;
#endif

// row[column] += sum over i < n of a[i] * b[i][column], for kPanels panels of
// kBlocks blocks, and one of kTail blocks behind them.
template <typename Step, int kBlocks, int kPanels, int kTail>
HWY_NOINLINE void AddToRow(const float* a, int64_t n, const float* b,
                           float* row) {
  constexpr int kWidth = kBlocks * kBlock;
  constexpr int kTailWidth = kTail * kBlock;
  constexpr int kVectors = kWidth / kLanes;
  constexpr int kTailVectors = kTailWidth / kLanes;
  Floats sums[kPanels * kVectors + kTailVectors];
  for (int v = 0; v < kPanels * kVectors + kTailVectors; ++v) {
    sums[v] = hn::Load(kFloats, row + v * kLanes);
  }
  const int64_t panel = n * kWidth;
  const float* tail = b + kPanels * panel;
  for (int64_t i = 0; i < n; ++i) {
    const Floats factor = hn::Set(kFloats, a[i]);
    for (int p = 0; p < kPanels; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        Floats& sum = sums[p * kVectors + v];
        sum = Step::Add(factor, hn::Load(kFloats, b + p * panel + v * kLanes),
                        sum);
      }
    }
    for (int v = 0; v < kTailVectors; ++v) {
      Floats& sum = sums[kPanels * kVectors + v];
      sum = Step::Add(factor, hn::Load(kFloats, tail + v * kLanes), sum);
    }
    b += kWidth;
    tail += kTailWidth;
  }
  for (int v = 0; v < kPanels * kVectors + kTailVectors; ++v) {
    hn::Store(sums[v], kFloats, row + v * kLanes);
  }
}

// The same with numbers of panels and of blocks behind them that are known
// late: at most kPanels and kTail.
template <typename Step, int kBlocks, int kPanels, int kTail>
HWY_INLINE void AddToRowUpTo(int64_t panels, int64_t tail, const float* a,
                             int64_t n, const float* b, float* row) {
  if constexpr (kPanels > 0) {
    if (panels < kPanels) {
      AddToRowUpTo<Step, kBlocks, kPanels - 1, kTail>(panels, tail, a, n, b,
                                                      row);
      return;
    }
  }
  if constexpr (kTail > 0) {
    if (tail < kTail) {
      AddToRowUpTo<Step, kBlocks, kPanels, kTail - 1>(panels, tail, a, n, b,
                                                      row);
      return;
    }
  }
  if constexpr (kPanels + kTail > 0) {
    AddToRow<Step, kBlocks, kPanels, kTail>(a, n, b, row);
  }
}

template <typename Step, int kBlocks>
void AddPanelsToRow(const float* a, int64_t n, const RowFactor& right,
                    float* row) {
  constexpr int kPanels = kRowBlocks / kBlocks;
  constexpr int64_t kWidth = kBlocks * kBlock;
  const float* b = right.data;
  int64_t panels = right.blocks / kBlocks;
  for (; panels > kPanels; panels -= kPanels) {
    AddToRow<Step, kBlocks, kPanels, 0>(a, n, b, row);
    b += kPanels * kWidth * n;
    row += kPanels * kWidth;
  }
  AddToRowUpTo<Step, kBlocks, kPanels, kBlocks - 1>(
      panels, right.blocks % kBlocks, a, n, b, row);
}

// row += a * right, where `a` has n elements, each sum in ascending order.
template <typename Step>
void AddRowProduct(const float* a, int64_t n, const RowFactor& right,
                   float* row) {
  if (right.panel_blocks == 3) {
    AddPanelsToRow<Step, 3>(a, n, right, row);
  } else {
    AddPanelsToRow<Step, 4>(a, n, right, row);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
