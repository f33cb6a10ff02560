#include "model/kernels/each_arithmetic.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"

namespace charrnn {

std::vector<Arithmetic> Fp32Arithmetics() {
  return {{Isa::kPortable, Precision::kFp32},
          {Isa::kAvx2, Precision::kFp32},
          {Isa::kAvx512, Precision::kFp32},
          {Isa::kAvx512Bf16, Precision::kFp32},
          {Isa::kAmxBf16, Precision::kFp32}};
}

std::vector<Arithmetic> AllArithmetics() {
  std::vector<Arithmetic> all = Fp32Arithmetics();
  all.push_back({Isa::kAvx512Bf16, Precision::kBf16});
  all.push_back({Isa::kAmxBf16, Precision::kBf16});
  return all;
}

std::string NameOf(const Arithmetic& arithmetic) {
  return absl::StrCat(IsaName(arithmetic.isa), "_",
                      PrecisionName(arithmetic.precision));
}

std::string ArithmeticName(const testing::TestParamInfo<Arithmetic>& info) {
  return NameOf(info.param);
}

void EachArithmeticTest::SetUp() {
  const absl::Status status = CheckSupported(arithmetic());
  if (!status.ok()) GTEST_SKIP() << status.message();
}

std::vector<float> RandomNumbers(int64_t n, uint32_t seed, float spread) {
  std::mt19937 random(seed);
  std::vector<float> numbers(n);
  for (float& number : numbers) {
    number = (static_cast<float>(random() >> 8) * 0x1p-23f - 1) * spread;
  }
  return numbers;
}

AlignedArray<float> AlignedRows(absl::Span<const float> numbers,
                                int64_t columns, int64_t stride) {
  const int64_t rows = static_cast<int64_t>(numbers.size()) / columns;
  AlignedArray<float> array;
  array.Resize(rows * stride);
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(array.data() + row * stride, numbers.data() + row * columns,
                columns * sizeof(float));
  }
  return array;
}

AlignedArray<float> Aligned(absl::Span<const float> numbers) {
  const auto size = static_cast<int64_t>(numbers.size());
  return AlignedRows(numbers, size, size);
}

testing::AssertionResult SameBits(absl::Span<const float> a,
                                  absl::Span<const float> b) {
  if (a.size() != b.size()) {
    return testing::AssertionFailure()
           << a.size() << " numbers, and " << b.size();
  }
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return testing::AssertionFailure()
             << "number " << i << " of " << a.size() << " is "
             << testing::PrintToString(a[i]) << ", and "
             << testing::PrintToString(b[i]);
    }
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult AllNear(absl::Span<const float> numbers,
                                 absl::Span<const double> expected,
                                 double tolerance) {
  if (numbers.size() != expected.size()) {
    return testing::AssertionFailure()
           << numbers.size() << " numbers for " << expected.size();
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double number = numbers[i];
    const bool near = std::isnan(expected[i])
                          ? std::isnan(number)
                          : number == expected[i] ||
                                std::abs(number - expected[i]) <= tolerance;
    if (!near) {
      return testing::AssertionFailure()
             << "number " << i << " of " << numbers.size() << " is " << number
             << " instead of " << expected[i] << ", and not within "
             << tolerance;
    }
  }
  return testing::AssertionSuccess();
}

float Rounded(Precision precision, float value) {
  return precision == Precision::kBf16 ? FromBfloat16(ToBfloat16(value))
                                       : value;
}

}  // namespace charrnn
