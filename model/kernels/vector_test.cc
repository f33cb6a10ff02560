#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/vector_test.cc"
#include "model/kernels/targets.h"
// The order counts: from here on, all is compiled once for each target.
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "model/kernels/tile-inl.h"
#include "model/kernels/tiles-inl.h"
#include "model/kernels/vector-inl.h"

#ifndef CHARRNN_MODEL_KERNELS_VECTOR_TEST_FUNCTION_
#define CHARRNN_MODEL_KERNELS_VECTOR_TEST_FUNCTION_
namespace charrnn {

enum class Function { kExp, kSigmoid, kTanh };

}  // namespace charrnn
#endif  // CHARRNN_MODEL_KERNELS_VECTOR_TEST_FUNCTION_

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {

void Evaluate(Function function, const AlignedArray<float>& x,
              AlignedArray<float>* y) {
  for (int64_t i = 0; i < x.size(); i += kLanes) {
    const Floats value = hn::Load(kFloats, x.data() + i);
    hn::Store(function == Function::kExp       ? Exp(value)
              : function == Function::kSigmoid ? Sigmoid(value)
                                               : Tanh(value),
              kFloats, y->data() + i);
  }
}

// The most rows of a tile of 1 to 4 blocks.
std::vector<int> MostRows() {
  return {MaxTileRows<Fp32Step>(1), MaxTileRows<Fp32Step>(2),
          MaxTileRows<Fp32Step>(3), MaxTileRows<Fp32Step>(4)};
}

// Where tiles begin, and where the last one ends.
std::vector<int64_t> TileBorders(int64_t rows, int max_rows) {
  std::vector<int64_t> borders = {0};
  const TileRows all(rows, max_rows);
  for (int64_t tile = 0; tile < all.tiles(); ++tile) {
    // None is left out, none done twice.
    if (all.Begin(tile) == borders.back()) {
      borders.push_back(all.Begin(tile) + all.Size(tile));
    }
  }
  return borders;
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

// Every 4,099th float, a prime number, of both signs and all sizes, infinities
// and NaNs among them.
std::vector<float> FloatsOfAllSizes() {
  std::vector<float> floats;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4099) {
    const auto word = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, sizeof value);
    floats.push_back(value);
  }
  return floats;
}

// What gates are made of: [-20, 20], closely; and the whole range of Exp.
std::vector<float> FloatsOfInterest() {
  std::vector<float> floats = RandomNumbers(200000, 1, 20);
  for (const float spread : {0.01f, 1.0f, 89.0f}) {
    const std::vector<float> more = RandomNumbers(100000, 2, spread);
    floats.insert(floats.end(), more.begin(), more.end());
  }
  return floats;
}

class VectorTest : public EachArithmeticTest {
 protected:
  std::vector<float> Compute(const Arithmetic& arithmetic, Function function,
                             std::vector<float> x) {
    const size_t size = x.size();
    x.resize((size + kBlock - 1) / kBlock * kBlock);
    AlignedArray<float> y;
    y.Resize(static_cast<int64_t>(x.size()));
    CHARRNN_KERNEL(arithmetic.isa, Evaluate)(function, Aligned(x), &y);
    return {y.data(), y.data() + size};
  }

  std::vector<float> Compute(Function function, const std::vector<float>& x) {
    return Compute(arithmetic(), function, x);
  }

  float Compute(Function function, float x) {
    return Compute(function, std::vector<float>{x})[0];
  }

  static constexpr int64_t kBlock = 16;
};

double Exact(Function function, double x) {
  switch (function) {
    case Function::kExp:
      return std::exp(x);
    case Function::kSigmoid:
      return 1 / (1 + std::exp(-x));
    default:
      return std::tanh(x);
  }
}

// The distance to the next float.
double Ulp(double value) {
  const auto size = static_cast<float>(std::abs(value));
  return double{std::nextafter(size, kInfinity)} - double{size};
}

TEST_P(VectorTest, ExpIsWithinAnUlpAndAHalf) {
  for (const std::vector<float>& xs :
       {FloatsOfAllSizes(), FloatsOfInterest()}) {
    const std::vector<float> ys = Compute(Function::kExp, xs);
    double worst = 0;
    for (size_t i = 0; i < xs.size(); ++i) {
      const bool tested = xs[i] > -87.33f && xs[i] < 88.37f;
      if (!tested) continue;
      const double exact = std::exp(double{xs[i]});
      worst = std::max(worst, std::abs(ys[i] - exact) / Ulp(exact));
    }
    EXPECT_LT(worst, 1.5);
  }
}

TEST_P(VectorTest, ExpEndsWhereNumbersEnd) {
  for (const float x : {-87.7f, -100.0f, -1000.0f, -kLargest, -kInfinity}) {
    EXPECT_EQ(Compute(Function::kExp, x), 0) << x;
  }
  for (const float x : {88.4f, 100.0f, 1000.0f, kLargest, kInfinity}) {
    EXPECT_EQ(Compute(Function::kExp, x), kInfinity) << x;
  }
}

TEST_P(VectorTest, SigmoidAndTanhAreCloseToTheTruth) {
  for (const std::vector<float>& xs :
       {FloatsOfAllSizes(), FloatsOfInterest()}) {
    for (const Function function : {Function::kSigmoid, Function::kTanh}) {
      const std::vector<float> ys = Compute(function, xs);
      double worst = 0;
      for (size_t i = 0; i < xs.size(); ++i) {
        if (std::isnan(xs[i])) continue;
        ASSERT_LE(ys[i], 1) << xs[i];
        ASSERT_GE(ys[i], function == Function::kTanh ? -1 : 0) << xs[i];
        worst = std::max(worst, std::abs(ys[i] - Exact(function, xs[i])));
      }
      EXPECT_LT(worst, function == Function::kTanh ? 2e-7 : 1e-7);
    }
  }
}

TEST_P(VectorTest, AllAreExactAtZeroAndInfinity) {
  for (const float zero : {0.0f, -0.0f, kDenormal, -kDenormal, 1e-40f}) {
    EXPECT_EQ(Compute(Function::kExp, zero), 1);
    EXPECT_EQ(Compute(Function::kSigmoid, zero), 0.5f);
    EXPECT_EQ(Compute(Function::kTanh, zero), 0);
  }
  for (const float large : {100.0f, kLargest, kInfinity}) {
    EXPECT_EQ(Compute(Function::kSigmoid, large), 1);
    EXPECT_EQ(Compute(Function::kSigmoid, -large), 0);
    EXPECT_EQ(Compute(Function::kTanh, large), 1);
    EXPECT_EQ(Compute(Function::kTanh, -large), -1);
  }
}

TEST_P(VectorTest, NanStaysNanAndToItself) {
  for (const Function function :
       {Function::kExp, Function::kSigmoid, Function::kTanh}) {
    // All kinds of them, beside numbers.
    std::vector<float> xs;
    for (const float x : FloatsOfAllSizes()) {
      if (!std::isnan(x)) continue;
      xs.push_back(x);
      xs.push_back(0.25f);
    }
    ASSERT_GT(xs.size(), 1000u);
    const std::vector<float> ys = Compute(function, xs);
    const float of_number = Compute(function, 0.25f);
    for (size_t i = 0; i < xs.size(); ++i) {
      if (i % 2 == 0) {
        ASSERT_TRUE(std::isnan(ys[i])) << ys[i];
      } else {
        ASSERT_EQ(ys[i], of_number);
      }
    }
  }
}

TEST_P(VectorTest, WideVectorsComputeTheBitsOfAvx2) {
  if (!HasAvx2Bits()) GTEST_SKIP() << "portable code has bits of its own";
  for (const std::vector<float>& all :
       {FloatsOfAllSizes(), FloatsOfInterest()}) {
    std::vector<float> xs;
    for (const float x : all) {
      if (!std::isnan(x)) xs.push_back(x);
    }
    for (const Function function :
         {Function::kExp, Function::kSigmoid, Function::kTanh}) {
      EXPECT_TRUE(
          SameBits(Compute(function, xs), Compute(kAvx2Fp32, function, xs)));
    }
  }
}

TEST_P(VectorTest, TilesMakeUpAllRowsInNearlyEqualHeights) {
  for (int64_t rows = 1; rows <= 100; ++rows) {
    for (int max_rows = 1; max_rows <= 8; ++max_rows) {
      const std::vector<int64_t> borders =
          CHARRNN_KERNEL(arithmetic().isa, TileBorders)(rows, max_rows);
      ASSERT_EQ(borders.back(), rows);
      const auto tiles = static_cast<int64_t>(borders.size()) - 1;
      EXPECT_EQ(tiles, (rows + max_rows - 1) / max_rows);
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t height = borders[i + 1] - borders[i];
        EXPECT_LE(height, max_rows);
        EXPECT_GE(height, rows / tiles);
      }
    }
  }
}

TEST_P(VectorTest, ATileHasAtLeastTwoRowsAndFitsItsRegisters) {
  const std::vector<int> most = CHARRNN_KERNEL(arithmetic().isa, MostRows)();
  const int registers = arithmetic().isa >= Isa::kAvx512 ? 32 : 16;
  for (int blocks = 1; blocks <= 4; ++blocks) {
    EXPECT_GE(most[blocks - 1], 2);
    EXPECT_LE(most[blocks - 1] * blocks, registers);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, VectorTest, testing::ValuesIn(Fp32Arithmetics()),
                         ArithmeticName);

}  // namespace
}  // namespace charrnn
#endif  // HWY_ONCE
