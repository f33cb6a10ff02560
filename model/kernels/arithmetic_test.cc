#include "model/kernels/arithmetic.h"

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

TEST(IsaTest, ParsesItsOwnNames) {
  for (const Isa isa : kAllIsas) {
    EXPECT_THAT(ParseIsa(IsaName(isa)), IsOkAndHolds(isa));
  }
  EXPECT_EQ(IsaName(Isa::kPortable), "portable");
  EXPECT_EQ(IsaName(Isa::kAvx2), "avx2");
  EXPECT_EQ(IsaName(Isa::kAvx512), "avx512");
  EXPECT_EQ(IsaName(Isa::kAvx512Bf16), "avx512_bf16");
  EXPECT_EQ(IsaName(Isa::kAmxBf16), "amx_bf16");
}

TEST(IsaTest, RefusesOtherNamesAndSaysWhichThereAre) {
  for (const absl::string_view name :
       {"", "AVX2", " avx2", "avx2 ", "avx", "avx512bf16", "neon"}) {
    EXPECT_THAT(ParseIsa(name),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "must be amx_bf16, avx512_bf16, avx512, avx2 or "
                         "portable"));
  }
}

TEST(PrecisionTest, ParsesItsOwnNamesInAnyCase) {
  EXPECT_THAT(ParsePrecision("fp32"), IsOkAndHolds(Precision::kFp32));
  EXPECT_THAT(ParsePrecision("FP32"), IsOkAndHolds(Precision::kFp32));
  EXPECT_THAT(ParsePrecision("bf16"), IsOkAndHolds(Precision::kBf16));
  EXPECT_THAT(ParsePrecision("Bf16"), IsOkAndHolds(Precision::kBf16));
  EXPECT_EQ(PrecisionName(Precision::kFp32), "fp32");
  EXPECT_EQ(PrecisionName(Precision::kBf16), "bf16");
}

TEST(PrecisionTest, RefusesOtherNamesAndSaysWhichThereAre) {
  for (const absl::string_view name :
       {"", "fp16", "float", "bfloat16", "fp32 ", "int8"}) {
    EXPECT_THAT(
        ParsePrecision(name),
        StatusIs(absl::StatusCode::kInvalidArgument, "must be fp32 or bf16"));
  }
}

TEST(PrecisionTest, HasOneMoreForSampling) {
  EXPECT_THAT(ParseSamplingPrecision("FP32"), IsOkAndHolds(Precision::kFp32));
  EXPECT_THAT(ParseSamplingPrecision("bf16"), IsOkAndHolds(Precision::kBf16));
  EXPECT_THAT(ParseSamplingPrecision("Int8"), IsOkAndHolds(Precision::kInt8));
  EXPECT_EQ(PrecisionName(Precision::kInt8), "int8");
  EXPECT_THAT(ParseSamplingPrecision("int4"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "must be fp32, bf16 or int8"));
}

TEST(CheckSupportedTest, TakesWhatTheMachineHasInFp32) {
  for (const Isa isa : kAllIsas) {
    if (isa <= BestIsa()) {
      EXPECT_THAT(CheckSupported({isa, Precision::kFp32}), IsOk());
    }
  }
}

TEST(CheckSupportedTest, NamesTheBestOfAMachineThatHasLess) {
  if (BestIsa() == Isa::kAmxBf16) {
    GTEST_SKIP() << "this machine has everything";
  }
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    EXPECT_THAT(CheckSupported({Isa::kAmxBf16, precision}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         absl::StrCat("this machine's CPU has no more than ",
                                      IsaName(BestIsa()))));
  }
}

TEST(CheckSupportedTest, WantsItsOwnInstructionSetForBf16) {
  const bool has = BestIsa() >= Isa::kAvx512Bf16;
  EXPECT_EQ(CheckSupported({Isa::kAvx512Bf16, Precision::kBf16}).ok(), has);
  for (const Isa isa : kAllIsas) {
    if (isa >= Isa::kAvx512Bf16 || isa > BestIsa()) continue;
    EXPECT_THAT(
        CheckSupported({isa, Precision::kBf16}),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 absl::StrCat(
                     "it needs the instruction set amx_bf16 or avx512_bf16, "
                     "and ",
                     has ? absl::StrCat("this is ", IsaName(isa))
                         : absl::StrCat("this machine's CPU has no more than ",
                                        IsaName(BestIsa())))));
  }
}

TEST(ArithmeticTest, AmxIsUsedInBf16Alone) {
  EXPECT_TRUE(UsesAmx({Isa::kAmxBf16, Precision::kBf16}));
  EXPECT_FALSE(UsesAmx({Isa::kAmxBf16, Precision::kFp32}));
  EXPECT_FALSE(UsesAmx({Isa::kAmxBf16, Precision::kInt8}));
  EXPECT_FALSE(UsesAmx({Isa::kAvx512Bf16, Precision::kBf16}));
}

TEST(ArithmeticTest, AllThatAreSupportedAreListed) {
  const std::vector<Arithmetic> all =
      SupportedArithmetics({Precision::kInt8, Precision::kBf16});
  // 8 bits need no instructions of their own, bf16 AVX512-BF16.
  const bool has_bf16 = BestIsa() >= Isa::kAvx512Bf16;
  const bool has_amx = BestIsa() == Isa::kAmxBf16;
  ASSERT_EQ(all.size(),
            static_cast<size_t>(BestIsa()) + 1 + has_bf16 + has_amx);
  for (const Arithmetic& arithmetic : all) {
    EXPECT_THAT(CheckSupported(arithmetic), IsOk());
  }
  EXPECT_EQ(all.front().precision, Precision::kInt8);
  EXPECT_EQ(all.back().precision == Precision::kBf16, has_bf16);
}

}  // namespace
}  // namespace charrnn
