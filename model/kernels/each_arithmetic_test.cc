#include "model/kernels/each_arithmetic.h"

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(ArithmeticsTest, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const Arithmetic& arithmetic : AllArithmetics()) {
    names.insert(ArithmeticName({arithmetic, 0}));
  }
  EXPECT_EQ(names,
            (std::set<std::string>{"portable_fp32", "avx2_fp32", "avx512_fp32",
                                   "avx512_bf16_fp32", "avx512_bf16_bf16",
                                   "amx_bf16_fp32", "amx_bf16_bf16"}));
}

TEST(SameBitsTest, TellsZerosApartButNoEqualNans) {
  EXPECT_TRUE(SameBits({1, kNan, kInfinity}, {1, kNan, kInfinity}));
  EXPECT_FALSE(SameBits({0.0f}, {-0.0f}));
  EXPECT_FALSE(SameBits({1, 2}, {1}));
  EXPECT_FALSE(SameBits({1}, {std::nextafter(1.0f, 2.0f)}));
}

TEST(AllNearTest, WantsNansAndInfinitiesWhereTheyAreExpected) {
  EXPECT_TRUE(AllNear({1, kNan, -kInfinity}, {1.01, kNan, -kInfinity}, 0.02));
  EXPECT_FALSE(AllNear({1}, {1.03}, 0.02));
  EXPECT_FALSE(AllNear({kNan}, {1}, 0.02));
  EXPECT_FALSE(AllNear({1}, {kNan}, 0.02));
  EXPECT_FALSE(AllNear({kInfinity}, {-kInfinity}, 0.02));
  EXPECT_FALSE(AllNear({1, 1}, {1}, 0.02));
}

TEST(AlignedRowsTest, AreFollowedByZeros) {
  const AlignedArray<float> rows = AlignedRows({1, 2, 3, 4}, 2, 16);
  ASSERT_EQ(rows.size(), 32);
  EXPECT_EQ(rows[0], 1);
  EXPECT_EQ(rows[1], 2);
  EXPECT_EQ(rows[2], 0);
  EXPECT_EQ(rows[16], 3);
  EXPECT_EQ(rows[17], 4);
  EXPECT_EQ(rows[31], 0);
}

TEST(RandomNumbersTest, AreWithinTheSpreadAndAFunctionOfTheSeed) {
  const std::vector<float> numbers = RandomNumbers(1000, 1, 2);
  double sum = 0;
  for (const float number : numbers) {
    EXPECT_LT(std::abs(number), 2);
    sum += number;
  }
  EXPECT_LT(std::abs(sum), 200);
  EXPECT_TRUE(SameBits(numbers, RandomNumbers(1000, 1, 2)));
  EXPECT_FALSE(SameBits(numbers, RandomNumbers(1000, 2, 2)));
}

TEST(RoundedTest, IsAsPreciseAsFactors) {
  EXPECT_EQ(Rounded(Precision::kFp32, 1.001f), 1.001f);
  EXPECT_EQ(Rounded(Precision::kBf16, 1.001f), 1.0f);
}

using EachTest = EachArithmeticTest;

// Skipped, so that this is never reached, where the machine cannot.
TEST_P(EachTest, RunsOnlyWhatTheMachineSupports) {
  EXPECT_TRUE(CheckSupported(arithmetic()).ok());
}

INSTANTIATE_TEST_SUITE_P(Each, EachTest, testing::ValuesIn(AllArithmetics()),
                         ArithmeticName);

}  // namespace
}  // namespace charrnn
