#include "base/permutation.h"

#include <cstdint>

#include "base/log.h"
#include "base/random.h"

namespace charrnn {
namespace {

// Mixes 64 bits so that each bit of the result depends on each of `x`:
// the finalizer of SplitMix64 with the constants of Stafford's "Mix13"
// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014).
uint64_t Mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

}  // namespace

FeistelPermutation::FeistelPermutation(uint64_t size, uint64_t key)
    : size_(size), half_bits_(0) {
  while (half_bits_ < 32 && uint64_t{1} << 2 * half_bits_ < size) ++half_bits_;
  half_mask_ = (uint64_t{1} << half_bits_) - 1;
  const auto key_at = [key](int word) {
    const PhiloxBlock bits =
        Philox({static_cast<uint32_t>(word), 0, 0,
                static_cast<uint32_t>(RandomPurpose::kShuffle)},
               key);
    return uint64_t{bits[1]} << 32 | bits[0];
  };
  for (int round = 0; round < kRounds; ++round) {
    round_keys_[round] = key_at(round);
  }
  exchange_ = half_bits_ == 0 ? 0 : key_at(kRounds) & 1;
}

uint64_t FeistelPermutation::operator()(uint64_t i) const {
  CHARRNN_CHECK(i < size_) << i << " of " << size_;
  do {
    i = Encrypt(i);
  } while (i >= size_);
  return i;
}

uint64_t FeistelPermutation::Encrypt(uint64_t x) const {
  uint64_t left = x >> half_bits_;
  uint64_t right = x & half_mask_;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t mixed =
        left ^ (Mix(right ^ round_keys_[round]) & half_mask_);
    left = right;
    right = mixed;
  }
  x = left << half_bits_ | right;
  return x < 2 ? x ^ exchange_ : x;
}

}  // namespace charrnn
