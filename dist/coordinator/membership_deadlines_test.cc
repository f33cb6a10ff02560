// Membership: what time brings about, and what deaths cost.

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/membership_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

Membership::Options TwoHosts() {
  Membership::Options options;
  options.max_hosts = 2;
  return options;
}

// Of a worker of a job of one that has ended and is to be started again.
void ExpectBackOff(FakeJob* job, int incarnation, double seconds) {
  SCOPED_TRACE(incarnation);
  ASSERT_THAT(job->Join(absl::StrCat("alpha/0#", incarnation)), IsOk());
  EXPECT_THAT(job->Exit(absl::StrCat("alpha/0#", incarnation)),
              IsOkAndHolds(Optional(absl::Seconds(seconds))));
}

TEST(MembershipDeadlinesTest, SilentMemberIsDeadAndToBeKilled) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Silence("alpha/1");
  job.Advance(absl::Seconds(2.5));
  EXPECT_EQ(job.Wishes("alpha/0", 1), "");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
  EXPECT_THAT(job.ToKill("beta"), IsEmpty());
  EXPECT_EQ(job.Given("alpha/1"), "ABORTED");
  EXPECT_THAT(job.Beat("alpha/1", 1), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Exit("alpha/1"), IsOkAndHolds(Optional(absl::Seconds(0))));
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  EXPECT_EQ(job->generations().back().reason, "alpha/1 died: silent for 2.5s");
}

TEST(MembershipDeadlinesTest, SilentJoinerIsNotWaitedFor) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job.Silence("alpha/1");
  job.Advance(absl::Seconds(3));
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 beta/0");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
}

TEST(MembershipDeadlinesTest, MemberThatDoesNotReturnIsDead) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job.Advance(absl::Seconds(15));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
  EXPECT_EQ(job.ToKill("beta"), "beta/0");
}

TEST(MembershipDeadlinesTest, SlowStepsGiveMoreTimeToReturn) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Beat("beta/0", 1, Phase::kTrain, 11, absl::Seconds(4)),
              IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1), IsOk());
  job.Advance(absl::Seconds(15 + 3 * 4));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
}

TEST(MembershipDeadlinesTest, WhoEvaluatesOrSavesHasTheTimeForItToReturn) {
  for (const Phase phase : {Phase::kEvaluate, Phase::kSave}) {
    Membership::Options options = TwoHosts();
    options.evaluate_deadline = absl::Minutes(3);
    FakeJob job(options);
    ASSERT_NO_FATAL_FAILURE(StartThree(&job));
    ASSERT_THAT(job.Beat("beta/0", 1, phase, 10), IsOk());
    ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
    ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
    job.Advance(absl::Minutes(2));
    EXPECT_EQ(job.Members(), "forming");
    // From then on it has the time that the others had.
    ASSERT_THAT(job.Beat("beta/0", 1, Phase::kTrain, 10), IsOk());
    job.Advance(absl::Seconds(15));
    EXPECT_EQ(job.Members(), "forming");
    job.Advance(absl::Seconds(0.1));
    EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
    EXPECT_EQ(job.ToKill("beta"), "beta/0");
  }
}

TEST(MembershipDeadlinesTest, WorkerThatBeatsAndNeverJoinsIsDead) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Beat("alpha/1", 0, Phase::kSetup), IsOk());
  job.Advance(absl::Seconds(120));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Members(), "1: alpha/0");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
}

TEST(MembershipDeadlinesTest, WorkerThatHasJoinedWaitsWithoutADeadline) {
  Membership::Options options = TwoHosts();
  options.min_hosts = 2;
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Register("beta"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Minutes(9));
  EXPECT_EQ(job.Given("alpha/0"), "waits");
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());

  // Likewise for a later generation, whatever it was busy with before.
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 10), IsOk());
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  job.Advance(absl::Minutes(9));
  EXPECT_EQ(job.Given("alpha/0"), "waits");
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
}

TEST(MembershipDeadlinesTest, EachPhaseHasItsDeadline) {
  const struct {
    Phase phase;
    absl::Duration deadline;
    const char* reason;
  } cases[] = {
      {Phase::kSetup, absl::Seconds(120), "setting up at step 10 for over 2m"},
      {Phase::kTrain, absl::Seconds(30), "training at step 10 for over 30s"},
      {Phase::kEvaluate, absl::Minutes(30), "evaluating at step 10"},
      {Phase::kSave, absl::Minutes(30), "saving at step 10"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.reason);
    FakeJob job(TwoHosts());
    ASSERT_NO_FATAL_FAILURE(StartThree(&job));
    for (const char* worker : {"alpha/0", "beta/0"}) {
      ASSERT_THAT(job.Beat(worker, 1, Phase::kSave, 10), IsOk());
    }
    job.Advance(absl::Seconds(1));
    ASSERT_THAT(job.Beat("alpha/1", 1, Phase::kSave, 9), IsOk());
    ASSERT_THAT(job.Beat("alpha/1", 1, test.phase, 10), IsOk());
    if (test.phase == Phase::kEvaluate || test.phase == Phase::kSave) {
      ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kSave, 11), IsOk());
      ASSERT_THAT(job.Beat("beta/0", 1, Phase::kSave, 11), IsOk());
      job.Advance(absl::Minutes(1));
      ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kSave, 12), IsOk());
      ASSERT_THAT(job.Beat("beta/0", 1, Phase::kSave, 12), IsOk());
      job.Advance(test.deadline - absl::Minutes(1));
    } else {
      job.Advance(test.deadline);
    }
    EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
    job.Advance(absl::Seconds(0.2));
    EXPECT_EQ(job.Members(), "forming");
    EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
    ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
    ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
    EXPECT_THAT(job->generations().back().reason, HasSubstr(test.reason));
  }
}

TEST(MembershipDeadlinesTest, StepsKeepATrainingWorkerAlive) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  for (int step = 11; step < 16; ++step) {
    job.Advance(absl::Seconds(29));
    for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
      ASSERT_THAT(job.Beat(worker, 1, Phase::kTrain, step), IsOk());
    }
  }
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
}

TEST(MembershipDeadlinesTest, SlowStepsHaveALongerDeadline) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  // Medians of 5 s: one slow and one quick step move nothing.
  const int seconds[] = {5, 100, 5, 1, 5};
  int step = 10;
  for (const int s : seconds) {
    ++step;
    for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
      ASSERT_THAT(job.Beat(worker, 1, Phase::kTrain, step, absl::Seconds(s)),
                  IsOk());
    }
  }
  job.Advance(absl::Seconds(100));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Members(), "forming");
}

TEST(MembershipDeadlinesTest, OfSeveralStuckMembersTheLongestStuckDies) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  // The others make one more step, and then wait for alpha/1. All are found to
  // be stuck by the same tick.
  job.Sleep(absl::Seconds(0.02));
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 11), IsOk());
  ASSERT_THAT(job.Beat("beta/0", 1, Phase::kTrain, 11), IsOk());
  job.Advance(absl::Seconds(0.05));
  job.Advance(absl::Seconds(29.9));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(0.1));
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/1");
  EXPECT_THAT(job.ToKill("beta"), IsEmpty());
}

TEST(MembershipDeadlinesTest, LateTickMovesEveryDeadline) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Advance(absl::Seconds(29));
  job.Silence("beta/0");
  job.Advance(absl::Seconds(0.5));
  job.Sleep(absl::Minutes(5));
  job->Tick(job.now());
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  // Half a second of training was left, and of silence two.
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(0.4));
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_THAT(job.ToKill("beta"), IsEmpty());
  job.Advance(absl::Seconds(1.5));
  EXPECT_EQ(job.ToKill("beta"), "beta/0");
}

TEST(MembershipDeadlinesTest, CallAfterASleepMovesTheDeadlinesToo) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Advance(absl::Seconds(1));
  job.Sleep(absl::Minutes(5));
  // Its heartbeat is looked at before the clock ticks.
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 11), IsOk());
  job->Tick(job.now());
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  // Nor does it live longer for it.
  job.Silence("alpha/0");
  job.Advance(absl::Seconds(2.7));
  EXPECT_EQ(job.ToKill("alpha"), "alpha/0");
}

TEST(MembershipDeadlinesTest, SilenceOfEverybodyIsTheCoordinatorsOwn) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Advance(absl::Seconds(25));
  // Not all were heard at the same moment when it was cut off.
  job.Silence("alpha/0");
  job.Advance(absl::Seconds(0.5));
  for (const char* worker : {"alpha/1", "beta/0"}) job.Silence(worker);
  for (const char* host : {"alpha", "beta"}) job.SilenceSupervisor(host);
  job.Advance(absl::Minutes(9));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  // They come back one after the other; beta/0 does not.
  ASSERT_THAT(job.Register("beta", 1), IsOk());
  job.Advance(absl::Seconds(0.9));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  for (const char* worker : {"alpha/0", "alpha/1"}) {
    ASSERT_THAT(job.Beat(worker, 1, Phase::kTrain, 400), IsOk());
  }
  job.Advance(absl::Seconds(0.5));
  EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1 beta/0");
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.ToKill("beta"), "beta/0");
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
}

TEST(MembershipDeadlinesTest, LonelyWorkerIsMissedByItsSupervisor) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  job.SilenceSupervisor("alpha");
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 10), IsOk());
  job.Silence("alpha/0");
  int polls = 0;
  for (; polls < 10 && job.Members() == "1: alpha/0"; ++polls) {
    job.Advance(absl::Seconds(3));
    ASSERT_THAT(job->HostAlive("id-alpha", job.now()), IsOk());
  }
  EXPECT_EQ(polls, 3);
  EXPECT_EQ(job.ToKill("alpha"), "alpha/0");
}

TEST(MembershipDeadlinesTest, JobOfWhichNobodyComesIsGivenUp) {
  FakeJob job;
  job.Advance(absl::Minutes(10));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "failed");
}

TEST(MembershipDeadlinesTest, JobOfWhichEverybodyIsGoneIsGivenUp) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 10), IsOk());
  job.SilenceSupervisor("alpha");
  job.Silence("alpha/0");
  // That it was itself asleep for long does not count.
  job.Advance(absl::Minutes(5));
  job.Sleep(absl::Minutes(30));
  job.Advance(absl::Minutes(4.9));
  EXPECT_EQ(job.Members(), "1: alpha/0");
  job.Advance(absl::Minutes(0.2));
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_THAT(job->first_error(), HasSubstr("for 10m no worker was heard of"));
}

TEST(MembershipDeadlinesTest, TickThatIsALittleLateMovesNothing) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  for (int i = 0; i < 6; ++i) {
    job.Sleep(absl::Seconds(0.5));
    ASSERT_THAT(job.Beat("beta/0", 1, Phase::kTrain, 10), IsOk());
    job->Tick(job.now());
  }
  EXPECT_EQ(job.ToKill("alpha"), "alpha/0 alpha/1");
}

TEST(MembershipDeadlinesTest, RespawnsAreHeldBackMoreAndMoreWithoutOwnSteps) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  int incarnation = 0;
  for (const double seconds : {0, 1, 2, 4, 8, 16, 30, 30}) {
    ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, ++incarnation, seconds));
  }
  // Steps that it makes make good for all, if there are enough.
  for (const int64_t steps : {19, 20}) {
    const std::string worker = absl::StrCat("alpha/0#", ++incarnation);
    ASSERT_THAT(job.Join(worker), IsOk());
    const int64_t generation = job->generation();
    // What it had when it began is not its own.
    ASSERT_THAT(job.Beat(worker, generation, Phase::kSetup, 0), IsOk());
    ASSERT_THAT(job.Beat(worker, generation, Phase::kTrain, 100), IsOk());
    ASSERT_THAT(job.Beat(worker, generation, Phase::kTrain, 101), IsOk());
    ASSERT_THAT(job.Beat(worker, generation, Phase::kSave, 100 + steps),
                IsOk());
    EXPECT_THAT(job.Exit(worker),
                IsOkAndHolds(Optional(absl::Seconds(steps < 20 ? 30 : 0))));
  }
  ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, ++incarnation, 1));
}

TEST(MembershipDeadlinesTest, StepsOfSeveralGenerationsAddUp) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, 1, 0));
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  ASSERT_THAT(job.Beat("alpha/0#2", 2, Phase::kTrain, 0), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2", {2, 11}, 2), IsOk());
  ASSERT_THAT(job.Beat("alpha/0#2", 3, Phase::kTrain, 11), IsOk());
  ASSERT_THAT(job.Beat("alpha/0#2", 3, Phase::kTrain, 20), IsOk());
  EXPECT_THAT(job.Exit("alpha/0#2"), IsOkAndHolds(Optional(absl::Seconds(0))));
}

TEST(MembershipDeadlinesTest, RepeatedReportGetsWhatIsLeftOfTheBackOff) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, 1, 0));
  ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, 2, 1));
  ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, 3, 2));
  job.Advance(absl::Seconds(0.5));
  EXPECT_THAT(job.Exit("alpha/0#3"),
              IsOkAndHolds(Optional(absl::Seconds(1.5))));
  job.Advance(absl::Seconds(5));
  EXPECT_THAT(job.Exit("alpha/0#3"), IsOkAndHolds(Optional(absl::Seconds(0))));
  // And it has cost nothing.
  ASSERT_NO_FATAL_FAILURE(ExpectBackOff(&job, 4, 4));
}

TEST(MembershipDeadlinesTest, DeathOfAReplacedIncarnationStartsNothing) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0#2");
  EXPECT_EQ(job->generations().back().reason,
            "alpha/0 died: its incarnation 2 is there");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/0");
  EXPECT_THAT(job.Join("alpha/0", {1, 4}, 1),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Exit("alpha/0"), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
  EXPECT_EQ(job.Members(), "2: alpha/0#2");
}

TEST(MembershipDeadlinesTest, ReplacedProcessIsKilledThoughItWasNoMember) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  EXPECT_EQ(job.ToKill("alpha"), "alpha/0");
  EXPECT_EQ(job.Given("alpha/0"), "ABORTED");
  // And it counts as a death of the slot.
  EXPECT_THAT(job.Exit("alpha/0#2"), IsOkAndHolds(Optional(absl::Seconds(1))));
}

TEST(MembershipDeadlinesTest, HeartbeatOfAnEarlierGenerationIsALifeSignOnly) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 8}, 1), IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 2, Phase::kTrain, 8), IsOk());
  job.Advance(absl::Seconds(29));
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kSave, 7), IsOk());
  EXPECT_EQ(job->Workers()[0].step, 8);
  EXPECT_EQ(job->Workers()[0].phase, Phase::kTrain);
  job.Advance(absl::Seconds(1.1));
  EXPECT_EQ(job.Members(), "forming");
  EXPECT_EQ(job.ToKill("alpha"), "alpha/0");
}

TEST(MembershipDeadlinesTest, ReportOfALaterIncarnationTellsOfThoseBeforeIt) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  EXPECT_THAT(job.Exit("alpha/1#3"), IsOkAndHolds(Optional(absl::Seconds(1))));
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
  EXPECT_EQ(job.Wishes("alpha/0", 1), "over");
  EXPECT_THAT(job.Join("alpha/1#3"), StatusIs(absl::StatusCode::kAborted));
}

TEST(MembershipDeadlinesTest, ThirdOwnErrorOfASlotFailsTheJobWithTheFirst) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  ASSERT_THAT(job.Beat("alpha/1", 1, Phase::kTrain, 7), IsOk());
  EXPECT_THAT(job.Exit("alpha/1", "out of memory", true), IsOk());
  EXPECT_THAT(job.Exit("alpha/1", "out of memory", true), IsOk());
  ASSERT_THAT(job.Join("alpha/1#2"), IsOk());
  EXPECT_THAT(job.Exit("alpha/1#2", "no such file", true), IsOk());
  // Signals from outside do not count.
  ASSERT_THAT(job.Join("alpha/1#3"), IsOk());
  EXPECT_THAT(job.Exit("alpha/1#3", "signal 9", false), IsOk());
  EXPECT_NE(job.Members(), "failed");
  EXPECT_THAT(job.Exit("alpha/1#4", "no such file", true),
              IsOkAndHolds(std::nullopt));
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(), "alpha/1 (rank 1), step 7: out of memory");
}

TEST(MembershipDeadlinesTest, ErrorsBeforeAnyGenerationFailTheJobToo) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 1), IsOk());
  EXPECT_THAT(job.Exit("alpha/0", "no GPU", true), IsOk());
  EXPECT_THAT(job.Exit("alpha/0#2", "no GPU", true), IsOk());
  EXPECT_THAT(job.Exit("alpha/0#3", "no GPU", true), IsOk());
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(), "alpha/0: no GPU");
}

// The incarnations of alpha/1 make `steps` steps each, and crash.
void CrashAfterSteps(FakeJob* job, int64_t steps, int times) {
  ASSERT_THAT(job->Register("alpha", 2), IsOk());
  int64_t step = 0;
  for (int i = 1; i <= times; ++i) {
    const std::string worker = absl::StrCat("alpha/1#", i);
    ASSERT_THAT(job->Join(worker), IsOk());
    ASSERT_THAT(job->Join("alpha/0", {i - 1, step}, i - 1), IsOk());
    ASSERT_EQ((*job)->generation(), i);
    for (const char* other : {"alpha/0", worker.c_str()}) {
      ASSERT_THAT(job->Beat(other, i, Phase::kTrain, step), IsOk());
      ASSERT_THAT(job->Beat(other, i, Phase::kTrain, step + steps), IsOk());
    }
    step += steps;
    ASSERT_THAT(job->Exit(worker, "crash", true), IsOk());
  }
}

TEST(MembershipDeadlinesTest, OwnStepsBeginTheCountOfErrorsAnew) {
  FakeJob job;
  ASSERT_NO_FATAL_FAILURE(CrashAfterSteps(&job, 20, 5));
  EXPECT_EQ(job.Members(), "forming");
}

TEST(MembershipDeadlinesTest, FewerStepsAndThoseOfOthersDoNotMakeGood) {
  FakeJob job;
  ASSERT_NO_FATAL_FAILURE(CrashAfterSteps(&job, 19, 3));
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(), "alpha/1 (rank 1), step 19: crash");
}

TEST(MembershipDeadlinesTest, ErrorsOfDifferentSlotsDoNotAddUp) {
  FakeJob job;
  ASSERT_THAT(job.Register("alpha", 3), IsOk());
  for (const char* worker : {"alpha/0", "alpha/1", "alpha/2"}) {
    ASSERT_THAT(job.Join(worker), IsOk());
  }
  for (const char* worker : {"alpha/0", "alpha/1", "alpha/2"}) {
    EXPECT_THAT(job.Exit(worker, "crash", true), IsOk());
  }
  EXPECT_EQ(job.Members(), "forming");
}

TEST(MembershipDeadlinesTest, ExitOfWhoWasToldThatItIsDeadIsNoErrorOfItsOwn) {
  Membership::Options options;
  options.own_errors = 1;
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  job.Silence("alpha/1");
  job.Advance(absl::Seconds(3));
  EXPECT_THAT(job.Beat("alpha/1", 1), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Exit("alpha/1", "was declared dead", true), IsOk());
  EXPECT_EQ(job.Members(), "forming");

  // One that crashed, and whose report took long, was not told.
  ASSERT_THAT(job.Join("alpha/0", {1, 1}, 1), IsOk());
  job.Silence("alpha/0");
  job.Advance(absl::Seconds(3));
  EXPECT_THAT(job.Exit("alpha/0", "segmentation fault", true), IsOk());
  EXPECT_EQ(job.Members(), "failed");
}

TEST(MembershipDeadlinesTest, GenerationsWithoutANewStepFailTheJob) {
  Membership::Options options;
  options.idle_generations = 4;
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 7), IsOk());
  // The first one made a step.
  for (int g = 1; g <= 6; ++g) {
    ASSERT_EQ(job->generation(), g);
    // So many within a minute would be too many later.
    if (g == 6) job.Advance(absl::Minutes(1));
    ASSERT_THAT(job.Join("alpha/0", {1, 7}, g, "connect: timed out"), IsOk());
    ASSERT_EQ(job.Members(), "forming");
    ASSERT_THAT(job.Join("alpha/1", {1, 7}, g, "closed"), IsOk());
  }
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(),
            "5 generations in a row were over before a new step, the last one "
            "because alpha/0 left: connect: timed out");
}

TEST(MembershipDeadlinesTest, FewGenerationsWithoutANewStepMayTakeLong) {
  Membership::Options options;
  options.idle_generations = 4;
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  for (int g = 1; g <= 4; ++g) {
    ASSERT_EQ(job.Members(), absl::StrCat(g, ": alpha/0"));
    job.Advance(absl::Minutes(1));
    ASSERT_THAT(job.Join("alpha/0", {0, 0}, g), IsOk());
  }
  EXPECT_EQ(job.Members(), "failed");
}

TEST(MembershipDeadlinesTest, StepThatIsHeardOfLateCountsForItsGeneration) {
  Membership::Options options;
  options.idle_generations = 2;
  options.idle_time = absl::ZeroDuration();
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha", 2), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/1"), IsOk());
  for (int g = 1; g <= 8; ++g) {
    ASSERT_THAT(job.Join("alpha/0", {g, g - 1}, g), IsOk());
    ASSERT_THAT(job.Join("alpha/1", {g, g}, g), IsOk());
  }
  EXPECT_EQ(job->generation(), 9);
}

TEST(MembershipDeadlinesTest, RegroupWhileStepsAreDoneAgainIsNotIdle) {
  Membership::Options options;
  options.idle_generations = 2;
  options.idle_time = absl::ZeroDuration();
  options.max_workers = 20;
  FakeJob job(options);
  job->Committed(100);
  ASSERT_THAT(job.Register("alpha", 10), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(31));
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 500), IsOk());
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0#2"), IsOk());
  for (int i = 1; i < 10; ++i) {
    ASSERT_THAT(job.Join(absl::StrCat("alpha/", i)), IsOk());
    job.Advance(absl::Seconds(1));
    ASSERT_EQ(job.Wishes("alpha/0#2", i + 1), "regroup");
    for (int j = 0; j < i; ++j) {
      ASSERT_THAT(job.Join(absl::StrCat("alpha/", j, j == 0 ? "#2" : ""),
                           {i + 1, 100 + i}, i + 1, "regroup"),
                  IsOk());
    }
    ASSERT_EQ(job->generation(), i + 2);
  }
}

TEST(MembershipDeadlinesTest, JobFailsIfTooFewHostsAreThereForTooLong) {
  Membership::Options options = TwoHosts();
  options.min_hosts = 2;
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Register("beta"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Minutes(9));
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  // Forming begins anew, however soon.
  EXPECT_EQ(job.Members(), "1: alpha/0 beta/0");
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 1}, 1), IsOk());
  job.Advance(absl::Minutes(10));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(),
            "for 10m there were workers of 1 host where 2 are needed");
}

TEST(MembershipDeadlinesTest, JobFailsIfNoGenerationFormsForWhateverReason) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Beat("beta/0", 1, Phase::kEvaluate, 10), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 10}, 1), IsOk());
  job.Advance(absl::Minutes(10));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(0.2));
  EXPECT_EQ(job.Members(), "failed");
  EXPECT_EQ(job->first_error(),
            "for 10m no generation has formed: it waits for beta/0");
}

TEST(MembershipDeadlinesTest, LongerJoinWindowIsNoFailure) {
  Membership::Options options = TwoHosts();
  options.join_window = absl::Minutes(20);
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Minutes(19));
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(61));
  EXPECT_EQ(job.Members(), "1: alpha/0");
}

TEST(MembershipDeadlinesTest, JobThatIsToStopMissesNoHostsButOne) {
  Membership::Options options = TwoHosts();
  options.min_hosts = 2;
  FakeJob job(options);
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job.Beat("alpha/1", 1, Phase::kSave, 10), IsOk());
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 1), IsOk());
  job->RequestStop(job.now());
  job.Advance(absl::Minutes(11));
  EXPECT_EQ(job->first_error(),
            "for 10m no generation has formed: it waits for alpha/1");
}

TEST(MembershipDeadlinesTest, LostHostMakesRoomAndComesBackWhereThereIsRoom) {
  Membership::Options options = TwoHosts();
  options.max_workers = 3;
  FakeJob job(options);
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Silence("beta/0");
  job.SilenceSupervisor("beta");
  job.Advance(absl::Seconds(9));
  EXPECT_THAT(job.Register("gamma"), StatusIs(absl::StatusCode::kUnavailable));
  job.Advance(absl::Seconds(1.1));
  // It comes back: its worker is dead, and another one may join.
  EXPECT_THAT(job->HostAlive("id-beta", job.now()), IsOk());
  EXPECT_EQ(job.ToKill("beta"), "beta/0");
  EXPECT_THAT(job.Register("gamma"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(job.Exit("beta/0"), IsOkAndHolds(Optional(absl::Seconds(0))));
  EXPECT_THAT(job.Join("beta/0#2"), IsOk());

  // Lost once more, and another one takes its place.
  job.Silence("beta/0#2");
  job.Advance(absl::Seconds(11));
  ASSERT_THAT(job.Register("gamma"), IsOk());
  EXPECT_THAT(job->HostAlive("id-beta", job.now()),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(job.Register("beta"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(job.Exit("beta/0#2"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(job.ToKill("beta"), IsEmpty());
  EXPECT_THAT(job.Join("beta/0#3"), StatusIs(absl::StatusCode::kAborted));

  // Whose supervisor waits until there is room once more.
  ASSERT_THAT(job->LeaveHost("id-gamma", job.now()), IsOk());
  ASSERT_TRUE(job->HasLeft("id-gamma"));
  EXPECT_THAT(job.Exit("beta/0#2"), IsOkAndHolds(Optional(absl::Seconds(0))));
  EXPECT_THAT(job.Join("beta/0#3"), IsOk());
}

TEST(MembershipDeadlinesTest, SupervisorThatSpeaksKeepsItsHost) {
  FakeJob job(TwoHosts());
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  job.Silence("beta/0");
  job.Advance(absl::Minutes(1));
  EXPECT_THAT(job.Register("gamma"), StatusIs(absl::StatusCode::kUnavailable));
  // And all its slots dead, it may register again.
  EXPECT_THAT(job.Register("beta"), IsOk());
  EXPECT_THAT(job.Join("beta/0"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Join("beta/0#2"), IsOk());
}

TEST(MembershipDeadlinesTest, LostHostsSlotsAreNotAwaitedInTheFirst) {
  Membership::Options options = TwoHosts();
  options.join_window = absl::Minutes(5);
  FakeJob job(options);
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  ASSERT_THAT(job.Register("beta", 2), IsOk());
  job.SilenceSupervisor("beta");
  job.Advance(absl::Seconds(11));
  ASSERT_THAT(job.Register("gamma"), IsOk());
  ASSERT_THAT(job.Join("gamma/0"), IsOk());
  EXPECT_EQ(job.Members(), "1: alpha/0 gamma/0");
}

}  // namespace
}  // namespace charrnn
