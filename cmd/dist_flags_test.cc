#include "cmd/dist_flags.h"

#include <stdlib.h>

#include <map>
#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "dist/launch_environment.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using Environment = std::map<std::string, std::string>;
using Kind = LaunchEnvironment::Kind;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// What torchrun sets for process `rank` of two machines of four.
Environment Torchrun(int rank) {
  return {{"RANK", absl::StrCat(rank)},
          {"WORLD_SIZE", "8"},
          {"LOCAL_RANK", absl::StrCat(rank % 4)},
          {"LOCAL_WORLD_SIZE", "4"},
          {"MASTER_ADDR", "gpu01"},
          {"MASTER_PORT", "29500"}};
}

// What Kubernetes sets for host `rank` of two.
Environment Kubernetes(int rank) {
  return {{"RANK", absl::StrCat(rank)},
          {"WORLD_SIZE", "2"},
          {"MASTER_ADDR", "master-0"},
          {"MASTER_PORT", "23456"}};
}

class DistFlagsTest : public testing::Test {
 protected:
  // As a shell would leave it, whoever has started this test.
  DistFlagsTest() {
    for (const auto& [name, value] : CurrentEnvironment()) {
      for (const char* prefix : {"SLURM_", "OMPI_", "PET_", "TORCHELASTIC_"}) {
        if (name.rfind(prefix, 0) == 0) unsetenv(name.c_str());
      }
    }
    for (const char* name :
         {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR",
          "MASTER_PORT", "JOB_COMPLETION_INDEX"}) {
      unsetenv(name);
    }
  }

  // The request of a process that is started with `flags` in `environment`.
  static absl::StatusOr<DistRequest> Request(
      const std::vector<std::string>& flags,
      const Environment& environment = {}) {
    const absl::FlagSaver saver;
    std::vector<const char*> arguments = {"train_dist"};
    for (const std::string& flag : flags) arguments.push_back(flag.c_str());
    const auto line =
        ParseCommandLine(static_cast<int>(arguments.size()), arguments.data(),
                         {"train_dist", "", ""});
    if (!line.ok()) return line.status();
    for (const auto& [name, value] : environment) {
      setenv(name.c_str(), value.c_str(), 1);
    }
    auto request = DistRequestFromFlags(*FileSystem::Real());
    for (const auto& [name, value] : environment) unsetenv(name.c_str());
    return request;
  }

  const TempDirectory folder_;

 private:
  const absl::FlagSaver saver_;
};

TEST_F(DistFlagsTest, OneHostByItselfNeedsNothing) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest request, Request({}));
  EXPECT_EQ(request.launch.kind, Kind::kNone);
  EXPECT_EQ(request.job.min_hosts, 1);
  EXPECT_EQ(request.job.max_hosts, 1);
  EXPECT_EQ(request.coordinator, "");
  EXPECT_FALSE(request.starts_coordinator);
  EXPECT_EQ(request.credentials.token, "");
  EXPECT_THAT(request.host_name, Not(IsEmpty()));
  EXPECT_EQ(request.address, "");
  EXPECT_EQ(request.nproc, 0);
}

TEST_F(DistFlagsTest, FlagsAreTakenOver) {
  const std::string token = folder_.File("token");
  ASSERT_THAT(WriteFileAtomically(*FileSystem::Real(), token, "sesame\n"),
              IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const DistRequest request,
      Request({"--nnodes=2:3", "--coordinator=head:29400", "--host_name=left",
               "--address=10.0.0.7", "--nproc_per_node=3", "--backend=gloo",
               "--token_file=" + token}));
  EXPECT_EQ(request.job.min_hosts, 2);
  EXPECT_EQ(request.job.max_hosts, 3);
  EXPECT_EQ(request.coordinator, "head:29400");
  EXPECT_FALSE(request.starts_coordinator);
  EXPECT_EQ(request.host_name, "left");
  EXPECT_EQ(request.address, "10.0.0.7");
  EXPECT_EQ(request.nproc, 3);
  EXPECT_EQ(request.backend, "gloo");
  EXPECT_EQ(request.credentials.token, "sesame");
}

TEST_F(DistFlagsTest, SeveralHostsNeedACoordinator) {
  for (const char* flag : {"--nnodes=2", "--nnodes=1:2"}) {
    EXPECT_THAT(
        Request({flag}),
        StatusIs(kInvalid, AllOf(StartsWith("--nnodes: "),
                                 HasSubstr("--coordinator=host:port"))));
  }
  EXPECT_THAT(Request({"--nnodes=1:1"}), IsOk());
}

TEST_F(DistFlagsTest, ALaunchersFirstHostIsTheCoordinator) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest first,
                               Request({}, Kubernetes(0)));
  EXPECT_EQ(first.launch.kind, Kind::kKubernetes);
  EXPECT_EQ(first.job.min_hosts, 2);
  EXPECT_EQ(first.job.max_hosts, 2);
  EXPECT_EQ(first.coordinator, "master-0:23456");
  EXPECT_TRUE(first.starts_coordinator);
  EXPECT_EQ(first.nproc, 0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest second,
                               Request({}, Kubernetes(1)));
  EXPECT_EQ(second.coordinator, "master-0:23456");
  EXPECT_FALSE(second.starts_coordinator);
}

TEST_F(DistFlagsTest, EachOfTorchrunsProcessesIsOneWorker) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest first,
                               Request({}, Torchrun(0)));
  EXPECT_EQ(first.launch.kind, Kind::kTorchrun);
  EXPECT_TRUE(first.starts_coordinator);
  EXPECT_EQ(first.nproc, 1);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest sixth,
                               Request({}, Torchrun(5)));
  EXPECT_EQ(sixth.launch.host_rank, 5);
  EXPECT_EQ(sixth.launch.local_rank, 1);
  EXPECT_EQ(sixth.job.min_hosts, 8);
  EXPECT_EQ(sixth.coordinator, "gpu01:29500");
  EXPECT_FALSE(sixth.starts_coordinator);
  EXPECT_EQ(sixth.nproc, 1);
  // Who says how many means it.
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest two,
                               Request({"--nproc_per_node=2"}, Torchrun(5)));
  EXPECT_EQ(two.nproc, 2);
}

TEST_F(DistFlagsTest, AFlagGoesBeforeWhatTheLauncherSays) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const DistRequest elsewhere,
      Request({"--coordinator=head:1", "--nnodes=1:2"}, Kubernetes(0)));
  EXPECT_EQ(elsewhere.coordinator, "head:1");
  EXPECT_FALSE(elsewhere.starts_coordinator);
  EXPECT_EQ(elsewhere.job.min_hosts, 1);
  EXPECT_EQ(elsewhere.job.max_hosts, 2);
  // Each of a launcher's processes is a job of its own if it is told to be.
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest alone,
                               Request({"--nnodes=1"}, Kubernetes(1)));
  EXPECT_EQ(alone.coordinator, "");
  EXPECT_FALSE(alone.starts_coordinator);
}

TEST_F(DistFlagsTest, ALaunchersVariablesThatMakeNoSenseAreNamed) {
  Environment environment = Torchrun(0);
  environment["RANK"] = "8";
  EXPECT_THAT(Request({}, environment),
              StatusIs(kInvalid, HasSubstr("RANK=8 is not below")));
  environment = Kubernetes(0);
  environment["WORLD_SIZE"] = "many";
  EXPECT_THAT(Request({}, environment),
              StatusIs(kInvalid, HasSubstr("WORLD_SIZE='many'")));
  environment = Kubernetes(0);
  environment.erase("MASTER_ADDR");
  EXPECT_THAT(Request({}, environment),
              StatusIs(kInvalid, HasSubstr("MASTER_ADDR is missing")));
}

TEST_F(DistFlagsTest, WorkersAreANumberOrAuto) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest automatic,
                               Request({"--nproc_per_node=auto"}));
  EXPECT_EQ(automatic.nproc, 0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DistRequest most,
                               Request({"--nproc_per_node=4096"}));
  EXPECT_EQ(most.nproc, 4096);
  for (const char* value : {"0", "-1", "4097", "x", "", "1.5", "gpu"}) {
    const std::string flag = absl::StrCat("--nproc_per_node=", value);
    EXPECT_THAT(Request({flag}),
                StatusIs(kInvalid, StartsWith(flag + ": must be auto or ")));
  }
}

TEST_F(DistFlagsTest, WhatIsWrongWithOtherFlagsIsSaid) {
  EXPECT_THAT(Request({"--nnodes=0"}),
              StatusIs(kInvalid, StartsWith("--nnodes=0: ")));
  EXPECT_THAT(Request({"--nnodes=2", "--coordinator=nonsense"}),
              StatusIs(kInvalid, StartsWith("--coordinator=nonsense: ")));
  EXPECT_THAT(Request({"--collective_timeout=0"}),
              StatusIs(kInvalid, StartsWith("--collective_timeout=0: ")));
  EXPECT_THAT(
      Request({"--token_file=" + folder_.File("absent")}),
      StatusIs(absl::StatusCode::kNotFound, StartsWith("--token_file: ")));
}

}  // namespace
}  // namespace charrnn
