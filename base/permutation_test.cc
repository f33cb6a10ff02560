#include "base/permutation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

std::vector<uint64_t> AllOf(const FeistelPermutation& permutation) {
  std::vector<uint64_t> values;
  for (uint64_t i = 0; i < permutation.size(); ++i) {
    values.push_back(permutation(i));
  }
  return values;
}

// Pearson's statistic of `counts`, which are expected to be equal, in standard
// deviations from its mean: a chi-squared variable with k degrees of freedom
// has mean k and variance 2k.
double UniformityScore(const std::vector<int>& counts) {
  double total = 0;
  for (const int count : counts) total += count;
  const double expected = total / static_cast<double>(counts.size());
  double statistic = 0;
  for (const int count : counts) {
    statistic += (count - expected) * (count - expected) / expected;
  }
  const double freedom = static_cast<double>(counts.size()) - 1;
  return (statistic - freedom) / std::sqrt(2 * freedom);
}

TEST(FeistelPermutationTest, EverySizeIsAPermutation) {
  for (uint64_t size = 0; size <= 300; ++size) {
    const FeistelPermutation permutation(size, /*key=*/size * 31);
    EXPECT_EQ(permutation.size(), size);
    std::vector<uint64_t> values = AllOf(permutation);
    std::sort(values.begin(), values.end());
    for (uint64_t i = 0; i < size; ++i) {
      ASSERT_EQ(values[i], i) << "size " << size;
    }
  }
}

TEST(FeistelPermutationTest, HugeSizesStayInRangeAndNeverRepeat) {
  for (const uint64_t size : {uint64_t{10'000'000'000}, uint64_t{1} << 62,
                              (uint64_t{1} << 62) + 1, UINT64_MAX}) {
    const FeistelPermutation permutation(size, 7);
    std::set<uint64_t> values;
    for (uint64_t sample = 0; sample < 1000; ++sample) {
      // Half from each end of the range.
      const uint64_t i = sample % 2 == 0 ? sample : size - sample;
      const uint64_t value = permutation(i);
      ASSERT_LT(value, size);
      values.insert(value);
    }
    EXPECT_EQ(values.size(), 1000);
  }
}

TEST(FeistelPermutationTest, EqualKeysGiveEqualOrdersAndOthersOther) {
  const std::vector<uint64_t> order = AllOf(FeistelPermutation(1000, 5));
  EXPECT_EQ(AllOf(FeistelPermutation(1000, 5)), order);
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t key = 5 ^ uint64_t { 1 } << bit;
    const std::vector<uint64_t> other = AllOf(FeistelPermutation(1000, key));
    int equal = 0;
    for (size_t i = 0; i < order.size(); ++i) equal += order[i] == other[i];
    // Two random orders agree in one place on average (Poisson).
    EXPECT_LT(equal, 10) << "bit " << bit;
  }
}

TEST(FeistelPermutationTest, AllOrdersOfAFewAreEquallyLikely) {
  for (const uint64_t size : {2, 3, 4, 5, 6}) {
    std::map<std::vector<uint64_t>, int> counts;
    for (uint64_t key = 0; key < 24000; ++key) {
      ++counts[AllOf(FeistelPermutation(size, key))];
    }
    std::vector<int> per_order;
    for (const auto& [order, count] : counts) per_order.push_back(count);
    EXPECT_EQ(per_order.size(), std::round(std::tgamma(size + 1)));
    EXPECT_LT(std::abs(UniformityScore(per_order)), 5) << "size " << size;
  }
}

TEST(FeistelPermutationTest, EveryPlaceGetsEveryNumberEquallyOften) {
  for (const uint64_t size : {7, 16, 50, 64}) {
    std::vector<int> counts(size * size);
    for (uint64_t key = 0; key < 20000; ++key) {
      const FeistelPermutation permutation(size, key);
      for (uint64_t i = 0; i < size; ++i) ++counts[i * size + permutation(i)];
    }
    EXPECT_LT(std::abs(UniformityScore(counts)), 5) << "size " << size;
  }
}

TEST(FeistelPermutationTest, NeighboursAreUnrelatedWithinOneOrder) {
  // Of a long order, the pairs (i-th, i+1-th number) fall evenly into the cells
  // of a grid.
  constexpr uint64_t kSize = 1'000'000;
  constexpr uint64_t kCells = 32;
  const FeistelPermutation permutation(kSize, 3);
  std::vector<int> counts(kCells * kCells);
  uint64_t last = permutation(0);
  for (uint64_t i = 1; i < kSize; ++i) {
    const uint64_t next = permutation(i);
    ++counts[last * kCells / kSize * kCells + next * kCells / kSize];
    last = next;
  }
  EXPECT_LT(std::abs(UniformityScore(counts)), 5);
}

TEST(FeistelPermutationDeathTest, RefusesAnIndexPastTheEnd) {
  const FeistelPermutation permutation(10, 0);
  EXPECT_DEATH(permutation(10), "10 of 10");
}

}  // namespace
}  // namespace charrnn
