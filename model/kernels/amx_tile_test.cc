#include "model/kernels/amx_tile.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"
#include "model/kernels/each_arithmetic.h"

namespace charrnn {
namespace {

constexpr int64_t kColumns = 16;   // of a block
constexpr float kUntouched = 1e6;  // around what is read and written

class AmxTileTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasAmx()) GTEST_SKIP() << "this machine has no AMX";
  }
};

struct Sizes {
  int64_t rows;
  int64_t blocks;
  int64_t n;
};

// Random factors and sums, and the tile that AddAmxProduct makes of them in
// calls of at most `n_at_once` elements.
class Example {
 public:
  explicit Example(const Sizes& sizes)
      : sizes_(sizes),
        left_(RandomNumbers(sizes.rows * 2 * sizes.n, 1)),
        right_(RandomNumbers(2 * sizes.n * width(), 2)),
        sums_(RandomNumbers(sizes.rows * width(), 3)) {}

  std::vector<float> Compute(int64_t n_at_once) const {
    // The left rows lie 3 elements apart, those of the tile 5.
    const int64_t left_stride = sizes_.n + 3;
    std::vector<float> a(sizes_.rows * left_stride, kUntouched);
    AlignedArray<float> b;
    b.Resize(sizes_.n * width());
    std::vector<float> tile(sizes_.rows * (width() + 5), kUntouched);
    for (int64_t i = 0; i < sizes_.n; ++i) {
      for (int64_t m = 0; m < sizes_.rows; ++m) {
        const float* const row = left_.data() + m * 2 * sizes_.n;
        a[m * left_stride + i] = ToBfloat16Pair(row[2 * i], row[2 * i + 1]);
      }
      for (int64_t j = 0; j < width(); ++j) {
        b[i * width() + j] =
            ToBfloat16Pair(Right(2 * i, j), Right(2 * i + 1, j));
      }
    }
    for (int64_t m = 0; m < sizes_.rows; ++m) {
      std::memcpy(tile.data() + m * (width() + 5), sums_.data() + m * width(),
                  width() * sizeof(float));
    }
    for (int64_t i = 0; i < sizes_.n; i += n_at_once) {
      AddAmxProduct(
          {static_cast<int>(sizes_.rows), static_cast<int>(sizes_.blocks),
           std::min(n_at_once, sizes_.n - i), a.data() + i, left_stride,
           b.data() + i * width(), tile.data(), width() + 5});
    }
    return tile;
  }

  // What Compute(n) has to be, to the bit.
  std::vector<float> InTheOrderOfTheManual() const {
    std::vector<float> tile(sizes_.rows * (width() + 5), kUntouched);
    for (int64_t m = 0; m < sizes_.rows; ++m) {
      for (int64_t j = 0; j < width(); ++j) {
        float sum = sums_[m * width() + j];
        for (int64_t k = 0; k < 2 * sizes_.n; k += kAmxRun) {
          const int64_t end = std::min(k + kAmxRun, 2 * sizes_.n);
          float halves[2] = {};
          for (int64_t i = k; i < end; ++i) {
            float& half = halves[i % 2];
            half =
                std::fma(Rounded(Precision::kBf16, left_[m * 2 * sizes_.n + i]),
                         Rounded(Precision::kBf16, Right(i, j)), half);
          }
          sum += halves[0] + halves[1];
        }
        tile[m * (width() + 5) + j] = sum;
      }
    }
    return tile;
  }

  // Within the rounding of 2 * n products below 1.
  void Check(const std::vector<float>& tile) const {
    const double tolerance = 2e-7 * static_cast<double>(2 * sizes_.n + 1);
    for (int64_t m = 0; m < sizes_.rows; ++m) {
      const float* const row = tile.data() + m * (width() + 5);
      for (int64_t j = 0; j < width(); ++j) {
        double sum = sums_[m * width() + j];
        for (int64_t k = 0; k < 2 * sizes_.n; ++k) {
          sum +=
              double{Rounded(Precision::kBf16, left_[m * 2 * sizes_.n + k])} *
              double{Rounded(Precision::kBf16, Right(k, j))};
        }
        ASSERT_NEAR(row[j], sum, tolerance) << "row " << m << ", column " << j;
      }
      for (int64_t j = width(); j < width() + 5; ++j) {
        ASSERT_EQ(row[j], kUntouched) << "wrote behind a row";
      }
    }
  }

 private:
  int64_t width() const { return sizes_.blocks * kColumns; }
  float Right(int64_t k, int64_t j) const { return right_[k * width() + j]; }

  Sizes sizes_;
  std::vector<float> left_;   // [rows, 2 * n]
  std::vector<float> right_;  // [2 * n, width]
  std::vector<float> sums_;   // [rows, width]
};

TEST_F(AmxTileTest, AddsUpProductsOfAnySizes) {
  for (const int rows : {1, 2, 7, 15, 16}) {
    for (int blocks = 1; blocks <= kAmxBlocks; ++blocks) {
      for (const int64_t n : {1, 8, 15, 16, 17, 24, 40}) {
        SCOPED_TRACE(testing::Message() << rows << " rows, " << blocks
                                        << " blocks, " << n << " elements");
        const Example example({rows, blocks, n});
        example.Check(example.Compute(n));
      }
    }
  }
}

// The order that the manual gives, and so the bits of every CPU with AMX.
TEST_F(AmxTileTest, AddsUpInTheOrderOfTheManual) {
  const Example example({3, 2, 40});
  EXPECT_EQ(example.Compute(40), example.InTheOrderOfTheManual());
}

TEST_F(AmxTileTest, ShapesChangeWithinAScope) {
  const AmxScope scope;
  for (int repeat = 0; repeat < 2; ++repeat) {
    for (const int rows : {16, 3}) {
      const AmxScope inner;
      for (const int64_t n : {32, 24}) {
        const Example example({rows, 2, n});
        example.Check(example.Compute(n));
      }
    }
  }
}

TEST_F(AmxTileTest, BeginsFromZeroWhateverIsThere) {
  const AlignedArray<float> a = Aligned(std::vector<float>(16, 0));
  const AlignedArray<float> b = Aligned(std::vector<float>(16 * kColumns, 0));
  for (const int64_t n : {int64_t{0}, int64_t{16}}) {
    std::vector<float> sums(kColumns, std::numeric_limits<float>::quiet_NaN());
    AmxProduct product;
    product.rows = product.blocks = 1;
    product.n = n;
    product.a = a.data();
    product.b = b.data();
    product.row_stride = product.sum_stride = kColumns;
    product.sums = sums.data();
    product.from_zero = true;
    AddAmxProduct(product);
    EXPECT_EQ(sums, std::vector<float>(kColumns, 0)) << n;
  }
}

TEST_F(AmxTileTest, SumsDependOnNoCutBetweenRuns) {
  const Example example({5, 3, 5 * kAmxRun / 2 + 3});
  const std::vector<float> at_once = example.Compute(1000);
  for (const int64_t runs : {1, 2, 3}) {
    EXPECT_EQ(example.Compute(runs * kAmxRun / 2), at_once) << runs;
  }
}

}  // namespace
}  // namespace charrnn
