#include "base/random.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;

// The known answers that the authors publish with their library Random123
// 1.14 (tests/kat_vectors, philox4x32 with 10 rounds).
TEST(PhiloxTest, GivesThePublishedAnswers) {
  EXPECT_THAT(Philox({0, 0, 0, 0}, 0),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(Philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                     0xffffffffffffffff),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  // Digits of pi: the key words are a4093822 and 299f31d0.
  EXPECT_THAT(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                     0x299f31d0a4093822),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(PhiloxTest, CanBeComputedByTheCompiler) {
  static_assert(Philox({0, 0, 0, 0}, 0)[0] == 0x6627e8d5);
}

TEST(ToUnitDoubleTest, CoversTheHalfOpenUnitIntervalEvenly) {
  EXPECT_EQ(ToUnitDouble(0, 0), 0);
  EXPECT_EQ(ToUnitDouble(0, 0x7FF), 0);
  EXPECT_EQ(ToUnitDouble(0, 0x800), 0x1p-53);
  EXPECT_EQ(ToUnitDouble(1, 0), 0x1p-32);
  EXPECT_EQ(ToUnitDouble(0x80000000, 0), 0.5);
  EXPECT_EQ(ToUnitDouble(0xFFFFFFFF, 0xFFFFFFFF), 1 - 0x1p-53);
}

TEST(ToNormalsTest, IsFiniteAtTheEndsOfTheInterval) {
  for (const double u : {0.0, 0x1p-53, 1 - 0x1p-53}) {
    for (const double v : {0.0, 0.25, 1 - 0x1p-53}) {
      for (const double normal : ToNormals(u, v)) {
        EXPECT_LE(std::abs(normal), 8.6) << u << " " << v;
      }
    }
  }
}

TEST(ToNormalsTest, TurnsRadiusAndAngleIntoTwoNumbers) {
  // Radius 2, angle a quarter turn.
  const std::array<double, 2> normals = ToNormals(1 - std::exp(-2), 0.25);
  EXPECT_NEAR(normals[0], 0, 1e-15);
  EXPECT_NEAR(normals[1], 2, 1e-15);
}

TEST(ToNormalsTest, HasTheMomentsOfIndependentStandardNormals) {
  constexpr int kPairs = 100000;
  double sum = 0, sum2 = 0, sum3 = 0, sum4 = 0, product = 0;
  for (uint32_t i = 0; i < kPairs; ++i) {
    const PhiloxBlock bits = Philox({i, 0, 0, 0}, 42);
    const std::array<double, 2> normals = ToNormals(
        ToUnitDouble(bits[0], bits[1]), ToUnitDouble(bits[2], bits[3]));
    for (const double x : normals) {
      sum += x;
      sum2 += x * x;
      sum3 += x * x * x;
      sum4 += x * x * x * x;
    }
    product += normals[0] * normals[1];
  }
  // Five standard errors: the variances of x, x^2, x^3, x^4 are 1, 2, 15, 96.
  const double n = 2 * kPairs;
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(1 / n));
  EXPECT_NEAR(sum2 / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(sum3 / n, 0, 5 * std::sqrt(15 / n));
  EXPECT_NEAR(sum4 / n, 3, 5 * std::sqrt(96 / n));
  EXPECT_NEAR(product / kPairs, 0, 5 * std::sqrt(1.0 / kPairs));
}

TEST(MixSeedTest, SeedsAndSaltsThatDifferAnywhereGiveSeedsThatDiffer) {
  std::set<uint64_t> seeds;
  for (int bit = 0; bit < 64; ++bit) {
    seeds.insert(MixSeed(uint64_t{1} << bit, 0));
    seeds.insert(MixSeed(0, uint64_t{1} << bit));
  }
  seeds.insert(MixSeed(0, 0));
  EXPECT_EQ(seeds.size(), 2 * 64 + 1);
}

TEST(MixSeedTest, StaysTheSameSoThatRunsCanBeRepeated) {
  const PhiloxBlock bits = Philox({0x9ABCDEF0, 0x12345678, 0, 5}, 42);
  EXPECT_EQ(MixSeed(42, 0x123456789ABCDEF0), uint64_t{bits[1]} << 32 | bits[0]);
}

}  // namespace
}  // namespace charrnn
