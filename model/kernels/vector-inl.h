// Vectors of floats for the instruction set that is being compiled for, and
// the functions of one number that recurrent networks need.

#if defined(CHARRNN_MODEL_KERNELS_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CHARRNN_MODEL_KERNELS_VECTOR_INL_H_
#undef CHARRNN_MODEL_KERNELS_VECTOR_INL_H_
#else
#define CHARRNN_MODEL_KERNELS_VECTOR_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

// Stands in place of HWY_BEFORE_NAMESPACE().
#undef CHARRNN_BEFORE_NAMESPACE
#if HWY_TARGET == HWY_AVX3_DL
#define CHARRNN_BEFORE_NAMESPACE() \
  HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16,avx512vnni")
#else
#define CHARRNN_BEFORE_NAMESPACE() HWY_BEFORE_NAMESPACE()
#endif

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;
using IntTag = hn::Rebind<int32_t, FloatTag>;
using UintTag = hn::Rebind<uint32_t, FloatTag>;
using Floats = hn::Vec<FloatTag>;

constexpr FloatTag kFloats;

// All loops go in blocks of 16 columns, whatever a vector's width, so that no
// sum depends on it.
constexpr int64_t kBlock = 16;
constexpr int64_t kLanes = hn::MaxLanes(kFloats);

HWY_INLINE Floats Load(const float* from) { return hn::Load(kFloats, from); }
HWY_INLINE void Store(Floats values, float* to) {
  hn::Store(values, kFloats, to);
}

// x where it is within the limits, or no number.
HWY_INLINE Floats Clamp(Floats x, float lowest, float highest) {
  const Floats low = hn::Set(kFloats, lowest);
  const Floats high = hn::Set(kFloats, highest);
#if HWY_TARGET == HWY_SCALAR
  // Here Min and Max lose it.
  return hn::IfThenElse(hn::Lt(x, low), low,
                        hn::IfThenElse(hn::Gt(x, high), high, x));
#else
  // Of two arguments of which one is no number, x86 returns the second.
  return hn::Max(low, hn::Min(high, x));
#endif
}

// e^x, within 1.5 units in the last place; 0 from -87.7 down, where it would be
// denormal, infinity from 88.4 up, just before it is, NaN for NaN. Cody and
// Waite's reduction by multiples of ln 2, and on [-ln2/2, ln2/2] the polynomial
// of degree 6 with the smallest relative error, 2e-9, of those that are 1 at 0:
// computed by Lawson's iteration.
HWY_INLINE Floats Exp(Floats x) {
  x = Clamp(x, -88, 89);
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits;
  // 127 more make it the exponent of a power of 2.
  const Floats magic = hn::Set(kFloats, 12582912.0f + 127);
  const Floats shifted = hn::MulAdd(x, hn::Set(kFloats, 1.44269504f), magic);
  const Floats n = hn::Sub(shifted, magic);
  // ln 2 in two parts, the first one short enough for exact products.
  Floats r = hn::NegMulAdd(n, hn::Set(kFloats, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(kFloats, -2.12194440e-4f), r);
  Floats p = hn::Set(kFloats, 1.38436444e-3f);
  p = hn::MulAdd(p, r, hn::Set(kFloats, 8.37416295e-3f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 4.16680016e-2f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.66664317e-1f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 4.99999940e-1f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f));
  // Times 2^n, which is 0 for -127 and infinite for 128. What else there is in
  // `shifted` leaves the word on the left. Added to the exponent of p, n would
  // cost as much, but make a number of NaN.
  return hn::Mul(
      p,
      hn::BitCast(kFloats, hn::ShiftLeft<23>(hn::BitCast(IntTag(), shifted))));
}

// 1 / (1 + e^-x), within 1e-7.
HWY_INLINE Floats Sigmoid(Floats x) {
  const Floats one = hn::Set(kFloats, 1.0f);
  return hn::Div(one, hn::Add(one, Exp(hn::Neg(x))));
}

// 1 - 2 / (1 + e^2x); within 2e-7 of the truth, which near 0 is no longer a
// small part of it: gates are sums with terms of size 1.
HWY_INLINE Floats Tanh(Floats x) {
  const Floats one = hn::Set(kFloats, 1.0f);
  const Floats e = Exp(hn::Add(x, x));
  return hn::Sub(one, hn::Div(hn::Set(kFloats, 2.0f), hn::Add(one, e)));
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
