#ifndef CHARRNN_MODEL_KERNELS_EACH_ARITHMETIC_H_
#define CHARRNN_MODEL_KERNELS_EACH_ARITHMETIC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// Every way to compute, whether or not this machine can; or those in fp32.
std::vector<Arithmetic> AllArithmetics();
std::vector<Arithmetic> Fp32Arithmetics();

// "avx2_fp32".
std::string NameOf(const Arithmetic& arithmetic);

// The same as a part of a test's name.
std::string ArithmeticName(const testing::TestParamInfo<Arithmetic>& info);

// A test that is run in each way to compute, and says so where it is skipped
// because this machine cannot.
//
//   using ProductTest = EachArithmeticTest;
//   TEST_P(ProductTest, AddsUp) { Product(arithmetic(), ...); }
//   INSTANTIATE_TEST_SUITE_P(Each, ProductTest,
//                            testing::ValuesIn(AllArithmetics()),
//                            ArithmeticName);
class EachArithmeticTest : public testing::TestWithParam<Arithmetic> {
 protected:
  void SetUp() override;

  const Arithmetic& arithmetic() const { return GetParam(); }
  bool IsBf16() const { return arithmetic().precision == Precision::kBf16; }
  // Whether the bits have to be those of kAvx2 in fp32, and that is another.
  bool HasAvx2Bits() const {
    return !IsBf16() && arithmetic().isa > Isa::kAvx2;
  }
};

constexpr Arithmetic kAvx2Fp32 = {Isa::kAvx2, Precision::kFp32};

// `n` numbers in [-spread, spread), the same for a seed.
std::vector<float> RandomNumbers(int64_t n, uint32_t seed, float spread = 1);

// Rows of `columns` numbers, each one moved to a multiple of 64 bytes and
// followed by zeros up to `stride`, a multiple of 16.
AlignedArray<float> AlignedRows(absl::Span<const float> numbers,
                                int64_t columns, int64_t stride);

// The same, all numbers of them in one row that is just as long.
AlignedArray<float> Aligned(absl::Span<const float> numbers);

inline absl::Span<const float> SpanOf(const AlignedArray<float>& array) {
  return absl::MakeConstSpan(array.data(), static_cast<size_t>(array.size()));
}

// Whether both hold the same bits; or else where they first do not.
testing::AssertionResult SameBits(absl::Span<const float> a,
                                  absl::Span<const float> b);

// Whether each number is within `tolerance` of what is expected, or is NaN or
// the same infinity where that is.
testing::AssertionResult AllNear(absl::Span<const float> numbers,
                                 absl::Span<const double> expected,
                                 double tolerance);

// `value` in the precision of factors.
float Rounded(Precision precision, float value);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_EACH_ARITHMETIC_H_
