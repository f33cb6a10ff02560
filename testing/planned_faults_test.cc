#include "testing/planned_faults.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ios>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "dist/probe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

using Kind = PlannedFault::Kind;

constexpr char kBefore[] = "before the collective";
constexpr char kAfter[] = "after the collective";
constexpr char kGroup[] = "as a group forms";

// Does `work` in a process of its own, which then waits for a signal, and
// returns how it ended or stopped. It ends in any case.
int StatusOfChild(const std::function<void()>& work, bool waits) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    work();
    if (waits) pause();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
  if (WIFSTOPPED(status)) {
    int ended = 0;
    kill(child, SIGKILL);
    EXPECT_EQ(waitpid(child, &ended, 0), child);
  }
  return status;
}

class PlannedFaultsTest : public testing::Test {
 protected:
  Probe Follow(const std::vector<PlannedFault>& faults, int local_rank = 0) {
    FaultPlan plan;
    plan.folder = folder_.path();
    plan.faults = faults;
    return ProbeOf(plan, local_rank);
  }

  bool HasHappened(int number) const {
    return std::filesystem::exists(
        folder_.File(absl::StrCat("fault-", number)));
  }

  const TempDirectory folder_;
};

TEST_F(PlannedFaultsTest, APlanTravelsAsText) {
  FaultPlan plan;
  plan.folder = "a \"folder\"";
  plan.faults = {{kBefore, Kind::kStop, 3, 12}, {kGroup}};
  const FaultPlan copy = FaultPlan::FromText(plan.ToText());
  EXPECT_EQ(copy.folder, plan.folder);
  ASSERT_EQ(copy.faults.size(), 2);
  EXPECT_EQ(copy.faults[0].point, kBefore);
  EXPECT_EQ(copy.faults[0].kind, Kind::kStop);
  EXPECT_EQ(copy.faults[0].local_rank, 3);
  EXPECT_EQ(copy.faults[0].calm_steps, 12);
  EXPECT_EQ(copy.faults[1].point, kGroup);
  EXPECT_EQ(copy.faults[1].kind, Kind::kKill);
  EXPECT_EQ(copy.faults[1].local_rank, -1);
  EXPECT_EQ(copy.faults[1].calm_steps, 0);
}

TEST_F(PlannedFaultsTest, AKilledWorkerDoesNotGetBeyondThePoint) {
  const Probe probe = Follow({{kBefore, Kind::kKill}});
  const int status = StatusOfChild(
      [&] { CallProbe(probe, kBefore).IgnoreError(); }, /*waits=*/false);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_TRUE(HasHappened(0));
}

TEST_F(PlannedFaultsTest, AWorkerMayBeKilledWhileItGoesOn) {
  const Probe probe = Follow({{kBefore, Kind::kKillSoon}});
  const int status = StatusOfChild(
      [&] { CallProbe(probe, kBefore).IgnoreError(); }, /*waits=*/true);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_TRUE(HasHappened(0));
}

TEST_F(PlannedFaultsTest, AStoppedWorkerStops) {
  const Probe probe = Follow({{kBefore, Kind::kStop}});
  const int status = StatusOfChild(
      [&] { CallProbe(probe, kBefore).IgnoreError(); }, /*waits=*/false);
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(WSTOPSIG(status), SIGSTOP);
  EXPECT_TRUE(HasHappened(0));
}

TEST_F(PlannedFaultsTest, AnErrorIsTheWorkersOwnAndNamesThePoint) {
  const Probe probe = Follow({{kBefore, Kind::kError}});
  EXPECT_THAT(probe(kBefore),
              StatusIs(absl::StatusCode::kInternal, HasSubstr(kBefore)));
  EXPECT_TRUE(HasHappened(0));
}

TEST_F(PlannedFaultsTest, TheCoordinatorIsKilledByItsNumber) {
  const Probe probe = Follow({{kBefore, Kind::kKillCoordinator}});
  const pid_t coordinator = fork();
  if (coordinator == 0) {
    alarm(30);
    while (true) pause();
  }
  std::ofstream(folder_.File("coordinator.pid")) << coordinator;
  EXPECT_THAT(probe(kBefore), IsOk());
  int status = 0;
  ASSERT_EQ(waitpid(coordinator, &status, 0), coordinator);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(PlannedFaultsTest, WithoutAPlanNothingHappens) {
  const Probe probe = Follow({});
  EXPECT_THAT(probe(kBefore), IsOk());
}

TEST_F(PlannedFaultsTest, FaultsHappenInTheirOrder) {
  const Probe probe = Follow({{kGroup, Kind::kError}, {kBefore, Kind::kError}});
  EXPECT_THAT(probe(kBefore), IsOk());  // not yet
  EXPECT_FALSE(HasHappened(1));
  EXPECT_FALSE(probe(kGroup).ok());
  EXPECT_TRUE(HasHappened(0));
  EXPECT_THAT(probe(kGroup), IsOk());
  EXPECT_FALSE(HasHappened(1));
  EXPECT_FALSE(probe(kBefore).ok());
  EXPECT_TRUE(HasHappened(1));
  EXPECT_THAT(probe(kBefore), IsOk());
}

TEST_F(PlannedFaultsTest, EachHappensOnceToWhicheverProcessComesFirst) {
  const std::vector<PlannedFault> faults = {{kBefore, Kind::kError},
                                            {kAfter, Kind::kError}};
  const Probe first = Follow(faults, 0);
  const Probe second = Follow(faults, 1);
  EXPECT_FALSE(first(kBefore).ok());
  EXPECT_THAT(second(kBefore), IsOk());
  EXPECT_THAT(first(kBefore), IsOk());
  EXPECT_FALSE(second(kAfter).ok());
  EXPECT_THAT(first(kAfter), IsOk());
  // Also not to a process that starts later.
  const Probe third = Follow(faults, 0);
  EXPECT_THAT(third(kBefore), IsOk());
  EXPECT_THAT(third(kAfter), IsOk());
}

TEST_F(PlannedFaultsTest, AFaultMayBeMeantForOneWorker) {
  const std::vector<PlannedFault> faults = {{kBefore, Kind::kError, 1}};
  EXPECT_THAT(Follow(faults, 0)(kBefore), IsOk());
  EXPECT_FALSE(HasHappened(0));
  EXPECT_FALSE(Follow(faults, 1)(kBefore).ok());
}

TEST_F(PlannedFaultsTest, CalmStepsComeFirst) {
  const Probe probe = Follow({{kBefore, Kind::kError, -1, 2}});
  for (int step = 0; step < 2; ++step) {
    EXPECT_THAT(probe(kBefore), IsOk());
    EXPECT_THAT(probe(kGroup), IsOk());  // is no step
    EXPECT_THAT(probe(kAfter), IsOk());
  }
  EXPECT_FALSE(probe(kBefore).ok());
}

TEST_F(PlannedFaultsTest, TheStepThatEndsAtThePointCounts) {
  const Probe probe = Follow({{kAfter, Kind::kError, -1, 2}});
  EXPECT_THAT(probe(kAfter), IsOk());
  EXPECT_FALSE(probe(kAfter).ok());
}

TEST_F(PlannedFaultsTest, CalmStepsAreCountedFromTheFaultBefore) {
  const std::vector<PlannedFault> faults = {{kGroup, Kind::kError},
                                            {kBefore, Kind::kError, -1, 1}};
  const Probe first = Follow(faults, 0);
  const Probe second = Follow(faults, 1);
  for (int step = 0; step < 3; ++step) {
    EXPECT_THAT(first(kAfter), IsOk());
    EXPECT_THAT(second(kAfter), IsOk());
  }
  EXPECT_FALSE(first(kGroup).ok());
  // None of the steps until then, neither one's own nor the other's.
  EXPECT_THAT(first(kBefore), IsOk());
  EXPECT_THAT(second(kBefore), IsOk());
  EXPECT_THAT(second(kAfter), IsOk());
  EXPECT_THAT(first(kBefore), IsOk());
  EXPECT_FALSE(second(kBefore).ok());
}

TEST_F(PlannedFaultsTest, AStepLogHasATimeForEachStep) {
  const Probe probe = StepLogProbe(folder_.path());
  for (int step = 0; step < 3; ++step) {
    EXPECT_THAT(probe(kBefore), IsOk());
    EXPECT_THAT(probe(kAfter), IsOk());
  }
  std::ifstream file(folder_.File(absl::StrCat("steps-", getpid())),
                     std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)),
                          std::istreambuf_iterator<char>());
  std::vector<double> times(bytes.size() / sizeof(double));
  memcpy(times.data(), bytes.data(), times.size() * sizeof(double));
  ASSERT_EQ(bytes.size(), 3 * sizeof(double));
  EXPECT_GT(times[0], 0);
  EXPECT_LE(times[0], times[1]);
  EXPECT_LE(times[1], times[2]);
}

}  // namespace
}  // namespace charrnn
