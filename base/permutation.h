#ifndef CHARRNN_BASE_PERMUTATION_H_
#define CHARRNN_BASE_PERMUTATION_H_

#include <array>
#include <cstdint>

namespace charrnn {

// A shuffled order of 0 .. size-1 that is computed, not stored: any element of
// it, of 10^10, costs some dozen nanoseconds and no memory, and everyone with
// the same size and key has the same order.
//
//   const FeistelPermutation order(num_chunks, MixSeed(seed, epoch));
//   for (uint64_t i = 0; i < order.size(); ++i) Read(order(i));
//
// A balanced Feistel network (Luby and Rackoff, 1988) permutes the numbers
// below 4^h, the smallest such power that is at least the size; a result past
// the size is permuted again until it is below ("cycle walking", Black and
// Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002), on average
// less than four times. It looks random; it is no cipher. Thread-safe.
class FeistelPermutation {
 public:
  // Any size, also 1 and 0.
  FeistelPermutation(uint64_t size, uint64_t key);

  uint64_t size() const { return size_; }

  // The `i`-th number of the order; i < size().
  uint64_t operator()(uint64_t i) const;

 private:
  // Four are enough for long halves; halves of one bit want ten until all 24
  // orders of four numbers are equally likely.
  static constexpr int kRounds = 10;

  // One pass through the network, for and to a number below 4^half_bits_.
  uint64_t Encrypt(uint64_t x) const;

  uint64_t size_;
  int half_bits_;       // of each half; 0 to 32
  uint64_t half_mask_;  // 2^half_bits_ - 1
  std::array<uint64_t, kRounds> round_keys_;
  // 0, or 1 to exchange 0 and 1 at the end, for half of the keys: a network
  // with halves of two bits or more makes even permutations only.
  uint64_t exchange_;
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_PERMUTATION_H_
