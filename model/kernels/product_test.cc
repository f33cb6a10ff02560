#include "model/kernels/product.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/packed_matrix.h"

namespace charrnn {
namespace {

constexpr float kUntouched = 7;

// left [rows, in] * matrix^T [in, out], and what it is multiplied with.
struct Example {
  int64_t rows;
  int64_t in;
  int64_t out;
  bool has_bias;
  std::vector<float> left;
  std::vector<float> matrix;
  std::vector<float> bias;  // [out]
};

Example MakeExample(int64_t rows, int64_t in, int64_t out, bool has_bias) {
  return {rows,
          in,
          out,
          has_bias,
          RandomNumbers(rows * in, 1),
          RandomNumbers(out * in, 2),
          RandomNumbers(out, 3)};
}

AlignedArray<float> ToFactors(const Arithmetic& arithmetic,
                              const AlignedArray<float>& values) {
  AlignedArray<float> factors;
  factors.Resize(values.size() / 2);
  ToFactor(arithmetic, values.data(), values.size(), factors.data());
  return factors;
}

// [rows, out]; fails if anything but the output was written.
std::vector<float> Compute(const Arithmetic& arithmetic,
                           const Example& example) {
  const bool bf16 = arithmetic.precision == Precision::kBf16;
  PackedMatrix::RowList list;
  for (int64_t i = 0; i < example.out; ++i) list.push_back(i);
  PackedMatrix right = PackedMatrix::OfColumns(list, example.in, kProductBlocks,
                                               arithmetic.precision);
  for (int64_t i = 0; i < right.num_panels(); ++i) {
    right.PackPanel(example.matrix.data(), example.in, i);
  }
  // Rows are further apart than they have to be.
  const int64_t stride = PaddedColumns(example.in) + 32;
  const AlignedArray<float> left =
      AlignedRows(example.left, example.in, stride);
  const AlignedArray<float> factors =
      bf16 ? ToFactors(arithmetic, left) : AlignedArray<float>();
  const AlignedArray<float> bias =
      AlignedRows(example.bias, example.out, right.columns());
  AlignedArray<float> output;
  const int64_t output_stride = right.columns() + 16;
  output.Resize(example.rows * output_stride);
  for (int64_t i = 0; i < output.size(); ++i) output[i] = kUntouched;

  ProductArguments product;
  product.rows = example.rows;
  product.left = {bf16 ? factors.data() : left.data(),
                  bf16 ? stride / 2 : stride};
  product.right = &right;
  if (example.has_bias) product.bias = bias.data();
  product.output = output.data();
  product.output_stride = output_stride;
  Product(arithmetic, product);

  std::vector<float> result;
  for (int64_t row = 0; row < example.rows; ++row) {
    const float* const numbers = output.data() + row * output_stride;
    result.insert(result.end(), numbers, numbers + example.out);
    for (int64_t i = example.out; i < output_stride; ++i) {
      EXPECT_EQ(numbers[i], i < right.columns() ? 0 : kUntouched) << i;
    }
  }
  return result;
}

std::vector<double> Expected(Precision precision, const Example& example) {
  std::vector<double> result;
  for (int64_t row = 0; row < example.rows; ++row) {
    for (int64_t i = 0; i < example.out; ++i) {
      double sum = example.has_bias ? example.bias[i] : 0;
      for (int64_t k = 0; k < example.in; ++k) {
        sum += double{Rounded(precision, example.left[row * example.in + k])} *
               double{Rounded(precision, example.matrix[i * example.in + k])};
      }
      result.push_back(sum);
    }
  }
  return result;
}

class ProductTest : public EachArithmeticTest {
 protected:
  void Check(const Example& example) {
    SCOPED_TRACE(testing::Message() << example.rows << " rows, " << example.in
                                    << " in, " << example.out << " out");
    const std::vector<float> result = Compute(arithmetic(), example);
    // Factors are exact in both precisions, so that all that is left is the
    // rounding of sums of `in` products below 1.
    const double tolerance = 2e-7 * static_cast<double>(example.in + 1);
    EXPECT_TRUE(
        AllNear(result, Expected(arithmetic().precision, example), tolerance));
    if (HasAvx2Bits()) {
      EXPECT_TRUE(SameBits(result, Compute(kAvx2Fp32, example)));
    }
  }
};

TEST_P(ProductTest, IsRightForAnyNumberOfRows) {
  for (int64_t rows = 1; rows <= 30; ++rows) {
    Check(MakeExample(rows, 20, 65, true));
  }
}

TEST_P(ProductTest, IsRightForAnyWidths) {
  for (const int64_t in : {1, 3, 15, 16, 17, 31, 33, 50, 100}) {
    for (const int64_t out : {1, 3, 15, 16, 17, 31, 33, 50, 65, 100, 300}) {
      Check(MakeExample(5, in, out, in % 2 == 0));
    }
  }
}

TEST_P(ProductTest, GivesARowTheSameBitsWhicheverRowsGoAlong) {
  const Example all = MakeExample(30, 33, 100, true);
  const std::vector<float> together = Compute(arithmetic(), all);
  for (int64_t begin = 0; begin < all.rows; begin += 3) {
    for (const int64_t rows : {1, 2, 3}) {
      Example some = all;
      some.rows = rows;
      some.left.assign(all.left.begin() + begin * all.in,
                       all.left.begin() + (begin + rows) * all.in);
      EXPECT_TRUE(SameBits(Compute(arithmetic(), some),
                           absl::MakeConstSpan(together).subspan(
                               begin * all.out, rows * all.out)));
    }
  }
}

TEST_P(ProductTest, KeepsWhatIsNotFiniteToItsRow) {
  const Example finite = MakeExample(9, 17, 32, false);
  Example example = finite;
  example.left[2 * example.in + 16] = std::numeric_limits<float>::infinity();
  example.left[4 * example.in] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> result = Compute(arithmetic(), example);
  EXPECT_TRUE(AllNear(result, Expected(arithmetic().precision, example), 4e-6));
  const std::vector<float> without = Compute(arithmetic(), finite);
  for (int64_t row = 0; row < example.rows; ++row) {
    const auto row_of = [&](const std::vector<float>& numbers) {
      return absl::MakeConstSpan(numbers).subspan(row * example.out,
                                                  example.out);
    };
    EXPECT_EQ(bool{SameBits(row_of(result), row_of(without))},
              row != 2 && row != 4);
  }
}

TEST_P(ProductTest, AddsDenormalNumbersInFp32) {
  Example example = MakeExample(3, 17, 16, false);
  for (float& value : example.left) value *= 0x1p-100f;
  for (float& value : example.matrix) value *= 0x1p-30f;
  const std::vector<float> result = Compute(arithmetic(), example);
  if (IsBf16()) {
    // The instruction takes denormal numbers for zeros, and makes them so.
    EXPECT_EQ(result, std::vector<float>(result.size(), 0.0f));
    return;
  }
  EXPECT_TRUE(AllNear(result, Expected(Precision::kFp32, example),
                      17 * std::numeric_limits<float>::denorm_min()));
}

TEST_P(ProductTest, MakesFactorsAsPackedMatricesDo) {
  if (!IsBf16()) GTEST_SKIP() << "in fp32 factors are the numbers themselves";
  std::vector<float> values = RandomNumbers(64, 1, 100);
  values[0] = std::numeric_limits<float>::infinity();
  values[1] = -0.0f;
  values[2] = std::numeric_limits<float>::max();
  values[3] = 1 + 0x1p-8f;      // a tie
  values[4] = 1 + 3 * 0x1p-8f;  // another
  values[5] = std::numeric_limits<float>::quiet_NaN();
  values[6] = std::numeric_limits<float>::min();
  values[7] = 1e-39f;
  const AlignedArray<float> factors = ToFactors(arithmetic(), Aligned(values));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t factor;
    std::memcpy(&factor, reinterpret_cast<const char*>(factors.data()) + 2 * i,
                sizeof factor);
    if (i == 5) {
      EXPECT_TRUE(std::isnan(FromBfloat16(factor)));
    } else {
      EXPECT_EQ(factor, i == 7 ? 0 : ToBfloat16(values[i])) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ProductTest, testing::ValuesIn(AllArithmetics()),
                         ArithmeticName);

}  // namespace
}  // namespace charrnn
