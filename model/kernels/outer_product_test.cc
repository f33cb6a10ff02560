#include "model/kernels/outer_product.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"

namespace charrnn {
namespace {

constexpr int64_t kOffset = 32;  // of the left columns that count

// sum [m, n] += left [k, m]^T * right [k, n]
struct Example {
  int64_t k;
  int64_t m;
  int64_t n;
  std::vector<float> left;
  std::vector<float> right;
  std::vector<float> sum;  // what there is before
};

Example MakeExample(int64_t k, int64_t m, int64_t n) {
  return {k,
          m,
          n,
          RandomNumbers(k * m, 1),
          RandomNumbers(k * n, 2),
          RandomNumbers(m * n, 3)};
}

// Rows of numbers, each a multiple of 16, as left factors.
class FactorMatrix {
 public:
  FactorMatrix(const Arithmetic& arithmetic, AlignedArray<float> numbers,
               int64_t columns)
      : elements_(std::move(numbers)),
        stride_(columns / NumbersPerElement(arithmetic.precision)) {
    if (arithmetic.precision == Precision::kFp32) return;
    AlignedArray<float> factors;
    factors.Resize(elements_.size() / 2);
    ToFactor(arithmetic, elements_.data(), elements_.size(), factors.data());
    elements_ = std::move(factors);
  }

  std::vector<const float*> Rows(int64_t begin, int64_t end) const {
    std::vector<const float*> rows;
    for (int64_t i = begin; i < end; ++i) {
      rows.push_back(elements_.data() + i * stride_);
    }
    return rows;
  }

 private:
  AlignedArray<float> elements_;
  int64_t stride_;
};

// In calls of `rows_at_once` rows each.
std::vector<float> Compute(const Arithmetic& arithmetic, OuterProduct& outer,
                           const Example& example, int64_t rows_at_once) {
  const int64_t m = PaddedColumns(example.m);
  const int64_t n = PaddedColumns(example.n);
  const AlignedArray<float> packed_left =
      AlignedRows(example.left, example.m, m);
  // Numbers before the offset, which do not count.
  AlignedArray<float> numbers;
  numbers.Resize(example.k * (kOffset + m));
  for (int64_t i = 0; i < numbers.size(); ++i) {
    const int64_t column = i % (kOffset + m);
    numbers[i] = column < kOffset
                     ? 1e6f
                     : packed_left[i / (kOffset + m) * m + column - kOffset];
  }
  const FactorMatrix left(arithmetic, std::move(numbers), kOffset + m);
  const FactorMatrix right(arithmetic, AlignedRows(example.right, example.n, n),
                           n);
  std::vector<float> sum = example.sum;
  sum.resize(sum.size() + 64, 7);
  for (int64_t begin = 0; begin < example.k; begin += rows_at_once) {
    const int64_t end = std::min(begin + rows_at_once, example.k);
    outer.SetRight(right.Rows(begin, end), example.n);
    outer.Add(left.Rows(begin, end), kOffset, example.m, sum.data());
  }
  for (size_t i = example.sum.size(); i < sum.size(); ++i) {
    EXPECT_EQ(sum[i], 7) << "wrote behind the sums";
  }
  sum.resize(example.sum.size());
  return sum;
}

std::vector<float> Compute(const Arithmetic& arithmetic,
                           const Example& example) {
  OuterProduct outer(arithmetic);
  return Compute(arithmetic, outer, example, example.k);
}

std::vector<double> Expected(Precision precision, const Example& example) {
  std::vector<double> result;
  for (int64_t m = 0; m < example.m; ++m) {
    for (int64_t n = 0; n < example.n; ++n) {
      double sum = example.sum[m * example.n + n];
      for (int64_t k = 0; k < example.k; ++k) {
        sum += double{Rounded(precision, example.left[k * example.m + m])} *
               double{Rounded(precision, example.right[k * example.n + n])};
      }
      result.push_back(sum);
    }
  }
  return result;
}

class OuterProductTest : public EachArithmeticTest {
 protected:
  void Check(const Example& example) {
    SCOPED_TRACE(testing::Message()
                 << example.k << " rows, " << example.m << " by " << example.n);
    const std::vector<float> result = Compute(arithmetic(), example);
    // The rounding of sums of k products below 1.
    const double tolerance = 2e-7 * static_cast<double>(example.k + 1);
    EXPECT_TRUE(
        AllNear(result, Expected(arithmetic().precision, example), tolerance));
    if (HasAvx2Bits()) {
      EXPECT_TRUE(SameBits(result, Compute(kAvx2Fp32, example)));
    }
  }
};

TEST_P(OuterProductTest, IsRightForAnyWidths) {
  for (const int64_t m : {1, 3, 15, 16, 17, 31, 33, 50, 65, 100}) {
    for (const int64_t n : {1, 3, 15, 16, 17, 31, 33, 50, 64, 65, 100}) {
      Check(MakeExample(7, m, n));
    }
  }
}

TEST_P(OuterProductTest, IsRightForAnyNumberOfRows) {
  for (const int64_t k : {1, 2, 3, 16, 31, 128, 257}) {
    Check(MakeExample(k, 20, 33));
  }
}

TEST_P(OuterProductTest, DoesNotDependOnTheCallsThatRowsComeIn) {
  const int64_t together = OuterProduct::RowsTogether(arithmetic());
  const Example example = MakeExample(together * 29 / 2, 33, 65);
  const std::vector<float> at_once = Compute(arithmetic(), example);
  for (const int64_t times : {1, 2, 7, 15}) {
    OuterProduct outer(arithmetic());
    EXPECT_TRUE(SameBits(
        Compute(arithmetic(), outer, example, times * together), at_once))
        << times;
  }
}

TEST_P(OuterProductTest, DoesNotDependOnWhatWasComputedBefore) {
  const Example small = MakeExample(3, 17, 5);
  OuterProduct outer(arithmetic());
  Compute(arithmetic(), outer, MakeExample(64, 100, 300), 64);
  EXPECT_TRUE(SameBits(Compute(arithmetic(), outer, small, 3),
                       Compute(arithmetic(), small)));
}

INSTANTIATE_TEST_SUITE_P(Each, OuterProductTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
