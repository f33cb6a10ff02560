#include "model/kernels/quantized_product.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"

namespace charrnn {
namespace {

using ::testing::Each;
using ::testing::IsNan;

std::vector<Isa> Isas() {
  std::vector<Isa> isas;
  for (const Arithmetic& int8 : SupportedArithmetics({Precision::kInt8})) {
    isas.push_back(int8.isa);
  }
  return isas;
}

// left [rows, in] times weight^T, weight being [out, in].
struct Example {
  int64_t rows;
  int64_t in;
  int64_t out;
  std::vector<float> left;
  std::vector<float> weight;
  std::vector<float> bias;
};

Example MakeExample(int64_t rows, int64_t in, int64_t out) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Example example = {rows, in, out, {}, {}, {}};
  for (int64_t i = 0; i < rows * in; ++i) {
    example.left.push_back(uniform(random));
  }
  for (int64_t i = 0; i < out * in; ++i) {
    example.weight.push_back(3 * uniform(random));
  }
  for (int64_t i = 0; i < out; ++i) example.bias.push_back(uniform(random));
  return example;
}

QuantizedMatrix Quantize(const Example& example, int panel_blocks) {
  PackedMatrix::RowList rows;
  for (int64_t i = 0; i < example.out; ++i) rows.push_back(i);
  PackedMatrix packed =
      PackedMatrix::OfColumns(rows, example.in, panel_blocks, Precision::kFp32);
  for (int64_t i = 0; i < packed.num_panels(); ++i) {
    packed.PackPanel(example.weight.data(), example.in, i);
  }
  return QuantizedMatrix(packed);
}

// [rows, out].
std::vector<float> Compute(Isa isa, const Example& example,
                           int panel_blocks = kProductBlocks) {
  const QuantizedMatrix right = Quantize(example, panel_blocks);
  const int64_t width = PaddedColumns(example.in);
  AlignedArray<float> left;
  AlignedArray<float> factor;
  AlignedArray<float> scales;
  AlignedArray<float> bias;
  AlignedArray<float> output;
  left.Resize(example.rows * width);
  factor.Resize(example.rows * width / 4);
  scales.Resize(example.rows);
  bias.Resize(right.columns());
  output.Resize(example.rows * right.columns());
  for (int64_t i = 0; i < example.rows * example.in; ++i) {
    left[i / example.in * width + i % example.in] = example.left[i];
  }
  std::copy(example.bias.begin(), example.bias.end(), bias.data());
  ToQuantizedFactor(isa, left.data(), example.rows, width, factor.data(),
                    scales.data());
  QuantizedArguments product;
  product.rows = example.rows;
  product.left = factor.data();
  product.scales = scales.data();
  product.right = &right;
  product.bias = bias.data();
  product.output = output.data();
  product.output_stride = right.columns();
  QuantizedProduct(isa, product);
  std::vector<float> result;
  for (int64_t row = 0; row < example.rows; ++row) {
    const float* const from = output.data() + row * right.columns();
    result.insert(result.end(), from, from + example.out);
  }
  return result;
}

// The same, as it is told.
std::vector<double> Plainly(const Example& example) {
  std::vector<double> result;
  for (int64_t row = 0; row < example.rows; ++row) {
    for (int64_t j = 0; j < example.out; ++j) {
      const float* const weight = example.weight.data() + j * example.in;
      float largest = 0;
      for (int64_t i = 0; i < example.in; ++i) {
        largest = std::max(largest, std::abs(weight[i]));
      }
      int64_t sum = 0;
      for (int64_t i = 0; i < example.in; ++i) {
        const double left = example.left[row * example.in + i];
        sum += std::lrint(left * 127) *
               std::lrint(double{weight[i]} * 127 / largest);
      }
      result.push_back(example.bias[j] + static_cast<double>(sum) *
                                             double{largest} / (127 * 127));
    }
  }
  return result;
}

TEST(QuantizedProductTest, IsTheSumOfProductsOfRoundedNumbers) {
  for (const Isa isa : Isas()) {
    for (const int64_t rows : {1, 2, 9, 40}) {
      for (const int64_t in : {1, 15, 16, 100, 256}) {
        for (const int64_t out : {1, 17, 65, 200, 460}) {
          const Example example = MakeExample(rows, in, out);
          const std::vector<float> actual = Compute(isa, example);
          const std::vector<double> expected = Plainly(example);
          for (size_t i = 0; i < expected.size(); ++i) {
            ASSERT_NEAR(actual[i], expected[i],
                        2e-6 * (1 + std::abs(expected[i])))
                << IsaName(isa) << " " << rows << " " << in << " " << out;
          }
        }
      }
    }
  }
}

TEST(QuantizedProductTest, TheLargestSumsThereAreDoNotOverflow) {
  Example example = MakeExample(2, 65536, 3);
  for (float& number : example.left) number = 1;
  for (float& weight : example.weight) weight = -2;
  for (const Isa isa : Isas()) {
    for (const float sum : Compute(isa, example)) {
      EXPECT_NEAR(sum, -2 * 65536, 1) << IsaName(isa);
    }
  }
}

TEST(QuantizedProductTest, VectorsOfAnyWidthComputeTheSameBits) {
  for (const int64_t rows : {1, 13}) {
    const Example example = MakeExample(rows, 77, 300);
    for (const Isa isa : Isas()) {
      if (isa == Isa::kPortable) continue;
      for (const int panel_blocks : {3, 4}) {
        EXPECT_EQ(Compute(isa, example, panel_blocks),
                  Compute(Isa::kAvx2, example))
            << IsaName(isa);
      }
    }
  }
}

TEST(QuantizedProductTest, ANumberThatIsNoneIsInAllSumsOfItsRow) {
  Example example = MakeExample(3, 50, 40);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    example.left[50 + 49] = bad;
    for (const Isa isa : Isas()) {
      const std::vector<float> sums = Compute(isa, example);
      EXPECT_THAT(std::vector<float>(sums.begin() + 40, sums.begin() + 80),
                  Each(IsNan()));
      for (const size_t i : {0, 39, 80, 119}) {
        EXPECT_TRUE(std::isfinite(sums[i])) << i;
      }
    }
  }
}

TEST(QuantizedProductTest, AWeightThatIsNoNumberIsInAllSumsOfItsColumn) {
  Example example = MakeExample(3, 50, 40);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    example.weight[7 * 50 + 20] = bad;
    for (const Isa isa : Isas()) {
      const std::vector<float> sums = Compute(isa, example);
      for (size_t i = 0; i < sums.size(); ++i) {
        EXPECT_EQ(std::isnan(sums[i]), i % 40 == 7) << i;
      }
    }
  }
}

TEST(QuantizedProductTest, AColumnOfZerosIsItsBias) {
  Example example = MakeExample(2, 20, 5);
  std::fill(example.weight.begin(), example.weight.begin() + 20, 0.0F);
  for (const Isa isa : Isas()) {
    EXPECT_EQ(Compute(isa, example)[0], example.bias[0]) << IsaName(isa);
  }
}

}  // namespace
}  // namespace charrnn
