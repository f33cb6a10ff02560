#include "model/dropout.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

std::vector<float> Mask(const DropoutKey& key, int layer, int64_t rows,
                        int64_t times, int64_t units) {
  std::vector<float> mask(rows * times * units);
  FillDropoutMask(key, layer, rows, times, units, absl::MakeSpan(mask));
  return mask;
}

TEST(DropoutTest, ZerosComeAtTheRateAndTheRestIsScaledUp) {
  DropoutKey key;
  key.seed = 1;
  key.rate = 0.3;
  const std::vector<float> mask = Mask(key, 0, 10, 100, 100);
  int64_t zeros = 0;
  for (const float value : mask) {
    if (value == 0) {
      ++zeros;
    } else {
      ASSERT_EQ(value, static_cast<float>(1 / 0.7));
    }
  }
  const double n = static_cast<double>(mask.size());
  EXPECT_NEAR(zeros / n, 0.3, 5 * std::sqrt(0.3 * 0.7 / n));
}

TEST(DropoutTest, ARateOfZeroKeepsEverything) {
  DropoutKey key;
  EXPECT_EQ(Mask(key, 0, 2, 3, 5), std::vector<float>(30, 1.0f));
}

TEST(DropoutTest, ASliceOfRowsIsTheSliceOfTheWholeMask) {
  DropoutKey key;
  key.seed = 7;
  key.step = 3;
  key.rate = 0.5;
  const int64_t times = 4;
  const int64_t units = 6;  // not a multiple of Philox's four numbers
  const std::vector<float> whole = Mask(key, 1, 5, times, units);
  key.first_row = 2;
  const std::vector<float> slice = Mask(key, 1, 3, times, units);
  EXPECT_EQ(slice,
            std::vector<float>(whole.begin() + 2 * times * units, whole.end()));
}

TEST(DropoutTest, SeedStepAndLayerEachChangeTheMask) {
  DropoutKey key;
  key.rate = 0.5;
  const std::vector<float> mask = Mask(key, 0, 2, 8, 16);
  EXPECT_NE(mask, Mask(key, 1, 2, 8, 16));
  DropoutKey other_step = key;
  other_step.step = 1;
  EXPECT_NE(mask, Mask(other_step, 0, 2, 8, 16));
  DropoutKey other_seed = key;
  other_seed.seed = 1;
  EXPECT_NE(mask, Mask(other_seed, 0, 2, 8, 16));
}

}  // namespace
}  // namespace charrnn
