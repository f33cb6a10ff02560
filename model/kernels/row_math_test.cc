#include "model/kernels/row_math.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/packed_matrix.h"

namespace charrnn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLargest = std::numeric_limits<float>::max();

struct Outcome {
  std::vector<double> losses;
  std::vector<float> gradient;  // [rows, classes]
};

// `logits` is [targets.size(), classes].
Outcome Compute(const Arithmetic& arithmetic, const std::vector<float>& logits,
                const std::vector<int32_t>& targets) {
  const auto rows = static_cast<int64_t>(targets.size());
  const auto classes = static_cast<int64_t>(logits.size()) / rows;
  const int64_t columns = PaddedColumns(classes);
  AlignedArray<float> numbers = AlignedRows(logits, classes, columns);
  // What is padding may hold anything.
  for (int64_t i = 0; i < numbers.size(); ++i) {
    if (i % columns >= classes) numbers[i] = i % 2 == 0 ? kNan : kLargest;
  }
  Outcome outcome;
  outcome.losses.resize(rows);
  CrossEntropy(arithmetic, targets, classes, columns, /*gradient=*/true,
               numbers.data(), outcome.losses.data());
  for (int64_t i = 0; i < numbers.size(); ++i) {
    if (i % columns < classes) {
      outcome.gradient.push_back(numbers[i]);
    } else {
      EXPECT_EQ(numbers[i], 0) << "padding";
    }
  }
  // The losses are the same where nobody wants gradients.
  numbers = AlignedRows(logits, classes, columns);
  std::vector<double> losses(rows);
  CrossEntropy(arithmetic, targets, classes, columns, /*gradient=*/false,
               numbers.data(), losses.data());
  for (int64_t r = 0; r < rows; ++r) {
    EXPECT_TRUE(std::isnan(losses[r]) || losses[r] == outcome.losses[r]);
  }
  return outcome;
}

// The definition: -log softmax(logits)[target], the softmax being computed
// relative to the largest logit, as LibTorch does.
void Expect(const Outcome& outcome, const std::vector<float>& logits,
            const std::vector<int32_t>& targets) {
  const size_t classes = logits.size() / targets.size();
  std::vector<double> gradient;
  for (size_t r = 0; r < targets.size(); ++r) {
    const auto row = absl::MakeConstSpan(logits).subspan(r * classes, classes);
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float logit : row) sum += std::exp(logit - largest);
    const double loss = std::log(sum) + (largest - row[targets[r]]);
    if (std::isnan(loss)) {
      EXPECT_TRUE(std::isnan(outcome.losses[r])) << outcome.losses[r];
    } else if (std::isinf(loss)) {
      EXPECT_EQ(outcome.losses[r], loss);
    } else {
      EXPECT_NEAR(outcome.losses[r], loss, 1e-6 + 1e-7 * std::abs(loss));
    }
    for (size_t i = 0; i < classes; ++i) {
      const bool is_target = static_cast<int32_t>(i) == targets[r];
      gradient.push_back(std::exp(row[i] - largest) / sum -
                         (is_target ? 1 : 0));
    }
  }
  EXPECT_TRUE(AllNear(outcome.gradient, gradient, 5e-7));
}

class RowMathTest : public EachArithmeticTest {
 protected:
  void Check(const std::vector<float>& logits,
             const std::vector<int32_t>& targets) {
    const Outcome outcome = Compute(arithmetic(), logits, targets);
    Expect(outcome, logits, targets);
    if (!HasAvx2Bits()) return;
    const Outcome avx2 = Compute(kAvx2Fp32, logits, targets);
    EXPECT_EQ(outcome.losses, avx2.losses);
    EXPECT_TRUE(SameBits(outcome.gradient, avx2.gradient));
  }
};

TEST_P(RowMathTest, AddsRows) {
  for (const int64_t n : {16, 32, 48, 1024}) {
    const AlignedArray<float> from = Aligned(RandomNumbers(n, 1));
    AlignedArray<float> to = Aligned(RandomNumbers(n + 16, 2));
    const AlignedArray<float> before = Aligned(RandomNumbers(n + 16, 2));
    AddRow(arithmetic(), n, from.data(), to.data());
    for (int64_t i = 0; i < n + 16; ++i) {
      ASSERT_EQ(to[i], i < n ? before[i] + from[i] : before[i]) << i;
    }
  }
}

TEST_P(RowMathTest, MultipliesRowsAlsoInPlace) {
  for (const int64_t n : {16, 32, 48, 1024}) {
    const AlignedArray<float> a = Aligned(RandomNumbers(n, 1));
    AlignedArray<float> b = Aligned(RandomNumbers(n + 16, 2));
    AlignedArray<float> to = Aligned(RandomNumbers(n + 16, 3));
    const AlignedArray<float> before = Aligned(RandomNumbers(n + 16, 3));
    MultiplyRow(arithmetic(), n, a.data(), b.data(), to.data());
    for (int64_t i = 0; i < n + 16; ++i) {
      ASSERT_EQ(to[i], i < n ? a[i] * b[i] : before[i]) << i;
    }
    MultiplyRow(arithmetic(), n, b.data(), a.data(), b.data());
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(b[i], to[i]) << i;
  }
}

TEST_P(RowMathTest, CrossEntropyIsItsDefinitionForAnyNumberOfClasses) {
  for (const int64_t classes : {1, 2, 3, 15, 16, 17, 31, 33, 65, 100, 300}) {
    SCOPED_TRACE(classes);
    constexpr int64_t kRows = 5;
    std::vector<int32_t> targets;
    for (int64_t r = 0; r < kRows; ++r) {
      targets.push_back(static_cast<int32_t>((classes - 1) * r / (kRows - 1)));
    }
    Check(RandomNumbers(kRows * classes, 1, 5), targets);
  }
}

TEST_P(RowMathTest, CrossEntropyTakesLogitsOfAnySize) {
  Check({0, 0, 0}, {1});
  Check({-1000, -1000, -1000}, {2});
  Check({1e30f, 1e30f}, {0});
  Check({90, -90, 0}, {0});
  Check({90, -90, 0}, {1});
  Check({1e30f, 0, -1e30f}, {0});
  Check({1e30f, 0, -1e30f}, {2});
  Check({kLargest, -kLargest}, {1});
  Check({1e-40f, -1e-40f}, {0});
}

TEST_P(RowMathTest, TheLargestLogitMayBeAnywhere) {
  // So large that e to it is infinite.
  for (int32_t i = 0; i < 50; ++i) {
    std::vector<float> logits = RandomNumbers(50, 1);
    logits[i] = 1000;
    Check(logits, {i});
    Check(logits, {(i + 1) % 50});
  }
}

TEST_P(RowMathTest, CrossEntropyOfImpossibleClassesIsAsDefined) {
  Check({0, -kInfinity, 1}, {0});
  Check({0, -kInfinity, 1}, {1});  // infinite
  Check({-kInfinity, 2, -kInfinity}, {1});
}

TEST_P(RowMathTest, CrossEntropyIsNoNumberWhereTheSoftmaxIsNone) {
  for (const int64_t classes : {3, 16, 17, 40}) {
    std::vector<float> logits(4 * classes, 0.5f);
    logits[classes - 1] = kNan;
    logits[classes] = kInfinity;
    for (int64_t i = 0; i < classes; ++i) logits[2 * classes + i] = -kInfinity;
    const std::vector<int32_t> targets = {0, 1, 2, 0};
    const Outcome outcome = Compute(arithmetic(), logits, targets);
    for (int64_t r = 0; r < 3; ++r) {
      EXPECT_TRUE(std::isnan(outcome.losses[r])) << r;
      for (int64_t i = 0; i < classes; ++i) {
        EXPECT_TRUE(std::isnan(outcome.gradient[r * classes + i])) << r;
      }
    }
    // And the next row does not notice.
    EXPECT_NEAR(outcome.losses[3], std::log(classes), 1e-6);
  }
}

TEST_P(RowMathTest, CrossEntropyGivesARowTheSameBitsWhicheverRowsGoAlong) {
  constexpr int64_t kClasses = 65;
  const std::vector<float> logits = RandomNumbers(3 * kClasses, 4, 3);
  const Outcome together = Compute(arithmetic(), logits, {1, 2, 3});
  const std::vector<float> last(logits.begin() + 2 * kClasses, logits.end());
  const Outcome alone = Compute(arithmetic(), last, {3});
  EXPECT_EQ(alone.losses[0], together.losses[2]);
  EXPECT_TRUE(
      SameBits(alone.gradient,
               absl::MakeConstSpan(together.gradient).subspan(2 * kClasses)));
}

INSTANTIATE_TEST_SUITE_P(Each, RowMathTest,
                         testing::ValuesIn(Fp32Arithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
