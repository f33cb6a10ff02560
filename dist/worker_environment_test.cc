#include "dist/worker_environment.h"

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/arithmetic.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr char kVariable[] = "CHARRNN_WORKER";

WorkerEnvironment SomeWorker() {
  WorkerEnvironment worker;
  worker.supervisor = 4321;
  worker.host_id = "0f3c";
  worker.local_rank = 3;
  worker.incarnation = 5'000'000'000;
  worker.instruction_set = "avx2";
  worker.threads = 7;
  worker.device = "cuda:1";
  worker.address = "192.0.2.7";
  worker.coordinator = "[2001:db8::1]:1234";
  worker.token = "a\"b\\c\nd";
  worker.tls_ca = "-----BEGIN CERTIFICATE-----\nMII=\n";
  return worker;
}

// What the supervisor sets for SomeWorker().
std::string SomeVariable() {
  return ToVariables(SomeWorker(), "avx2").at(kVariable);
}

absl::StatusOr<std::optional<WorkerEnvironment>> Read(
    const std::string& variable) {
  return ReadWorkerEnvironment({{kVariable, variable}});
}

// SomeVariable() with a part of it replaced, which is there.
std::string Altered(const std::string& from, const std::string& to) {
  std::string variable = SomeVariable();
  EXPECT_THAT(variable, HasSubstr(from));
  return absl::StrReplaceAll(variable, {{from, to}});
}

TEST(WorkerEnvironmentTest, AWorkerReadsWhatItsSupervisorSet) {
  std::map<std::string, std::string> variables =
      ToVariables(SomeWorker(), "avx512");
  variables["HOME"] = "/";
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::optional<WorkerEnvironment> read,
                               ReadWorkerEnvironment(variables));
  ASSERT_TRUE(read.has_value());
  const WorkerEnvironment told = SomeWorker();
  EXPECT_EQ(read->supervisor, told.supervisor);
  EXPECT_EQ(read->host_id, told.host_id);
  EXPECT_EQ(read->local_rank, told.local_rank);
  EXPECT_EQ(read->incarnation, told.incarnation);
  EXPECT_EQ(read->instruction_set, told.instruction_set);
  EXPECT_EQ(read->threads, told.threads);
  EXPECT_EQ(read->device, told.device);
  EXPECT_EQ(read->address, told.address);
  EXPECT_EQ(read->coordinator, told.coordinator);
  EXPECT_EQ(read->token, told.token);
  EXPECT_EQ(read->tls_ca, told.tls_ca);
}

TEST(WorkerEnvironmentTest, WhoeverNoSupervisorHasStartedIsNoWorker) {
  for (const std::map<std::string, std::string>& variables :
       {std::map<std::string, std::string>(),
        {{"CHARRNN_WORKERS", "{}"}, {"HOME", "/"}}}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::optional<WorkerEnvironment> read,
                                 ReadWorkerEnvironment(variables));
    EXPECT_FALSE(read.has_value());
  }
}

TEST(WorkerEnvironmentTest, NonsenseIsRefusedByItsName) {
  ASSERT_THAT(Read(SomeVariable()), IsOk());
  for (const std::string& nonsense :
       {std::string(), std::string("1"), std::string("{}"), std::string("[]"),
        std::string("{\"supervisor\": 1"), "[" + SomeVariable() + "]",
        SomeVariable() + "x", SomeVariable().substr(1),
        Altered("\"threads\"", "\"thread\""), Altered(":7,", ":\"7\","),
        Altered(":7,", ":7.5,"), Altered(":7,", ":-7,"),
        Altered(":7,", ":null,"), Altered(":7,", ":4294967297,"),
        Altered("4321", "18446744073709551615"),
        Altered("4321", "99999999999999999999"),
        Altered("5000000000", "9223372036854775808"), Altered("\"0f3c\"", "3"),
        Altered("\"0f3c\"", "[\"0f3c\"]")}) {
    EXPECT_THAT(Read(nonsense), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr(kVariable)))
        << nonsense;
  }
}

TEST(WorkerEnvironmentTest, NoTokenIsSaidInAnError) {
  EXPECT_THAT(
      Read(Altered(":7,", ":7.5,")),
      StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("MII"))));
}

TEST(WorkerEnvironmentTest, TextThatIsNotUtf8BreaksNothing) {
  WorkerEnvironment worker = SomeWorker();
  worker.address = "a\xff";
  EXPECT_THAT(ReadWorkerEnvironment(ToVariables(worker, "avx2")), IsOk());
}

TEST(WorkerEnvironmentTest, TheNativeInstructionSetIsNotAskedFor) {
  for (const char* set : {"avx512", "avx2", "baseline"}) {
    WorkerEnvironment worker = SomeWorker();
    worker.instruction_set = set;
    EXPECT_THAT(ToVariables(worker, set), ElementsAre(Key(kVariable)));
  }
}

TEST(WorkerEnvironmentTest, AnotherInstructionSetIsAskedForOfEachLibrary) {
  WorkerEnvironment worker = SomeWorker();
  worker.instruction_set = "avx2";
  EXPECT_THAT(
      ToVariables(worker, "avx512"),
      UnorderedElementsAre(Key(kVariable), Pair("ATEN_CPU_CAPABILITY", "avx2"),
                           Pair("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
                           Pair("MKL_CBWR", "AVX2"),
                           Pair("ONEDNN_MAX_CPU_ISA", "AVX2")));
  worker.instruction_set = "baseline";
  for (const char* native : {"avx2", "avx512"}) {
    EXPECT_THAT(ToVariables(worker, native),
                UnorderedElementsAre(Key(kVariable),
                                     Pair("ATEN_CPU_CAPABILITY", "default"),
                                     Pair("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"),
                                     Pair("MKL_CBWR", "SSE4_2"),
                                     Pair("ONEDNN_MAX_CPU_ISA", "SSE41")));
  }
}

TEST(WorkerEnvironmentTest, WithoutAmxLibTorchDoesWithoutItToo) {
  WorkerEnvironment worker = SomeWorker();
  worker.instruction_set = "avx512";
  std::map<std::string, std::string> variables = ToVariables(worker, "amx");
  variables.erase("CHARRNN_WORKER");
  EXPECT_THAT(variables, ::testing::ElementsAre(
                             Pair("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")));
}

TEST(WorkerEnvironmentTest, TheNativeInstructionSetIsOneOfThoseThatAreKnown) {
  const std::string fp32 = NativeInstructionSet(Precision::kFp32);
  EXPECT_THAT(fp32, ::testing::AnyOf("avx512", "avx2", "baseline"));
  EXPECT_EQ(fp32 == "baseline",
            !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
  // Only AMX, which products in bf16 are computed with, makes a difference.
  EXPECT_EQ(NativeInstructionSet(Precision::kBf16),
            BestIsa() == Isa::kAmxBf16 ? "amx" : fp32);
}

TEST(InstructionSetTest, KernelsComputeWithinWhatHostsHaveAgreedOn) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const auto agreed = [&](Isa isa) {
      return BestIsaOf(InstructionSetOf({isa, precision}), precision);
    };
    for (const Isa isa : kAllIsas) EXPECT_GE(agreed(isa), isa);
    EXPECT_EQ(agreed(Isa::kPortable), Isa::kPortable);
    EXPECT_EQ(agreed(Isa::kAvx2), Isa::kAvx2);
    // No more than what LibTorch's libraries are told.
    EXPECT_EQ(InstructionSetOf({BestIsa(), precision}),
              NativeInstructionSet(precision));
  }
  EXPECT_EQ(BestIsaOf("avx512", Precision::kBf16), Isa::kAvx512Bf16);
}

TEST(InstructionSetTest, AmxCountsInBf16Alone) {
  EXPECT_EQ(InstructionSetOf({Isa::kAmxBf16, Precision::kBf16}), "amx");
  EXPECT_EQ(InstructionSetOf({Isa::kAmxBf16, Precision::kFp32}), "avx512");
  EXPECT_EQ(InstructionSetOf({Isa::kAvx512Bf16, Precision::kBf16}), "avx512");
  EXPECT_EQ(BestIsaOf("avx512", Precision::kFp32), Isa::kAmxBf16);
  EXPECT_EQ(BestIsaOf("amx", Precision::kBf16), Isa::kAmxBf16);
}

}  // namespace
}  // namespace charrnn
