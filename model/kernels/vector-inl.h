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
  HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
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

// e^x, within 1 ulp or so; 0 below -87.3, where the result would be denormal,
// infinity above 88.7, NaN for NaN. Cody and Waite's reduction by multiples of
// ln 2, and the Taylor series of degree 7 on [-ln2/2, ln2/2], whose remainder
// is below 6e-9.
HWY_INLINE Floats Exp(Floats x) {
  constexpr float kLowest = -87.33654f;
  constexpr float kHighest = 88.72283f;
  const auto below = hn::Lt(x, hn::Set(kFloats, kLowest));
  const auto above = hn::Gt(x, hn::Set(kFloats, kHighest));
  // Comparisons with NaN are false, so that it goes all the way.
  Floats clamped = hn::IfThenElse(below, hn::Set(kFloats, kLowest), x);
  clamped = hn::IfThenElse(above, hn::Set(kFloats, kHighest), clamped);
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const Floats magic = hn::Set(kFloats, 12582912.0f);
  const Floats shifted =
      hn::MulAdd(clamped, hn::Set(kFloats, 1.44269504f), magic);
  const Floats n = hn::Sub(shifted, magic);
  // ln 2 in two parts, the first one short enough for exact products.
  Floats r = hn::NegMulAdd(n, hn::Set(kFloats, 0.693359375f), clamped);
  r = hn::NegMulAdd(n, hn::Set(kFloats, -2.12194440e-4f), r);
  Floats p = hn::Set(kFloats, 1.0f / 5040);
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f / 720));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f / 120));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f / 24));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f / 6));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(kFloats, 1.0f));
  // Times 2^n, in two steps: n may be 128, whose power is no float.
  const auto bits = hn::BitCast(IntTag(), shifted);
  const auto whole = hn::Sub(bits, hn::Set(IntTag(), 0x4B400000));
  const auto half = hn::ShiftRight<1>(whole);
  const auto power = [](auto exponent) {
    return hn::BitCast(
        kFloats, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(IntTag(), 127))));
  };
  p = hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(whole, half)));
  p = hn::IfThenZeroElse(below, p);
  const Floats infinity = hn::BitCast(kFloats, hn::Set(IntTag(), 0x7F800000));
  return hn::IfThenElse(above, infinity, p);
}

// 1 / (1 + e^-x).
HWY_INLINE Floats Sigmoid(Floats x) {
  const Floats one = hn::Set(kFloats, 1.0f);
  return hn::Div(one, hn::Add(one, Exp(hn::Neg(x))));
}

// 1 - 2 / (1 + e^2x); within 6e-8 of the truth, which near 0 is no longer a
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
