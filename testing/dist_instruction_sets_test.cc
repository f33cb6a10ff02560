// A host whose CPU can do less than the others' makes all compute as it does.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/worker_environment.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/arithmetic.h"
#include "testing/dist_job.h"
#include "testing/run_outcome.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);

// Long enough for the second host to come before the first trains.
constexpr absl::Duration kJoinWindow = absl::Seconds(8);

std::vector<std::string> Flags() {
  return {"--data_path=text.txt", "--embedding_dim=8", "--hidden_dim=16",
          "--batch_size=32",      "--seq_len=8",       "--num_epochs=1",
          "--sample_every=0",     "--device=cpu"};
}

SubprocessResult Train(const Workplace& workplace, const std::string& run_dir,
                       const std::string& isa, const std::string& precision) {
  std::vector<std::string> flags = Flags();
  flags.push_back(absl::StrCat("--run_dir=", run_dir));
  flags.push_back(absl::StrCat("--precision=", precision));
  flags.push_back(absl::StrCat("--isa=", isa));
  return workplace.Run("train", workplace.Here(flags));
}

// A host that can do no more than `instruction_set` comes to the job, and
// leaves it again.
void ComeAndLeave(const std::string& address,
                  const std::string& instruction_set) {
  CoordinatorClient client({address, {}});
  const absl::Time end = absl::Now() + absl::Minutes(2);
  wire::RegisterHostRequest request;
  // The first host's settings are the job's.
  while (request.config_json().empty() && absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(20));
    const auto run = client.OpenRun(wire::OpenRunRequest(), kCallTimeout);
    if (run.ok()) request.set_config_json(run->config_json());
  }
  request.set_host_id("id-old");
  request.set_host_name("old");
  request.set_slots(1);
  request.set_instruction_set(instruction_set);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto registered,
                               client.RegisterHost(request, kCallTimeout));
  EXPECT_EQ(registered.instruction_set(), instruction_set);
  wire::LeaveHostRequest leave;
  leave.set_host_id("id-old");
  EXPECT_THAT(client.LeaveHost(leave, kCallTimeout).status(), IsOk());
}

// A host that has all that this machine has, and one with `least`, which is
// that of kernels for `isa`, come to what these come to.
void CheckThatAllComputeWith(const std::string& least, const std::string& isa,
                             const std::string& precision) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(130));
  ASSERT_EQ(Train(workplace, "native", "auto", precision).exit_code, 0);
  ASSERT_EQ(Train(workplace, "least", isa, precision).exit_code, 0);
  const auto expected = RunOutcome(workplace, "least");
  // Or this test would prove nothing.
  ASSERT_NE(RunOutcome(workplace, "native").at("model.safetensors"),
            expected.at("model.safetensors"));

  const DistJob job(&workplace, "together");
  const auto coordinator = job.StartCoordinator(
      {"--nnodes=1:2",
       absl::StrCat("--join_window=", absl::FormatDuration(kJoinWindow))});
  std::vector<std::string> flags = Flags();
  flags.push_back(absl::StrCat("--precision=", precision));
  flags.push_back("--nproc_per_node=2");
  flags.push_back("--nnodes=1:2");
  const auto host = job.StartHost(flags);
  ASSERT_NO_FATAL_FAILURE(ComeAndLeave(job.Address(), least));
  const auto result = host->Wait();
  ASSERT_THAT(result.status(), IsOk());
  EXPECT_EQ(result->exit_code, 0) << result->stderr_text;
  EXPECT_THAT(coordinator->Wait().status(), IsOk());
  const auto outcome = RunOutcome(workplace, "together");
  for (const char* what : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(outcome.at(what) == expected.at(what)) << what;
  }
}

TEST(InstructionSetsTest, TheLeastOfAllHostsIsWhatAllComputeWith) {
  if (NativeInstructionSet(Precision::kFp32) == "baseline") {
    GTEST_SKIP() << "this CPU can do no more than every other";
  }
  CheckThatAllComputeWith("baseline", "portable", "fp32");
}

TEST(InstructionSetsTest, InBf16AHostWithoutAmxCounts) {
  if (NativeInstructionSet(Precision::kBf16) != "amx") {
    GTEST_SKIP() << "this CPU has no AMX";
  }
  CheckThatAllComputeWith("avx512", "avx512_bf16", "bf16");
}

}  // namespace
}  // namespace charrnn
