#include "model/kernels/dropout_row.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/random.h"
#include "model/dropout.h"
#include "model/kernels/arithmetic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/dropout_row.cc"
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

using Words = hn::Vec<UintTag>;

constexpr UintTag kWords;

// 32 times 32 bits, lane by lane: both halves of the products. On x86 only
// even lanes have an instruction for it.
HWY_INLINE void Multiply(Words a, uint32_t b, Words* high, Words* low) {
#if HWY_TARGET == HWY_SCALAR
  const uint64_t product = uint64_t{a.raw} * b;
  *high = Words(static_cast<uint32_t>(product >> 32));
  *low = Words(static_cast<uint32_t>(product));
#else
  const Words factor = hn::Set(kWords, b);
  const Words even = hn::BitCast(kWords, hn::MulEven(a, factor));
  const auto odd_lanes =
      hn::ShiftRight<32>(hn::BitCast(hn::RepartitionToWide<UintTag>(), a));
  const Words odd =
      hn::BitCast(kWords, hn::MulEven(hn::BitCast(kWords, odd_lanes), factor));
  *low = hn::OddEven(hn::DupEven(odd), even);
  *high = hn::OddEven(odd, hn::DupOdd(even));
#endif
}

}  // namespace

void FillRow(const DropoutNumbers& numbers, int64_t global_row, int64_t time,
             int64_t units, float* mask) {
  constexpr int64_t kWidth = 4 * kLanes;
  const Words threshold = hn::Set(kWords, numbers.threshold);
  const Floats kept = hn::Set(kFloats, numbers.kept);
  const auto mask_of = [&](Words random) {
    const auto dropped = hn::RebindMask(kFloats, hn::Lt(random, threshold));
    return hn::IfThenZeroElse(dropped, kept);
  };
  for (int64_t unit = 0; unit < units; unit += kWidth) {
    // A lane computes a block, whose four words are for four units.
    Words c0 = hn::Iota(kWords, static_cast<uint32_t>(unit / 4));
    Words c1 = hn::Set(kWords, static_cast<uint32_t>(time));
    Words c2 = hn::Set(kWords, static_cast<uint32_t>(global_row));
    Words c3 = hn::Set(kWords, numbers.purpose);
    auto key0 = static_cast<uint32_t>(numbers.philox_key);
    auto key1 = static_cast<uint32_t>(numbers.philox_key >> 32);
    for (int round = 0; round < 10; ++round) {
      Words high0, low0, high1, low1;
      Multiply(c0, kPhiloxMultiplier0, &high0, &low0);
      Multiply(c2, kPhiloxMultiplier1, &high1, &low1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(kWords, key0));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(kWords, key1));
      c3 = low0;
      key0 += kPhiloxWeyl0;
      key1 += kPhiloxWeyl1;
    }
    alignas(64) float whole[kWidth];
    float* const to = units - unit < kWidth ? whole : mask + unit;
    hn::StoreInterleaved4(mask_of(c0), mask_of(c1), mask_of(c2), mask_of(c3),
                          kFloats, to);
    if (to == whole) {
      std::memcpy(mask + unit, whole,
                  static_cast<size_t>(units - unit) * sizeof(float));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {

void FillDropoutRow(const Arithmetic& arithmetic, const DropoutNumbers& numbers,
                    int64_t global_row, int64_t time, int64_t units,
                    float* mask) {
  CHARRNN_KERNEL(arithmetic.isa, FillRow)
  (numbers, global_row, time, units, mask);
}

}  // namespace charrnn
#endif  // HWY_ONCE
