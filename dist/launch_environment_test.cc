#include "dist/launch_environment.h"

#include <stdlib.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Kind = LaunchEnvironment::Kind;
using Environment = std::map<std::string, std::string>;

// As torchrun of PyTorch 2.11 sets them for one process of two machines.
Environment Torchrun() {
  return {{"RANK", "5"},
          {"WORLD_SIZE", "8"},
          {"LOCAL_RANK", "1"},
          {"LOCAL_WORLD_SIZE", "4"},
          {"GROUP_RANK", "1"},
          {"GROUP_WORLD_SIZE", "2"},
          {"ROLE_RANK", "5"},
          {"ROLE_WORLD_SIZE", "8"},
          {"ROLE_NAME", "default"},
          {"MASTER_ADDR", "gpu01"},
          {"MASTER_PORT", "29500"},
          {"TORCHELASTIC_RESTART_COUNT", "0"},
          {"TORCHELASTIC_MAX_RESTARTS", "0"},
          {"TORCHELASTIC_RUN_ID", "none"},
          {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
}

Environment Kubernetes() {
  return {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"},
          {"MASTER_ADDR", "shakespeare-master-0"},
          {"MASTER_PORT", "23456"},
          {"WORLD_SIZE", "4"},
          {"RANK", "3"},
          {"PYTHONUNBUFFERED", "1"}};
}

Environment Slurm() {
  return {{"SLURM_JOB_ID", "123817"},
          {"SLURM_STEP_ID", "0"},
          {"SLURM_PROCID", "1"},
          {"SLURM_NTASKS", "4"},
          {"SLURM_LOCALID", "0"},
          {"SLURM_NODEID", "1"},
          {"SLURM_NNODES", "4"},
          {"SLURM_STEP_NODELIST", "gpu[01-03,07]"},
          {"SLURM_JOB_NODELIST", "gpu[00-03,07]"}};
}

Environment OpenMpi() {
  return {
      {"OMPI_COMM_WORLD_RANK", "2"},       {"OMPI_COMM_WORLD_SIZE", "6"},
      {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
      {"MASTER_ADDR", "10.0.0.7"},         {"MASTER_PORT", "6000"}};
}

// `environment` with one variable changed, or taken away if `value` is empty.
Environment With(Environment environment, const std::string& name,
                 const std::string& value) {
  environment.erase(name);
  if (!value.empty()) environment[name] = value;
  return environment;
}

TEST(LaunchEnvironmentTest, ReadsTorchrun) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const LaunchEnvironment launch,
                               ReadLaunchEnvironment(Torchrun()));
  EXPECT_EQ(launch.kind, Kind::kTorchrun);
  EXPECT_EQ(launch.num_hosts, 8);
  EXPECT_EQ(launch.host_rank, 5);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.local_world_size, 4);
  EXPECT_FALSE(launch.starts_coordinator);
  EXPECT_EQ(launch.description,
            "torchrun: worker 6 of 8 (2 of 4 on this machine), coordinator "
            "gpu01:29501");
}

TEST(LaunchEnvironmentTest, TakesThePortAfterTorchrunsOwnStore) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(LaunchEnvironment launch,
                               ReadLaunchEnvironment(Torchrun()));
  EXPECT_EQ(launch.coordinator, "gpu01:29501");
  for (const std::string value : {"False", ""}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        launch, ReadLaunchEnvironment(
                    With(Torchrun(), "TORCHELASTIC_USE_AGENT_STORE", value)));
    EXPECT_EQ(launch.coordinator, "gpu01:29500");
  }
  EXPECT_THAT(
      ReadLaunchEnvironment(With(Torchrun(), "MASTER_PORT", "65535")),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "torchrun: MASTER_PORT='65535' is not a number from 1 to "
               "65534"));
}

TEST(LaunchEnvironmentTest, RankZeroStartsTheCoordinator) {
  for (const auto& [environment, rank_name] :
       {std::pair{Torchrun(), "RANK"}, std::pair{Kubernetes(), "RANK"},
        std::pair{Slurm(), "SLURM_PROCID"},
        std::pair{OpenMpi(), "OMPI_COMM_WORLD_RANK"}}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        LaunchEnvironment launch,
        ReadLaunchEnvironment(With(environment, rank_name, "0")));
    EXPECT_TRUE(launch.starts_coordinator);
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        launch, ReadLaunchEnvironment(With(environment, rank_name, "1")));
    EXPECT_FALSE(launch.starts_coordinator);
  }
}

TEST(LaunchEnvironmentTest, ReadsAPyTorchJob) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const LaunchEnvironment launch,
                               ReadLaunchEnvironment(Kubernetes()));
  EXPECT_EQ(launch.kind, Kind::kKubernetes);
  EXPECT_EQ(launch.num_hosts, 4);
  EXPECT_EQ(launch.host_rank, 3);
  EXPECT_EQ(launch.local_rank, 0);
  EXPECT_EQ(launch.local_world_size, 1);
  EXPECT_EQ(launch.description,
            "Kubernetes: host 4 of 4, coordinator shakespeare-master-0:23456");
}

TEST(LaunchEnvironmentTest, CountsPodsAndNotWorkersOfAPyTorchJob) {
  Environment environment = Kubernetes();
  environment["WORLD_SIZE"] = "32";
  environment["PET_NPROC_PER_NODE"] = "8";
  environment["PET_NNODES"] = "4";
  CHARRNN_ASSERT_OK_AND_ASSIGN(LaunchEnvironment launch,
                               ReadLaunchEnvironment(environment));
  EXPECT_EQ(launch.num_hosts, 4);
  EXPECT_THAT(ReadLaunchEnvironment(With(environment, "RANK", "4")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "Kubernetes: RANK=4 is not below PET_NNODES=4"));
  environment["PET_NNODES"] = "1:4";  // an elastic job's least and most
  CHARRNN_ASSERT_OK_AND_ASSIGN(launch, ReadLaunchEnvironment(environment));
  EXPECT_EQ(launch.num_hosts, 32);
}

TEST(LaunchEnvironmentTest, ReadsAnIndexedJob) {
  Environment environment = With(Kubernetes(), "RANK", "");
  environment["JOB_COMPLETION_INDEX"] = "2";
  CHARRNN_ASSERT_OK_AND_ASSIGN(const LaunchEnvironment launch,
                               ReadLaunchEnvironment(environment));
  EXPECT_EQ(launch.kind, Kind::kKubernetes);
  EXPECT_EQ(launch.host_rank, 2);
}

TEST(LaunchEnvironmentTest, ReadsSlurm) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const LaunchEnvironment launch,
                               ReadLaunchEnvironment(Slurm()));
  EXPECT_EQ(launch.kind, Kind::kSlurm);
  EXPECT_EQ(launch.num_hosts, 4);
  EXPECT_EQ(launch.host_rank, 1);
  EXPECT_EQ(launch.local_rank, 0);
  EXPECT_EQ(launch.local_world_size, 1);
  EXPECT_EQ(launch.coordinator, "gpu01:23817");
  EXPECT_EQ(launch.description, "Slurm: host 2 of 4, coordinator gpu01:23817");
}

TEST(LaunchEnvironmentTest, ReadsSlurmWithSeveralTasksANode) {
  Environment environment = Slurm();
  environment["SLURM_NNODES"] = "2";
  environment["SLURM_LOCALID"] = "1";
  CHARRNN_ASSERT_OK_AND_ASSIGN(LaunchEnvironment launch,
                               ReadLaunchEnvironment(environment));
  EXPECT_EQ(launch.local_world_size, 2);
  EXPECT_EQ(launch.local_rank, 1);
  // Slurm says it itself where they are not the same on each.
  environment["SLURM_NTASKS"] = "10";
  for (const auto& [node, tasks] :
       {std::pair{"0", 3}, std::pair{"2", 3}, std::pair{"3", 2}}) {
    environment["SLURM_STEP_TASKS_PER_NODE"] = "3(x3),2";
    environment["SLURM_NODEID"] = node;
    CHARRNN_ASSERT_OK_AND_ASSIGN(launch, ReadLaunchEnvironment(environment));
    EXPECT_EQ(launch.local_world_size, tasks) << node;
  }
}

TEST(LaunchEnvironmentTest, RefusesTasksANodeThatMakeNoSense) {
  for (const std::string list : {"4", "x", "1(x2", "1(2)", "1(x)", "1(xa),1",
                                 "99(x9)", ",1,1", "0,0", "1,,1"}) {
    EXPECT_THAT(
        ReadLaunchEnvironment(
            With(With(Slurm(), "SLURM_STEP_TASKS_PER_NODE", list),
                 "SLURM_NODEID", "2")),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 HasSubstr("SLURM_STEP_TASKS_PER_NODE='" + list + "'")));
  }
}

TEST(LaunchEnvironmentTest, AStepCountsItsOwnTasks) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const LaunchEnvironment launch,
      ReadLaunchEnvironment(With(Slurm(), "SLURM_STEP_NUM_TASKS", "3")));
  EXPECT_EQ(launch.num_hosts, 3);
}

TEST(LaunchEnvironmentTest, StepsOfAJobDoNotMeet) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const LaunchEnvironment launch,
      ReadLaunchEnvironment(With(Slurm(), "SLURM_STEP_ID", "1")));
  EXPECT_EQ(launch.coordinator, "gpu01:21736");
}

TEST(LaunchEnvironmentTest, ABatchScriptIsNoStep) {
  // Not set, a batch script's, an interactive shell's.
  for (const std::string step : {"", "4294967291", "4294967290"}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const LaunchEnvironment launch,
        ReadLaunchEnvironment(With(Slurm(), "SLURM_STEP_ID", step)));
    EXPECT_EQ(launch.kind, Kind::kNone) << step;
  }
}

TEST(LaunchEnvironmentTest, WhatTheUserSaysOfSlurmsCoordinatorCounts) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      LaunchEnvironment launch,
      ReadLaunchEnvironment(With(Slurm(), "MASTER_PORT", "1234")));
  EXPECT_EQ(launch.coordinator, "gpu01:1234");
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      launch, ReadLaunchEnvironment(With(Slurm(), "MASTER_ADDR", "::1")));
  EXPECT_EQ(launch.coordinator, "[::1]:23817");
}

TEST(LaunchEnvironmentTest, WithoutAStepsHostsTheJobsAreTaken) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const LaunchEnvironment launch,
      ReadLaunchEnvironment(With(Slurm(), "SLURM_STEP_NODELIST", "")));
  EXPECT_EQ(launch.coordinator, "gpu00:23817");
}

TEST(LaunchEnvironmentTest, ReadsOpenMpi) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const LaunchEnvironment launch,
                               ReadLaunchEnvironment(OpenMpi()));
  EXPECT_EQ(launch.kind, Kind::kOpenMpi);
  EXPECT_EQ(launch.num_hosts, 6);
  EXPECT_EQ(launch.host_rank, 2);
  EXPECT_EQ(launch.local_rank, 0);
  EXPECT_EQ(launch.local_world_size, 2);
  EXPECT_EQ(launch.description,
            "Open MPI: worker 3 of 6 (1 of 2 on this machine), coordinator "
            "10.0.0.7:6000");
}

TEST(LaunchEnvironmentTest, OpenMpiHasToBeToldTheCoordinator) {
  for (const char* name : {"MASTER_ADDR", "MASTER_PORT"}) {
    EXPECT_THAT(ReadLaunchEnvironment(With(OpenMpi(), name, "")),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(name), HasSubstr("mpirun -x"))));
  }
}

TEST(LaunchEnvironmentTest, TheInnermostLauncherCounts) {
  const auto kind_of = [](const std::vector<Environment>& environments) {
    Environment all;
    for (const Environment& environment : environments) {
      all.insert(environment.begin(), environment.end());
    }
    return ReadLaunchEnvironment(all)->kind;
  };
  EXPECT_EQ(kind_of({Torchrun(), Slurm(), OpenMpi()}), Kind::kTorchrun);
  EXPECT_EQ(kind_of({Torchrun(), Kubernetes()}), Kind::kTorchrun);
  EXPECT_EQ(kind_of({OpenMpi(), Slurm()}), Kind::kOpenMpi);
  // Its users set RANK and WORLD_SIZE for PyTorch's sake.
  EXPECT_EQ(kind_of({Slurm(), Kubernetes()}), Kind::kSlurm);
}

TEST(LaunchEnvironmentTest, HalfALauncherIsNone) {
  for (const Environment& environment : std::vector<Environment>{
           {},
           {{"RANK", "0"}},
           {{"WORLD_SIZE", "4"}},
           {{"MASTER_ADDR", "a"}, {"MASTER_PORT", "1"}},
           {{"RANK", "0"}, {"LOCAL_RANK", "0"}, {"LOCAL_WORLD_SIZE", "2"}},
           {{"RANK", "0"}, {"WORLD_SIZE", ""}},
           {{"JOB_COMPLETION_INDEX", "3"}, {"MASTER_ADDR", "a"}},
           {{"OMPI_COMM_WORLD_RANK", "0"}},
           {{"SLURM_JOB_ID", "1"}, {"SLURM_NTASKS", "4"}},
           {{"RANK", "x"}, {"OMPI_COMM_WORLD_SIZE", "x"}}}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const LaunchEnvironment launch,
                                 ReadLaunchEnvironment(environment));
    EXPECT_EQ(launch.kind, Kind::kNone);
    EXPECT_EQ(launch.num_hosts, 1);
    EXPECT_EQ(launch.coordinator, "");
    EXPECT_FALSE(launch.starts_coordinator);
    EXPECT_EQ(launch.description, "no launcher");
  }
}

TEST(LaunchEnvironmentTest, AMissingVariableIsNamed) {
  const auto expect_missing = [](const Environment& environment,
                                 const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      EXPECT_THAT(ReadLaunchEnvironment(With(environment, name, "")),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           HasSubstr(name + " is missing")));
    }
  };
  expect_missing(Torchrun(),
                 {"LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"});
  expect_missing(Kubernetes(), {"MASTER_ADDR", "MASTER_PORT"});
  expect_missing(Slurm(), {"SLURM_LOCALID", "SLURM_NNODES", "SLURM_JOB_ID"});
  expect_missing(With(Slurm(), "SLURM_STEP_NODELIST", ""),
                 {"SLURM_JOB_NODELIST"});
  expect_missing(With(Slurm(), "SLURM_STEP_TASKS_PER_NODE", "1(x4)"),
                 {"SLURM_NODEID"});
  expect_missing(OpenMpi(),
                 {"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"});
}

TEST(LaunchEnvironmentTest, ABadValueIsNamedWithItsVariable) {
  struct Case {
    Environment environment;
    std::string name, value, message;
  };
  for (const Case& c : std::vector<Case>{
           {Torchrun(), "RANK", "x", "RANK='x' is not a number"},
           {Torchrun(), "RANK", "-1", "RANK='-1' is not a number"},
           {Torchrun(), "RANK", "+1", "RANK='+1' is not a number"},
           {Torchrun(), "RANK", " 1", "RANK=' 1' is not a number"},
           {Torchrun(), "RANK", "8", "RANK=8 is not below WORLD_SIZE=8"},
           {Torchrun(), "WORLD_SIZE", "0", "WORLD_SIZE='0' is not a number"},
           {Torchrun(), "WORLD_SIZE", "2147483648", "from 1 to 2147483647"},
           {Torchrun(), "WORLD_SIZE", "99999999999999999999999", "WORLD_SIZE"},
           {Torchrun(), "LOCAL_RANK", "4",
            "LOCAL_RANK=4 is not below LOCAL_WORLD_SIZE=4"},
           {Torchrun(), "LOCAL_WORLD_SIZE", "9",
            "LOCAL_WORLD_SIZE='9' is not a number from 1 to 8"},
           {Torchrun(), "MASTER_PORT", "0", "MASTER_PORT='0'"},
           {Torchrun(), "MASTER_ADDR", "-oProxyCommand=x",
            "MASTER_ADDR: host name '-oProxyCommand=x'"},
           {Kubernetes(), "MASTER_PORT", "65536", "MASTER_PORT='65536'"},
           {Kubernetes(), "RANK", "4", "RANK=4 is not below WORLD_SIZE=4"},
           {Slurm(), "SLURM_PROCID", "4",
            "SLURM_PROCID=4 is not below SLURM_NTASKS=4"},
           {Slurm(), "SLURM_LOCALID", "1", "SLURM_LOCALID=1 is not below"},
           {Slurm(), "SLURM_STEP_NODELIST", "gpu[",
            "SLURM_STEP_NODELIST: 'gpu['"},
           {Slurm(), "SLURM_JOB_ID", "12_3", "SLURM_JOB_ID='12_3'"},
           {Slurm(), "SLURM_STEP_ID", "x", "SLURM_STEP_ID='x'"},
           {Slurm(), "MASTER_PORT", "x", "MASTER_PORT='x'"},
           {Slurm(), "MASTER_ADDR", "a b", "MASTER_ADDR: host name 'a b'"},
           {OpenMpi(), "OMPI_COMM_WORLD_RANK", "6",
            "OMPI_COMM_WORLD_RANK=6 is not below OMPI_COMM_WORLD_SIZE=6"}}) {
    EXPECT_THAT(
        ReadLaunchEnvironment(With(c.environment, c.name, c.value)),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(FirstSlurmHostTest, ReadsCompressedLists) {
  for (const auto& [list, first] : std::map<std::string, std::string>{
           {"gpu01", "gpu01"},
           {"gpu01,gpu02", "gpu01"},
           {"gpu[01-03,07],login1", "gpu01"},
           {"login1,gpu[01-03,07]", "login1"},
           {"gpu[7,9-11]", "gpu7"},
           {"gpu[001]", "gpu001"},
           {"rack[2-3]n[04-05,9].cluster,x", "rack2n04.cluster"},
           {"gpu-a[1-2]-ib", "gpu-a1-ib"}}) {
    EXPECT_THAT(FirstSlurmHost(list), IsOkAndHolds(first)) << list;
  }
}

TEST(FirstSlurmHostTest, RefusesWhatIsNoList) {
  for (const absl::string_view list :
       {"", ",", ",gpu01", "gpu[", "gpu[01", "gpu[01-", "gpu[]", "gpu[,1]",
        "gpu[-1]", "gpu]", "gpu[a-c]", "gpu[[1]]", "-gpu[1-2]", "[-1]", "gpu 1",
        "(null)"}) {
    EXPECT_THAT(FirstSlurmHost(list),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("not a list of hosts")))
        << list;
  }
}

TEST(CurrentEnvironmentTest, HasWhatIsSet) {
  setenv("CHARRNN_TEST_VARIABLE", "a=b", 1);
  setenv("CHARRNN_TEST_EMPTY", "", 1);
  unsetenv("CHARRNN_TEST_ABSENT");
  const Environment environment = CurrentEnvironment();
  EXPECT_EQ(environment.at("CHARRNN_TEST_VARIABLE"), "a=b");
  EXPECT_EQ(environment.at("CHARRNN_TEST_EMPTY"), "");
  EXPECT_EQ(environment.count("CHARRNN_TEST_ABSENT"), 0);
}

}  // namespace
}  // namespace charrnn
