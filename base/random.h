#ifndef CHARRNN_BASE_RANDOM_H_
#define CHARRNN_BASE_RANDOM_H_

#include <array>
#include <cstdint>

namespace charrnn {

// Randomness as a function of what it is for, never a state that must be saved,
// shared or kept in step: the n-th number of a purpose is the same whoever asks
// for it, and in whatever order.
//
//   // What a stream draws at a position, the same on every rank.
//   const PhiloxBlock bits =
//       Philox({position, stream, 0,
//               static_cast<uint32_t>(RandomPurpose::kSampling)},
//              seed);
//   const double u = ToUnitDouble(bits[0], bits[1]);

// The last word of a counter, so that no two purposes ever share a number.
enum class RandomPurpose : uint32_t {
  kInitialization = 1,
  kShuffle = 2,
  kDropout = 3,
  kSampling = 4,
  kSeedMixing = 5,
};

using PhiloxBlock = std::array<uint32_t, 4>;

// Philox's multipliers, and its Weyl increments: the golden ratio and the
// square root of three minus one, both times 2^32.
constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53;
constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9;
constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85;

// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
// easy as 1, 2, 3" (SC'11): 128 random bits for each counter and key. The
// paper's first key word is the low half of `key`.
//
// Inline, because dropout asks for millions of blocks a step.
constexpr PhiloxBlock Philox(PhiloxBlock counter, uint64_t key) {
  uint32_t key0 = static_cast<uint32_t>(key);
  uint32_t key1 = static_cast<uint32_t>(key >> 32);
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{kPhiloxMultiplier0} * c0;
    const uint64_t product1 = uint64_t{kPhiloxMultiplier1} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(product0);
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  return {c0, c1, c2, c3};
}

// A number in [0, 1), a multiple of 2^-53: all of `high` and the upper 21 bits
// of `low`.
constexpr double ToUnitDouble(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

// Two independent standard normal numbers from two independent uniform ones in
// [0, 1), by Box and Muller, "A note on the generation of random normal
// deviates" (1958). Finite for all of them, 0 included; at most 8.6 in size.
std::array<double, 2> ToNormals(double u, double v);

// A new seed from `seed`, as good as unrelated to it and to those of other
// salts; distinct salts may, with a chance of 2^-64, give the same one.
uint64_t MixSeed(uint64_t seed, uint64_t salt);

}  // namespace charrnn

#endif  // CHARRNN_BASE_RANDOM_H_
