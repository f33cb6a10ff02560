#include "model/kernels/row_math.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/types/span.h"
#include "model/kernels/arithmetic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/row_math.cc"
#include "model/kernels/targets.h"
// The order counts: from here on, all is compiled once for each target.
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "model/kernels/vector-inl.h"

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {
namespace {

// Sixteen partial results, one for each column of a block.
struct Partial {
  alignas(64) float lanes[kBlock];
};

HWY_INLINE float Largest(const float* row, int64_t columns) {
  Partial most;
  for (int64_t lane = 0; lane < kBlock; lane += kLanes) {
    Floats largest = Load(row + lane);
    for (int64_t i = kBlock; i < columns; i += kBlock) {
      largest = hn::Max(largest, Load(row + i + lane));
    }
    Store(largest, most.lanes + lane);
  }
  float largest = most.lanes[0];
  for (const float value : most.lanes) {
    if (value > largest) largest = value;
  }
  return largest;
}

// Makes the row e^(row - largest) and returns the sum.
HWY_INLINE float Exponentials(float* row, int64_t columns, float largest) {
  Partial sums;
  for (int64_t lane = 0; lane < kBlock; lane += kLanes) {
    Floats sum = hn::Zero(kFloats);
    for (int64_t i = lane; i < columns; i += kBlock) {
      const Floats e = Exp(hn::Sub(Load(row + i), hn::Set(kFloats, largest)));
      Store(e, row + i);
      sum = hn::Add(sum, e);
    }
    Store(sum, sums.lanes + lane);
  }
  for (int64_t stride = kBlock / 2; stride > 0; stride /= 2) {
    for (int64_t i = 0; i < stride; ++i) {
      sums.lanes[i] += sums.lanes[i + stride];
    }
  }
  return sums.lanes[0];
}

}  // namespace

void AddRowIn(int64_t n, const float* from, float* to) {
  for (int64_t i = 0; i < n; i += kLanes) {
    Store(hn::Add(Load(to + i), Load(from + i)), to + i);
  }
}

void MultiplyRowIn(int64_t n, const float* a, const float* b, float* to) {
  for (int64_t i = 0; i < n; i += kLanes) {
    Store(hn::Mul(Load(a + i), Load(b + i)), to + i);
  }
}

void CrossEntropyIn(absl::Span<const int32_t> targets, int64_t classes,
                    int64_t columns, bool gradient, float* logits,
                    double* losses) {
  for (size_t r = 0; r < targets.size(); ++r) {
    float* const row = logits + static_cast<int64_t>(r) * columns;
    std::fill(row + classes, row + columns,
              -std::numeric_limits<float>::infinity());
    const float largest = Largest(row, columns);
    const float target = row[targets[r]];
    const float sum = Exponentials(row, columns, largest);
    losses[r] = std::log(static_cast<double>(sum)) +
                (static_cast<double>(largest) - static_cast<double>(target));
    if (!gradient) continue;
    const Floats scale = hn::Set(kFloats, 1 / sum);
    for (int64_t i = 0; i < columns; i += kLanes) {
      Store(hn::Mul(Load(row + i), scale), row + i);
    }
    row[targets[r]] -= 1;
    // Also where the sum is no number.
    std::fill(row + classes, row + columns, 0.0f);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {

void AddRow(const Arithmetic& arithmetic, int64_t n, const float* from,
            float* to) {
  CHARRNN_KERNEL(arithmetic.isa, AddRowIn)(n, from, to);
}

void MultiplyRow(const Arithmetic& arithmetic, int64_t n, const float* a,
                 const float* b, float* to) {
  CHARRNN_KERNEL(arithmetic.isa, MultiplyRowIn)(n, a, b, to);
}

void CrossEntropy(const Arithmetic& arithmetic,
                  absl::Span<const int32_t> targets, int64_t classes,
                  int64_t columns, bool gradient, float* logits,
                  double* losses) {
  CHARRNN_KERNEL(arithmetic.isa, CrossEntropyIn)
  (targets, classes, columns, gradient, logits, losses);
}

}  // namespace charrnn
#endif  // HWY_ONCE
