#include "model/adam.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

// The update written as its authors write it, in double.
struct ReferenceAdam {
  double m = 0;
  double v = 0;
  double Update(double p, double g, int step, double rate) {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double m_hat = m / (1 - std::pow(0.9, step));
    const double v_hat = v / (1 - std::pow(0.999, step));
    return p - rate * m_hat / (std::sqrt(v_hat) + 1e-8);
  }
};

TEST(AdamTest, FollowsThePublishedUpdateOverManySteps) {
  const std::array<double, 4> start = {1.0, -2.0, 0.5, 0.0};
  std::vector<float> p(start.begin(), start.end());
  std::vector<float> m(4);
  std::vector<float> v(4);
  std::array<double, 4> expected = start;
  std::array<ReferenceAdam, 4> reference;
  AdamStep step;
  step.learning_rate = 0.01;
  for (int t = 1; t <= 50; ++t) {
    step.step = t;
    std::vector<float> gradient;
    for (size_t i = 0; i < 4; ++i) {
      const double g = std::sin(t + 2.0 * static_cast<double>(i));
      gradient.push_back(static_cast<float>(8 * g));
      expected[i] = reference[i].Update(expected[i], g, t, 0.01);
    }
    AdamUpdate(step, 0.125f, gradient, absl::MakeSpan(p), absl::MakeSpan(m),
               absl::MakeSpan(v));
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(p[i], expected[i], 1e-5);
}

TEST(AdamTest, BlocksGiveTheBitsOfTheWhole) {
  const size_t n = 37;
  std::vector<float> gradient;
  for (size_t i = 0; i < n; ++i) {
    gradient.push_back(std::cos(static_cast<float>(i)));
  }
  std::vector<float> p(n, 1.0f);
  std::vector<float> m(n);
  std::vector<float> v(n);
  std::vector<float> p2 = p;
  std::vector<float> m2 = m;
  std::vector<float> v2 = v;
  AdamStep step;
  step.learning_rate = 0.01;
  step.step = 1;
  AdamUpdate(step, 0.3f, gradient, absl::MakeSpan(p), absl::MakeSpan(m),
             absl::MakeSpan(v));
  for (size_t begin = 0; begin < n; begin += 5) {
    AdamUpdate(step, 0.3f, absl::MakeSpan(gradient).subspan(begin, 5),
               absl::MakeSpan(p2).subspan(begin, 5),
               absl::MakeSpan(m2).subspan(begin, 5),
               absl::MakeSpan(v2).subspan(begin, 5));
  }
  EXPECT_EQ(p, p2);
  EXPECT_EQ(m, m2);
  EXPECT_EQ(v, v2);
}

TEST(SumOfSquaresTest, CountsEveryElement) {
  std::vector<float> values;
  double expected = 0;
  for (int i = 1; i <= 21; ++i) {
    values.push_back(static_cast<float>(i));
    expected += i * i;
    EXPECT_EQ(SumOfSquares(values), expected);
  }
}

TEST(SumOfSquaresTest, IsNotFiniteExactlyWhereAnElementIsNot) {
  for (size_t bad = 0; bad < 11; ++bad) {
    std::vector<float> values(11, std::numeric_limits<float>::max());
    EXPECT_TRUE(std::isfinite(SumOfSquares(values)));
    values[bad] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(std::isfinite(SumOfSquares(values)));
    values[bad] = -std::numeric_limits<float>::infinity();
    EXPECT_FALSE(std::isfinite(SumOfSquares(values)));
  }
}

TEST(ClipFactorTest, LimitsTheNormAndLeavesSmallOnesAlone) {
  EXPECT_EQ(ClipFactor(0.5, 1), 1);
  EXPECT_NEAR(ClipFactor(4, 1), 0.25, 1e-6);
  EXPECT_EQ(ClipFactor(1e9, 0), 1);
}

}  // namespace
}  // namespace charrnn
