#include "base/random.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace charrnn {

std::array<double, 2> ToNormals(double u, double v) {
  constexpr double kTwoPi = 6.283185307179586476925;
  // 1 - u is in (0, 1] and exact for the multiples of 2^-53.
  const double radius = std::sqrt(-2 * std::log(1 - u));
  const double angle = kTwoPi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

uint64_t MixSeed(uint64_t seed, uint64_t salt) {
  const PhiloxBlock bits =
      Philox({static_cast<uint32_t>(salt), static_cast<uint32_t>(salt >> 32), 0,
              static_cast<uint32_t>(RandomPurpose::kSeedMixing)},
             seed);
  return uint64_t{bits[1]} << 32 | bits[0];
}

}  // namespace charrnn
