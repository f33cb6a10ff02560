// Membership: a coordinator that was killed and comes back.

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/membership_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::IsEmpty;
using ::testing::Optional;

Membership::Options TwoHosts() {
  Membership::Options options;
  options.max_hosts = 2;
  return options;
}

TEST(MembershipRestartTest, RunningGenerationGoesOnWithItsNumber) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Sleep(absl::Minutes(3));
  job.Restart();
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(20));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  EXPECT_EQ(job.Wishes("beta/0", 1), "");
  EXPECT_THAT(job->CheckMember(FakeJob::Id("beta/0"), 1), IsOk());
  EXPECT_EQ(job->generation(), 1);
  ASSERT_THAT(job.Join("alpha/0", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Given("beta/0"), "2: rank 2 of 3, source 0, committed 0");
}

TEST(MembershipRestartTest, WhoHasBeenAMemberLongestIsKnown) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  job.Restart();
  // And still the one that uploads.
  ASSERT_THAT(job->Finish(FakeJob::Id("alpha/0#2"), 2, JobState::kFinished, "",
                          job.now()),
              IsOk());
  ASSERT_EQ(job.Members(), "2: alpha/0#2 alpha/1 beta/0");
  for (const char* worker : {"alpha/0#2", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {2, 12}, 2), IsOk());
  }
  EXPECT_EQ(job.Given("beta/0"), "3: rank 2 of 3, source 1, committed 0");
}

TEST(MembershipRestartTest, WhoIsNotHeardOfWithinTheGraceIsDead) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Silence("alpha/1");
  job.Restart();
  job.Advance(absl::Seconds(10));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
}

TEST(MembershipRestartTest, GraceLastsUntilSomebodyIsHeard) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    job.Silence(worker);
  }
  for (const char* host : {"alpha", "beta"}) job.SilenceSupervisor(host);
  job.Restart();
  job.Advance(absl::Minutes(5));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 10), IsOk());
  job.Advance(absl::Seconds(9));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "forming");
}

TEST(MembershipRestartTest, GraceEndsForWhoHasBeenHeardOf) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Restart();
  job.Advance(absl::Seconds(1));
  job.Silence("alpha/1");
  job.Advance(absl::Seconds(2.6));
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
}

TEST(MembershipRestartTest, AnswerThatWasOnDiskAndNotHeardIsGivenAgain) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->Committed(12);
  ASSERT_THAT(job.Join("alpha/0", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 13}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 12}, 1), IsOk());
  job.Restart();
  job->Committed(12);
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 12}, 1), IsOk());
  }
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1 beta/0");
  EXPECT_EQ(job.Given("beta/0"), "2: rank 2 of 3, source 1, committed 12");
}

TEST(MembershipRestartTest, GenerationThatWasFormingIsFormedOfAllSurvivors) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  job.Restart();
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Members(), "forming");  // alpha/1 lives
  EXPECT_THAT(job.Join("beta/0"), StatusIs(absl::StatusCode::kAborted));
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
  EXPECT_EQ(job.Given("alpha/0"), "2: rank 0 of 2, source 1, committed 0");
}

TEST(MembershipRestartTest, ReplacementThatHasNotJoinedIsNotWaitedFor) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Beat("beta/0#2", 0, Phase::kSetup), IsOk());
  EXPECT_EQ(job->ToDurable().members.size(), 3u);
  job.Restart();
  EXPECT_EQ(job->ToDurable().members.size(), 3u);
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
}

TEST(MembershipRestartTest, SurvivorOfTheLastGenerationThatIsGoneIsGivenUp) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job.Silence("beta/0");
  job.Restart();
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job.Advance(absl::Seconds(9.9));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
}

TEST(MembershipRestartTest, FirstGenerationFormsAfterARestartToo) {
  FakeJob job(TwoHosts());
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(20));
  job.Restart();
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(29.8));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.3));
  EXPECT_EQ(job.Members(), "1: alpha/0");
}

TEST(MembershipRestartTest, RanksKeepTheOrderInWhichHostsCame) {
  FakeJob job(TwoHosts());
  ASSERT_THAT(job.Register("zeta"), IsOk());
  ASSERT_THAT(job.Register("alpha"), IsOk());
  job.Restart();
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("zeta/0"), IsOk());
  EXPECT_EQ(job.Members(), "1: zeta/0 alpha/0");
}

TEST(MembershipRestartTest, IncarnationThatIsNewerThanTheKnownIsTaken) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Restart();
  job.Silence("beta/0");
  ASSERT_THAT(job.Beat("beta/0#2", 0, Phase::kSetup), IsOk());
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
  EXPECT_EQ(job.ToKill("beta"), "beta/0");
  EXPECT_THAT(job.Beat("beta/0", 1), StatusIs(absl::StatusCode::kAborted));
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
}

TEST(MembershipRestartTest, GenerationThatTheDiskDoesNotKnowIsOver) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  const Membership::Durable old = job->ToDurable();
  job.Restart();
  ASSERT_THAT(job.Beat("beta/0", 4, Phase::kTrain, 30), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
  EXPECT_EQ(job.Wishes("beta/0", 4), "over");
  EXPECT_EQ(job->ToDurable().generation, 4);
  ASSERT_THAT(job.Join("alpha/0", {4, 30}, 4), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {4, 31}, 4), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("beta/0", {4, 30}, 4), IsOk());
  EXPECT_EQ(job.Members(), "5: alpha/0 alpha/1 beta/0");
  EXPECT_EQ(job.Given("beta/0"), "5: rank 2 of 3, source 1, committed 0");
}

TEST(MembershipRestartTest, GenerationThatTheDiskDoesNotKnowIsOverByAJoinToo) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Restart();
  ASSERT_THAT(job.Join("alpha/0", {3, 30}, 4), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("alpha/1", {3, 30}, 4), IsOk());
  ASSERT_THAT(job.Join("beta/0", {4, 30}, 4), IsOk());
  EXPECT_EQ(job.Members(), "5: alpha/0 alpha/1 beta/0");
}

TEST(MembershipRestartTest, MemberWhoseAnswerTheDiskForgotJoinsAgain) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Restart();
  ASSERT_THAT(job.Beat("beta/0", 4, Phase::kTrain, 30), IsOk());
  // It was in generation 1 for all that anybody knows.
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {0, 0}, 0), IsOk());
  EXPECT_EQ(job.Given("alpha/1"), "waits");
  ASSERT_THAT(job.Join("beta/0", {4, 30}, 4), IsOk());
  EXPECT_EQ(job.Members(), "5: alpha/0 alpha/1 beta/0");
}

TEST(MembershipRestartTest, LateRepeatOfAJoinIsNotAReturnEither) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 10}, 1), IsOk());
  }
  ASSERT_THAT(job.Join("alpha/0", {2, 14}, 2), IsOk());
  job.Restart();
  ASSERT_THAT(job.Join("alpha/0", {2, 14}, 2), IsOk());
  ASSERT_THAT(job.Join("beta/0", {2, 14}, 2), IsOk());
  // As it left generation 1; it has the newest state by now.
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.Given("alpha/1"), "2: rank 1 of 3, source 0, committed 0");
  ASSERT_THAT(job.Join("alpha/1", {2, 15}, 2), IsOk());
  EXPECT_EQ(job.Given("alpha/1"), "3: rank 1 of 3, source 1, committed 0");
}

TEST(MembershipRestartTest, DeadWorkersAreKilledUntilTheirEndIsReported) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Silence("alpha/1");
  job.Advance(absl::Seconds(3));
  ASSERT_EQ(job.ToKill("alpha"), "alpha/1");
  job.Restart();
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
  EXPECT_THAT(job.Exit("alpha/1"), IsOkAndHolds(Optional(absl::Seconds(0))));
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
}

TEST(MembershipRestartTest, WishToStopOutlivesTheCoordinator) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->RequestStop(job.now());
  job.Restart();
  EXPECT_EQ(job.Wishes("alpha/0", 1), "stop");
  ASSERT_THAT(
      job->Finish(FakeJob::Id("alpha/0"), 1, JobState::kStopped, "", job.now()),
      IsOk());
  EXPECT_EQ(job.Members(), "stopped");
}

TEST(MembershipRestartTest, StopWhileFormingWaitsForWhoMayHoldANewerState) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->Committed(10);
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  job->RequestStop(job.now());
  job.Restart();
  job->Committed(10);
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Exit("alpha/1"), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 beta/0");
  EXPECT_EQ(job.Wishes("alpha/0", 2), "stop");
}

TEST(MembershipRestartTest, LeavingHostsLeaveAndThoseThatHaveLeftStayAway) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  job.Restart();
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Wishes("beta/0", 1), "regroup");
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 11}, 1, "regroup"), IsOk());
  }
  EXPECT_EQ(job.Members(), "2: beta/0");
  // Its workers wait for beta/0 to train, before the restart and after it.
  job.Restart();
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1, "regroup"), IsOk());
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Given("alpha/0"), "waits");
  EXPECT_EQ(job.Wishes("beta/0", 2), "");
  ASSERT_THAT(job.Beat("beta/0", 2, Phase::kTrain, 11), IsOk());
  EXPECT_TRUE(job->HasLeft("id-alpha"));
  job.Restart();
  EXPECT_TRUE(job->HasLeft("id-alpha"));
  EXPECT_EQ(job.Given("alpha/0"), "ABORTED");
  EXPECT_EQ(job.Members(), "2: beta/0");
  EXPECT_THAT(job.Register("gamma"), IsOk());
}

TEST(MembershipRestartTest, LeavingHostStaysUntilItIsKnownWhatItHolds) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 11}, 1, "regroup"), IsOk());
  }
  ASSERT_EQ(job.Members(), "2: beta/0");
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  job.Restart();
  job.Advance(absl::Seconds(1));
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1, "regroup"), IsOk());
  ASSERT_THAT(job.Join("beta/0#2"), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1, "regroup"), IsOk());
  EXPECT_EQ(job.Members(), "3: alpha/0 alpha/1 beta/0#2");
}

TEST(MembershipRestartTest, HostThatHasLeftStaysAwayFromAJobThatStops) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 11}, 1, "regroup"), IsOk());
  }
  ASSERT_THAT(job.Beat("beta/0", 2, Phase::kTrain, 11), IsOk());
  job->RequestStop(job.now());
  job.Restart();
  EXPECT_TRUE(job->HasLeft("id-alpha"));
  EXPECT_EQ(job.Members(), "2: beta/0");
  EXPECT_EQ(job.Wishes("beta/0", 2), "stop");
}

TEST(MembershipRestartTest, EndedJobStaysEnded) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->Finish(FakeJob::Id("beta/0"), 1, JobState::kFailed,
                          "no memory", job.now()),
              IsOk());
  job.Restart();
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(), "beta/0 (rank 2), step 10: no memory");
  EXPECT_THAT(job.Join("alpha/0", {1, 10}, 1),
              StatusIs(absl::StatusCode::kAborted));
  job.Advance(absl::Seconds(20));
  EXPECT_EQ(job.Members(), "failed");
}

TEST(MembershipRestartTest, DurableStateWithoutAMemberItNamesIsOver) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  Membership::Durable durable = job->ToDurable();
  durable.hosts[0].dead[1] = true;
  durable.members.push_back(FakeJob::Id("gamma/0"));
  Membership membership(TwoHosts(), durable, job.now());
  EXPECT_EQ(membership.job_state(), JobState::kForming);
  EXPECT_EQ(membership.generation(), 1);
  EXPECT_FALSE(membership.ToDurable().running);

  durable = job->ToDurable();
  durable.source_rank = 3;
  EXPECT_EQ(Membership(TwoHosts(), durable, job.now()).job_state(),
            JobState::kForming);
}

TEST(MembershipRestartTest, DurableStateIsTheSameAfterARestart) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Join("beta/0#2"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1), IsOk());
  ASSERT_EQ(job.Members(), "2: alpha/0 alpha/1 beta/0#2");
  const Membership::Durable before = job->ToDurable();
  job.Restart();
  const Membership::Durable after = job->ToDurable();
  ASSERT_EQ(after.hosts.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(after.hosts[i].id, before.hosts[i].id);
    EXPECT_EQ(after.hosts[i].name, before.hosts[i].name);
    EXPECT_EQ(after.hosts[i].slots, before.hosts[i].slots);
    EXPECT_EQ(after.hosts[i].incarnations, before.hosts[i].incarnations);
    EXPECT_EQ(after.hosts[i].dead, before.hosts[i].dead);
    EXPECT_EQ(after.hosts[i].first_generations,
              before.hosts[i].first_generations);
  }
  ASSERT_EQ(after.members.size(), 3u);
  EXPECT_EQ(FakeJob::NameOf(after.members[2]), "beta/0#2");
  EXPECT_EQ(after.generation, 2);
  EXPECT_TRUE(after.running);
  EXPECT_EQ(after.source_rank, std::optional<int>(1));
}

}  // namespace
}  // namespace charrnn
