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

// e^x for -87.3 <= x <= 88.72283 and NaN, within 2 units in the last place.
// Cody and Waite's reduction by multiples of ln 2, and on [-ln2/2, ln2/2] the
// polynomial of degree 6 with the smallest relative error, 2e-9, of those that
// are 1 at 0: computed by Lawson's iteration.
HWY_INLINE Floats ExpWithin(Floats x) {
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const Floats magic = hn::Set(kFloats, 12582912.0f);
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
  // Times 2^n. What else there is in `shifted` leaves the word on the left.
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(IntTag(), shifted));
  return hn::BitCast(kFloats, hn::Add(hn::BitCast(IntTag(), p), exponent));
}

// `x` within bounds; NaN stays one.
HWY_INLINE Floats Clamp(Floats x, Floats lowest, Floats highest) {
#if HWY_TARGET == HWY_SCALAR
  // Highway's Min and Max for one number never return NaN beside a number.
  x = hn::IfThenElse(hn::Lt(x, lowest), lowest, x);
  return hn::IfThenElse(hn::Gt(x, highest), highest, x);
#else
  // Of two arguments of which one is no number, Min and Max return the second.
  return hn::Max(lowest, hn::Min(highest, x));
#endif
}

// e^x for all x: 0 below -87.3, where it would soon be denormal, infinity above
// 88.72283, NaN for NaN.
HWY_INLINE Floats Exp(Floats x) {
  const Floats lowest = hn::Set(kFloats, -87.3f);
  const Floats highest = hn::Set(kFloats, 88.72283f);
  const auto below = hn::Lt(x, lowest);
  const auto above = hn::Gt(x, highest);
  const Floats within = ExpWithin(Clamp(x, lowest, highest));
  const Floats infinity = hn::BitCast(kFloats, hn::Set(IntTag(), 0x7F800000));
  return hn::IfThenElse(above, infinity, hn::IfThenZeroElse(below, within));
}

// e^x for |x| <= 87, e^87 or e^-87 beyond, NaN for NaN: for gates, which are at
// their limits there.
HWY_INLINE Floats ExpForGate(Floats x) {
  const Floats limit = hn::Set(kFloats, 87.0f);
  return ExpWithin(Clamp(x, hn::Neg(limit), limit));
}

// 1 / (1 + e^-x).
HWY_INLINE Floats Sigmoid(Floats x) {
  const Floats one = hn::Set(kFloats, 1.0f);
  return hn::Div(one, hn::Add(one, ExpForGate(hn::Neg(x))));
}

// 1 - 2 / (1 + e^2x); within 1.2e-7 of the truth, which near 0 is no longer a
// small part of it: gates are sums with terms of size 1.
HWY_INLINE Floats Tanh(Floats x) {
  const Floats one = hn::Set(kFloats, 1.0f);
  const Floats e = ExpForGate(hn::Add(x, x));
  return hn::Sub(one, hn::Div(hn::Set(kFloats, 2.0f), hn::Add(one, e)));
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
