#ifndef CHARRNN_MODEL_KERNELS_BFLOAT16_H_
#define CHARRNN_MODEL_KERNELS_BFLOAT16_H_

#include <cstdint>
#include <cstring>

namespace charrnn {

// The upper half of a float, rounded to nearest, ties to even; a NaN stays one.
inline uint16_t ToBfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float FromBfloat16(uint16_t value) {
  const uint32_t bits = uint32_t{value} << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// Two numbers as one element.
inline float ToBfloat16Pair(float first, float second) {
  const uint32_t bits = ToBfloat16(first) | uint32_t{ToBfloat16(second)} << 16;
  float element;
  std::memcpy(&element, &bits, sizeof element);
  return element;
}

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_BFLOAT16_H_
