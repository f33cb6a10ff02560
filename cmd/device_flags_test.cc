#include "cmd/device_flags.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cmd/command_line.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/arithmetic.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class DeviceFlagsTest : public testing::Test {
 protected:
  static absl::StatusOr<Compute> Parse(const std::vector<const char*>& flags) {
    std::vector<const char*> arguments = {"train"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto line = ParseCommandLine(static_cast<int>(arguments.size()),
                                       arguments.data(), {"train", "", ""});
    if (!line.ok()) return line.status();
    return ComputeFromFlags();
  }

  const absl::FlagSaver saver_;
};

TEST_F(DeviceFlagsTest, SaysWhatItComputesWith) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute three,
                               Parse({"--device=cpu", "--threads=3"}));
  EXPECT_EQ(three.device, "cpu");
  EXPECT_EQ(three.pool->num_threads(), 3);
  EXPECT_EQ(
      Describe(three, Precision::kBf16),
      absl::StrCat("cpu, 3 threads, kernels ", IsaName(BestIsa()), ", bf16"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute one,
                               Parse({"--device=cpu", "--threads=1"}));
  EXPECT_THAT(Describe(one, Precision::kFp32), StartsWith("cpu, 1 thread, "));
}

TEST_F(DeviceFlagsTest, InFp32NothingBeyondAvx512IsUsed) {
  if (BestIsa() < Isa::kAvx512) GTEST_SKIP() << "this CPU has no AVX-512";
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute compute, Parse({"--device=cpu"}));
  EXPECT_THAT(Describe(compute, Precision::kFp32),
              HasSubstr(", kernels avx512, fp32"));
}

TEST_F(DeviceFlagsTest, TheChoiceOfAutoIsExplained) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute compute,
                               Parse({"--device=auto", "--threads=2"}));
  const std::string text = Describe(compute, Precision::kFp32);
  if (compute.device == "cpu") {
    EXPECT_THAT(text, AllOf(StartsWith("cpu (auto: "),
                            HasSubstr("), 2 threads, kernels ")));
  } else {
    EXPECT_THAT(text, StartsWith(compute.device + " (auto: "));
  }
}

TEST_F(DeviceFlagsTest, RefusesWhatNoMachineHas) {
  for (const char* flag : {"--threads=-1", "--threads=4097", "--device=tpu",
                           "--isa=sse", "--kernels=magic"}) {
    const absl::FlagSaver saver;
    EXPECT_THAT(Parse({flag}),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(flag)));
  }
}

TEST_F(DeviceFlagsTest, ComputesWithTheInstructionsThatItIsTold) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute best, Parse({"--device=cpu"}));
  EXPECT_EQ(best.isa, BestIsa());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute lower,
                               Parse({"--device=cpu", "--isa=portable"}));
  EXPECT_EQ(lower.isa, Isa::kPortable);
  EXPECT_THAT(Parse({"--device=cpu", "--kernels=libtorch", "--isa=avx2"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("--isa=avx2: only the fused kernels")));
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Compute plain,
      Parse({"--device=cpu", "--kernels=libtorch", "--isa=auto"}));
  EXPECT_EQ(plain.isa, std::nullopt);
  EXPECT_THAT(Describe(plain, Precision::kFp32),
              HasSubstr("kernels libtorch, fp32"));
}

TEST_F(DeviceFlagsTest, Bf16IsForKernelsThatHaveIt) {
  EXPECT_THAT(KernelsFor(std::nullopt, Precision::kFp32),
              IsOkAndHolds(Eq(std::nullopt)));
  for (const std::optional<Isa>& isa :
       {std::optional<Isa>(), std::optional<Isa>(Isa::kAvx2)}) {
    EXPECT_THAT(KernelsFor(isa, Precision::kBf16),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("--precision=bf16: ")));
  }
  for (const Arithmetic& arithmetic : SupportedArithmetics(
           {Precision::kFp32, Precision::kBf16, Precision::kInt8})) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::optional<Arithmetic> kernels,
        KernelsFor(arithmetic.isa, arithmetic.precision));
    ASSERT_TRUE(kernels.has_value());
    EXPECT_EQ(kernels->isa, arithmetic.isa);
    EXPECT_EQ(kernels->precision, arithmetic.precision);
  }
  EXPECT_THAT(TrainingKernelsFor(std::nullopt, Precision::kBf16),
              IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(TrainingKernelsFor(Isa::kAvx2, Precision::kBf16),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace charrnn
