#include "model/kernels/dropout_row.h"

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/dropout.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/each_arithmetic.h"

namespace charrnn {
namespace {

using DropoutRowTest = EachArithmeticTest;

TEST_P(DropoutRowTest, IsARowOfTheMask) {
  DropoutKey key;
  key.seed = 0x123456789ABCDEF0;
  key.step = 77;
  for (const double rate : {0.0, 0.1, 0.5, 0.999}) {
    key.rate = rate;
    for (const int64_t units :
         {1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 50, 63, 64, 65, 100, 256}) {
      // Up to rows that need all 32 bits.
      for (const int64_t first_row : {int64_t{0}, int64_t{0xFFFFFFF0}}) {
        key.first_row = first_row;
        constexpr int64_t kRows = 3;
        constexpr int64_t kTimes = 4;
        constexpr int kLayer = 2;
        std::vector<float> mask(kRows * kTimes * units);
        FillDropoutMask(key, kLayer, kRows, kTimes, units,
                        absl::MakeSpan(mask));
        const DropoutNumbers numbers(key, kLayer);
        AlignedArray<float> row;
        row.Resize(units + 64);
        for (int64_t i = 0; i < kRows * kTimes; ++i) {
          for (int64_t j = 0; j < row.size(); ++j) row[j] = 7;
          FillDropoutRow(arithmetic(), numbers, first_row + i / kTimes,
                         i % kTimes, units, row.data());
          EXPECT_TRUE(
              SameBits(SpanOf(row).first(units),
                       absl::MakeConstSpan(mask).subspan(i * units, units)))
              << "rate " << rate << ", units " << units << ", row " << i;
          for (int64_t j = units; j < row.size(); ++j) {
            ASSERT_EQ(row[j], 7) << "wrote behind " << units << " units";
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, DropoutRowTest,
                         testing::ValuesIn(Fp32Arithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
