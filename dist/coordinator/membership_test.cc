#include "dist/coordinator/membership.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

Membership::Options Hosts(int min, int max, int max_workers = 8) {
  Membership::Options options;
  options.min_hosts = min;
  options.max_hosts = max;
  options.max_workers = max_workers;
  return options;
}

TEST(MembershipTest, OneHostsFirstGenerationFormsWhenAllItsSlotsHaveJoined) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  EXPECT_EQ(job->job_state(), JobState::kForming);
  EXPECT_EQ(job.Given("alpha/1"), "waits");
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  EXPECT_EQ(job->job_state(), JobState::kRunning);
  EXPECT_EQ(job.Given("alpha/0"), "1: rank 0 of 2, source none, committed 0");
  EXPECT_EQ(job.Given("alpha/1"), "1: rank 1 of 2, source none, committed 0");
  ASSERT_EQ(job->generations().size(), 1u);
  EXPECT_EQ(job->generations()[0].world_size, 2);
  EXPECT_EQ(job->generations()[0].reason, "the first");
}

TEST(MembershipTest, FirstGenerationFormsAtOnceWhenAllHostsAreThere) {
  FakeJob job(Hosts(1, 2));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Register("beta"), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  EXPECT_EQ(job.Members(), "1: alpha/0 beta/0");
}

TEST(MembershipTest, FirstGenerationWaitsForMoreHostsSinceTheLastOneCame) {
  FakeJob job(Hosts(1, 3));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(20));
  ASSERT_THAT(job.Register("beta"), IsOk());
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  // The same again brings nobody.
  job.Advance(absl::Seconds(20));
  ASSERT_THAT(job.Register("beta"), IsOk());
  job.Advance(absl::Seconds(9.8));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.3));
  EXPECT_EQ(job.Members(), "1: alpha/0 beta/0");
}

TEST(MembershipTest, FirstGenerationDoesNotFormOfFewerHostsThanMin) {
  FakeJob job(Hosts(2, 3));
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  job.Advance(absl::Minutes(5));
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Register("beta"), IsOk());
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  job.Advance(absl::Seconds(31));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
}

TEST(MembershipTest, SlotOfWhichNothingIsHeardIsAwaitedForTheJoinWindowOnly) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(29.8));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.3));
  EXPECT_EQ(job.Members(), "1: alpha/0");
}

TEST(MembershipTest, WorkerThatBeatsAndHasNotJoinedIsAwaitedInTheFirst) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Beat("alpha/1", 0, Phase::kSetup), IsOk());
  job.Advance(absl::Seconds(100));
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1");
}

TEST(MembershipTest, SlotWhoseProcessEndedBeforeItJoinedIsNotAwaited) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  EXPECT_THAT(job.Exit("alpha/1"), IsOkAndHolds(Optional(absl::Seconds(0))));
  EXPECT_EQ(job.Members(), "1: alpha/0");
  EXPECT_THAT(job.Join("alpha/1"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Join("alpha/1#2"), IsOk());
}

TEST(MembershipTest, RanksFollowTheHostsOrderAndNotTheirIds) {
  FakeJob job(Hosts(2, 2));
  ASSERT_THAT(job.Register("zeta", 2), IsOk());
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  for (const char* worker : {"alpha/1", "zeta/1", "alpha/0", "zeta/0"}) {
    ASSERT_THAT(job.Join(worker), IsOk());
  }
  EXPECT_EQ(job.Members(), "1: zeta/0 zeta/1 alpha/0 alpha/1");
}

TEST(MembershipTest, HostsBeyondTheLimitsAreRefusedWithTheNumbers) {
  FakeJob job(Hosts(1, 2, 5));
  ASSERT_THAT(job.Register("alpha", 3), IsOk());
  EXPECT_THAT(job.Register("beta", 3),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("beta has 3"), HasSubstr("the 3 of"),
                             HasSubstr("the 5 among"))));
  EXPECT_THAT(job.Register("beta", 2), IsOk());
  EXPECT_THAT(job.Register("gamma", 1),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("gamma"), HasSubstr("at most 2"))));
  EXPECT_THAT(job.Register("alpha", 3), IsOk());
  EXPECT_THAT(job.Register("alpha", 2),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(job.Register("delta", 0),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(MembershipTest, WhoIsNotKnownIsRefused) {
  FakeJob job;
  EXPECT_THAT(job.Join("alpha/0"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Exit("alpha/0"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job->HostAlive("id-alpha", job.now()),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job->LeaveHost("id-alpha", job.now()),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  EXPECT_THAT(job.Join("alpha/2"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(job.Join("alpha/1#0"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(MembershipTest, FailedCollectiveEndsTheGenerationAndSurvivorsFormTheNext) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  EXPECT_EQ(job.Wishes("alpha/0", 1), "");
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1, "connection closed"), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
  EXPECT_THAT(job->CheckMember(FakeJob::Id("alpha/0"), 1),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Exit("alpha/0"), IsOk());
  EXPECT_EQ(job.Members(), "forming");  // beta/0 is still to come
  ASSERT_THAT(job.Join("beta/0", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/1 beta/0");
  EXPECT_EQ(job.Given("alpha/1"), "2: rank 0 of 2, source 1, committed 0");
  EXPECT_EQ(job->generations().back().reason,
            "alpha/0 died: signal 9");  // which alpha/1 only felt
  EXPECT_EQ(job->generations().back().step, 11);
  EXPECT_THAT(job->CheckMember(FakeJob::Id("alpha/1"), 2), IsOk());
  EXPECT_THAT(job->CheckMember(FakeJob::Id("alpha/1"), 1),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job->CheckMember(FakeJob::Id("alpha/0"), 2),
              StatusIs(absl::StatusCode::kAborted));
}

TEST(MembershipTest, ReportedDeathEndsTheGenerationAndIsNotWaitedFor) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  EXPECT_THAT(job.Exit("alpha/0"), IsOkAndHolds(Optional(absl::Seconds(0))));
  EXPECT_EQ(job.Wishes("beta/0", 1), "over");
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/1 beta/0");
  EXPECT_EQ(job->generations().back().reason, "alpha/0 died: signal 9");
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
}

TEST(MembershipTest, WorkerThatComesWhileOthersReturnIsInTheNextGeneration) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0#2 alpha/1 beta/0");
  EXPECT_EQ(job.Given("alpha/0#2"), "2: rank 0 of 3, source 1, committed 0");
}

TEST(MembershipTest,
     LaterGenerationDoesNotWaitForAReplacementThatHasNotJoined) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Beat("alpha/0#2", 0, Phase::kSetup), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/1 beta/0");
}

TEST(MembershipTest, MembersOfAnEndedGenerationFormNoneBelowMin) {
  FakeJob job(Hosts(2, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job.Advance(absl::Minutes(5));
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("beta/0#2"), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1 beta/0#2");
}

TEST(MembershipTest, NewestStateIsOfTheLatestGenerationAndThenStep) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  // alpha/0 was not synced in generation 1, however far it was before.
  ASSERT_THAT(job.Join("alpha/0", {0, 90}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 12}, 1), IsOk());
  EXPECT_EQ(job.Given("beta/0"), "2: rank 2 of 3, source 1, committed 0");
}

TEST(MembershipTest, OfEqualStatesThatOfTheLongestMemberIsTheSource) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  ASSERT_EQ(job.Given("beta/0"), "2: rank 2 of 3, source 1, committed 0");
  for (const char* worker : {"alpha/0#2", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {2, 12}, 2), IsOk());
  }
  EXPECT_EQ(job.Given("beta/0"), "3: rank 2 of 3, source 1, committed 0");
  // A newer state is more than a longer membership.
  ASSERT_THAT(job.Join("alpha/0#2", {3, 14}, 3), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {3, 13}, 3), IsOk());
  ASSERT_THAT(job.Join("beta/0", {3, 13}, 3), IsOk());
  EXPECT_EQ(job.Given("beta/0"), "4: rank 2 of 3, source 0, committed 0");
  ASSERT_THAT(job.Exit("alpha/1"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2", {4, 14}, 4), IsOk());
  ASSERT_THAT(job.Join("beta/0", {4, 14}, 4), IsOk());
  EXPECT_EQ(job.Given("beta/0"), "5: rank 1 of 2, source 1, committed 0");
}

TEST(MembershipTest, CheckpointThatIsNewerIsTheSource) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->Committed(13);
  job->Committed(4);
  ASSERT_THAT(job.Join("alpha/0", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 12}, 1), IsOk());
  EXPECT_EQ(job.Given("alpha/0"), "2: rank 0 of 3, source none, committed 13");
  // A later one is not what this generation was told.
  job->Committed(20);
  EXPECT_EQ(job.Given("alpha/0"), "2: rank 0 of 3, source none, committed 13");
}

TEST(MembershipTest, CheckpointOfTheSameStepIsNotNeeded) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->Committed(12);
  ASSERT_THAT(job.Join("alpha/0", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Given("beta/0"), "2: rank 2 of 3, source 0, committed 12");
}

TEST(MembershipTest, JoinMayBeRepeatedBeforeAndAfterItIsAnswered) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  EXPECT_EQ(job.Given("alpha/0"), "1: rank 0 of 2, source none, committed 0");
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1");

  // Likewise a generation later.
  ASSERT_THAT(job.Join("alpha/0", {1, 3}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 3}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 3}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 3}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
  EXPECT_EQ(job.Given("alpha/0"), "2: rank 0 of 2, source 0, committed 0");
}

TEST(MembershipTest, RepeatOfAnAnsweredJoinIsNotAReturn) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 5}, 1), IsOk());
  // It hears what it did not hear the first time, and then that this is over.
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  EXPECT_EQ(job.Given("alpha/0"), "1: rank 0 of 2, source none, committed 0");
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("alpha/0", {1, 6}, 1), IsOk());
  EXPECT_EQ(job.Given("alpha/0"), "2: rank 0 of 2, source 0, committed 0");
}

TEST(MembershipTest, OlderRepeatDoesNotMakeAJoinersStateOlder) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Join("alpha/0", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {0, 0}, 0), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Given("beta/0"), "2: rank 2 of 3, source 0, committed 0");
}

TEST(MembershipTest, StopIsAgreedByTheMembersAndSaidByTheUploader) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->RequestStop(job.now());
  EXPECT_EQ(job.Wishes("alpha/0", 1), "stop");
  ASSERT_THAT(
      job->Finish(FakeJob::Id("beta/0"), 1, JobState::kStopped, "", job.now()),
      IsOk());
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  ASSERT_THAT(
      job->Finish(FakeJob::Id("alpha/0"), 1, JobState::kStopped, "", job.now()),
      IsOk());
  EXPECT_EQ(job.Members(), "stopped");
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
}

TEST(MembershipTest, StopWhileNobodyIsThereIsAtOnce) {
  FakeJob job;
  job->RequestStop(job.now());
  EXPECT_EQ(job.Members(), "stopped");
  EXPECT_THAT(job.Register("alpha"),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(MembershipTest, StopWhileTheFirstGenerationFormsIsAtOnce) {
  FakeJob job(Hosts(1, 2));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job->RequestStop(job.now());
  EXPECT_EQ(job.Members(), "stopped");
  EXPECT_EQ(job.Given("alpha/0"), "ABORTED");
}

TEST(MembershipTest, StopFormsAGenerationToSaveWhatIsNotCommitted) {
  FakeJob job(Hosts(2, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->Committed(10);
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  job->RequestStop(job.now());
  EXPECT_EQ(job.Members(), "forming");  // alpha/1 may hold more
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");  // fewer hosts than MIN
  EXPECT_EQ(job.Wishes("alpha/1", 2), "stop");
  EXPECT_THAT(job.Exit("alpha/1"), IsOkAndHolds(std::nullopt));
}

TEST(MembershipTest, StopIsAtOnceIfAllThatIsThereIsCommitted) {
  FakeJob job(Hosts(2, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job->Committed(11);
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job->RequestStop(job.now());
  EXPECT_EQ(job.Members(), "stopped");
}

TEST(MembershipTest, JobIsFinishedByAMemberOfTheRunningGenerationAlone) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  const auto finish = [&](const char* worker, int64_t generation,
                          JobState how) {
    return job->Finish(FakeJob::Id(worker), generation, how, "", job.now());
  };
  EXPECT_THAT(finish("alpha/0", 2, JobState::kFinished),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(finish("alpha/0", 1, JobState::kRunning),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(finish("alpha/1", 1, JobState::kFinished), IsOk());
  EXPECT_EQ(job->job_state(), JobState::kRunning);
  EXPECT_THAT(finish("alpha/0", 1, JobState::kFinished), IsOk());
  EXPECT_EQ(job->job_state(), JobState::kFinished);
  EXPECT_THAT(finish("alpha/0", 1, JobState::kFinished), IsOk());
  EXPECT_THAT(finish("alpha/0", 1, JobState::kStopped),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("finished")));
}

TEST(MembershipTest, JobIsFinishedByTheSourceSinceThatUploads) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  for (const char* worker : {"alpha/0#2", "beta/0", "alpha/1"}) {
    EXPECT_EQ(job->job_state(), JobState::kRunning);
    ASSERT_THAT(
        job->Finish(FakeJob::Id(worker), 2, JobState::kFinished, "", job.now()),
        IsOk());
  }
  EXPECT_EQ(job->job_state(), JobState::kFinished);
}

TEST(MembershipTest, AnyMemberMayFailTheJobWithItsError) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->Finish(FakeJob::Id("alpha/1"), 1, JobState::kFailed,
                          "step 11: the loss is not finite", job.now()),
              IsOk());
  ASSERT_THAT(job->Finish(FakeJob::Id("alpha/0"), 1, JobState::kFailed,
                          "the loss is not finite", job.now()),
              IsOk());
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(),
            "alpha/1 (rank 1), step 11: the loss is not finite");
}

TEST(MembershipTest, NothingChangesAfterTheEnd) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->Finish(FakeJob::Id("alpha/0"), 1, JobState::kFinished, "",
                          job.now()),
              IsOk());
  const int64_t version = job->version();
  const int64_t durable_version = job->durable_version();
  EXPECT_THAT(job.Join("alpha/0", {1, 11}, 1),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Beat("alpha/0", 1), StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(job.Given("alpha/0"), "ABORTED");
  EXPECT_THAT(job.Exit("alpha/0", "exit code 1", true),
              IsOkAndHolds(std::nullopt));
  EXPECT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  EXPECT_THAT(job->HostAlive("id-alpha", job.now()), IsOk());
  job->RequestStop(job.now());
  job.Advance(absl::Minutes(20));
  EXPECT_EQ(job.Members(), "finished");
  EXPECT_EQ(job->version(), version);
  EXPECT_EQ(job->durable_version(), durable_version);
}

TEST(MembershipTest, VersionsGrowOnlyWithWhatTheyStandFor) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  int64_t version = job->version();
  int64_t durable_version = job->durable_version();
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kEvaluate, 12), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());  // a late repeat
  job->Committed(12);
  job.Advance(absl::Seconds(5));
  EXPECT_EQ(job->version(), version);
  EXPECT_EQ(job->durable_version(), durable_version);

  const auto grew = [&](bool durable) {
    const bool result = job->version() > version &&
                        (job->durable_version() > durable_version) == durable;
    version = job->version();
    durable_version = job->durable_version();
    return result;
  };
  ASSERT_THAT(job.Exit("alpha/1"), IsOk());
  EXPECT_TRUE(grew(true));
  ASSERT_THAT(job.Join("alpha/0", {1, 12}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 12}, 1), IsOk());
  EXPECT_TRUE(grew(true));
  ASSERT_THAT(job.Join("alpha/1#2"), IsOk());
  job.Advance(absl::Seconds(1));
  EXPECT_TRUE(grew(true));  // the incarnation, and the regroup
  job->RequestStop(job.now());
  EXPECT_TRUE(grew(true));
}

TEST(MembershipTest, GenerationsAreKeptForPeopleUpToAHundred) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  for (int i = 1; i < 120; ++i) {
    ASSERT_THAT(job.Join("alpha/0", {i, i}, i), IsOk());
  }
  ASSERT_EQ(job->generations().size(), 100u);
  EXPECT_EQ(job->generations().front().number, 21);
  EXPECT_EQ(job->generations().back().number, 120);
}

TEST(MembershipTest, WorkersAreShownWithWhatTheyDo) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kSave, 11, absl::Milliseconds(30)),
              IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 12, absl::Milliseconds(50)),
              IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 13, absl::Milliseconds(40)),
              IsOk());
  auto workers = job->Workers();
  ASSERT_EQ(workers.size(), 3u);
  EXPECT_EQ(workers[0].host_name, "alpha");
  EXPECT_EQ(workers[0].state, Membership::WorkerState::kMember);
  EXPECT_EQ(workers[0].rank, 0);
  EXPECT_EQ(workers[0].phase, Phase::kTrain);
  EXPECT_EQ(workers[0].step, 13);
  EXPECT_EQ(workers[0].step_time, absl::Milliseconds(40));
  ASSERT_THAT(job.Join("alpha/1", {1, 13}, 1), IsOk());
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  workers = job->Workers();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].state, Membership::WorkerState::kReturning);
  EXPECT_EQ(workers[1].state, Membership::WorkerState::kJoining);
  EXPECT_EQ(workers[1].rank, -1);
}

}  // namespace
}  // namespace charrnn
