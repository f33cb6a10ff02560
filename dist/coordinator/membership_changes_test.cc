// Membership: those who come while others train, and those who leave.

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

using ::testing::IsEmpty;

constexpr absl::Duration kTick = absl::Milliseconds(100);

Membership::Options Hosts(int min, int max) {
  Membership::Options options;
  options.min_hosts = min;
  options.max_hosts = max;
  return options;
}

TEST(MembershipChangesTest, NewcomersAreLetInTogetherByOneRegroup) {
  FakeJob job(Hosts(1, 4));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(31));
  ASSERT_EQ(job.Members(), "1: alpha/0");
  ASSERT_THAT(job.Beat("alpha/0", 1, Phase::kTrain, 7), IsOk());

  ASSERT_THAT(job.Register("beta", 2), IsOk());
  ASSERT_THAT(job.Join("beta/1"), IsOk());
  const int64_t version = job->version();
  job.Advance(absl::Seconds(0.2));
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  EXPECT_EQ(job.Wishes("alpha/0", 1), "");
  EXPECT_EQ(job->version(), version);
  job.Advance(kTick + kTick);
  EXPECT_EQ(job.Wishes("alpha/0", 1), "regroup");
  EXPECT_GT(job->version(), version);
  EXPECT_EQ(job.Wishes("beta/0", 0), "");
  EXPECT_EQ(job.Members(), "1: alpha/0");  // until it comes by itself
  ASSERT_THAT(job.Join("alpha/0", {1, 8}, 1, "regroup"), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 beta/0 beta/1");
  EXPECT_EQ(job->generations().back().reason, "beta/0 comes, beta/1 comes");
  EXPECT_EQ(job.Wishes("alpha/0", 2), "");
}

TEST(MembershipChangesTest, RegroupIsNotWishedAnyMoreForANewcomerThatDied) {
  FakeJob job(Hosts(1, 4));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(31));
  ASSERT_THAT(job.Register("beta"), IsOk());
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  job.Advance(absl::Seconds(1));
  ASSERT_EQ(job.Wishes("alpha/0", 1), "regroup");
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  job.Advance(kTick);
  EXPECT_EQ(job.Wishes("alpha/0", 1), "");
}

TEST(MembershipChangesTest, HostLeavesWhenTheOthersHaveItsState) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  job.Advance(absl::Seconds(0.4));
  EXPECT_EQ(job.Wishes("alpha/0", 1), "regroup");
  EXPECT_EQ(job.Wishes("beta/0", 1), "regroup");
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 11}, 1, "regroup"), IsOk());
  }
  EXPECT_EQ(job.Members(), "2: beta/0");
  EXPECT_EQ(job->generations().back().reason, "alpha leaves");
  EXPECT_EQ(job.Given("beta/0"), "2: rank 0 of 1, source 0, committed 0");
  // Should beta/0 die before it trains, alpha's workers have its state.
  job.Advance(absl::Seconds(1));
  ASSERT_THAT(job.Beat("beta/0", 2, Phase::kSetup, 11), IsOk());
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  EXPECT_EQ(job.Given("alpha/0"), "waits");
  EXPECT_EQ(job.Wishes("beta/0", 2), "");
  ASSERT_THAT(job.Beat("beta/0", 2, Phase::kTrain, 11), IsOk());
  EXPECT_TRUE(job->HasLeft("id-alpha"));
  EXPECT_EQ(job.Given("alpha/0"), "ABORTED");
  EXPECT_THAT(job.Join("alpha/0#2"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(job.Exit("alpha/1"), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(job.ToKill("alpha"), IsEmpty());
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Wishes("beta/0", 2), "");
  EXPECT_THAT(job.Register("gamma"), IsOk());  // there is room again
}

TEST(MembershipChangesTest, HostThatWaitsToLeaveComesBackIfTheOthersDie) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 11}, 1, "regroup"), IsOk());
  }
  ASSERT_EQ(job.Members(), "2: beta/0");
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("beta/0#2"), IsOk());
  EXPECT_EQ(job.Members(), "3: alpha/0 alpha/1 beta/0#2");
  EXPECT_EQ(job.Given("beta/0#2"), "3: rank 2 of 3, source 0, committed 0");
  job.Advance(absl::Seconds(0.5));
  EXPECT_EQ(job.Wishes("alpha/0", 3), "regroup");
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0#2"}) {
    ASSERT_THAT(job.Join(worker, {3, 12}, 3, "regroup"), IsOk());
  }
  EXPECT_EQ(job.Members(), "4: beta/0#2");
  ASSERT_THAT(job.Beat("beta/0#2", 4, Phase::kTrain, 12), IsOk());
  EXPECT_TRUE(job->HasLeft("id-alpha"));
}

TEST(MembershipChangesTest, HostThatWaitsToLeaveNeedNotIfItsStateIsCommitted) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job.Join(worker, {1, 11}, 1, "regroup"), IsOk());
  }
  job.Advance(kTick);
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  job->Committed(11);
  job.Advance(kTick);
  EXPECT_TRUE(job->HasLeft("id-alpha"));
}

TEST(MembershipChangesTest, HostThatHoldsTheOnlyNewestStateHandsItOnFirst) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Exit("alpha/1"), IsOkAndHolds(std::nullopt));
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("beta/0#2"), IsOk());
  EXPECT_EQ(job.Members(), "2: alpha/0 beta/0#2");
  EXPECT_EQ(job.Given("beta/0#2"), "2: rank 1 of 2, source 0, committed 0");
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Wishes("alpha/0", 2), "regroup");
  ASSERT_THAT(job.Join("alpha/0", {2, 12}, 2, "regroup"), IsOk());
  ASSERT_THAT(job.Join("beta/0#2", {2, 12}, 2, "regroup"), IsOk());
  EXPECT_EQ(job.Members(), "3: beta/0#2");
  ASSERT_THAT(job.Beat("beta/0#2", 3, Phase::kTrain, 12), IsOk());
  EXPECT_TRUE(job->HasLeft("id-alpha"));
}

TEST(MembershipChangesTest, HostWhoseNewestStateIsCommittedNeedNotHandItOn) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Exit("alpha/1"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  job.Advance(kTick);
  EXPECT_FALSE(job->HasLeft("id-alpha"));
  job->Committed(11);
  job.Advance(kTick);
  EXPECT_TRUE(job->HasLeft("id-alpha"));
  ASSERT_THAT(job.Join("beta/0#2"), IsOk());
  EXPECT_EQ(job.Given("beta/0#2"), "2: rank 0 of 1, source none, committed 11");
}

TEST(MembershipChangesTest, HostWithoutMembersLeavesAtOnce) {
  FakeJob job(Hosts(1, 3));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(31));
  ASSERT_EQ(job.Members(), "1: alpha/0");
  ASSERT_THAT(job.Register("beta", 2), IsOk());
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  ASSERT_THAT(job->LeaveHost("id-beta", job.now()), IsOk());
  EXPECT_TRUE(job->HasLeft("id-beta"));
  EXPECT_EQ(job.Given("beta/0"), "ABORTED");
  job.Advance(absl::Seconds(1));
  EXPECT_EQ(job.Wishes("alpha/0", 1), "");
}

TEST(MembershipChangesTest, HostLeavesTheFirstGenerationBeforeItForms) {
  FakeJob job(Hosts(1, 3));
  ASSERT_THAT(job.Register("alpha"), IsOk());
  ASSERT_THAT(job.Register("beta"), IsOk());
  ASSERT_THAT(job.Join("beta/0"), IsOk());
  ASSERT_THAT(job->LeaveHost("id-beta", job.now()), IsOk());
  EXPECT_TRUE(job->HasLeft("id-beta"));
  ASSERT_THAT(job.Join("alpha/0"), IsOk());
  job.Advance(absl::Seconds(31));
  EXPECT_EQ(job.Members(), "1: alpha/0");
}

TEST(MembershipChangesTest, JobStopsIfTooFewHostsWouldStay) {
  FakeJob job(Hosts(2, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  EXPECT_EQ(job.Wishes("alpha/0", 1), "stop");
  EXPECT_EQ(job.Wishes("beta/0", 1), "stop");
  EXPECT_TRUE(job->ToDurable().stop);
  EXPECT_FALSE(job->HasLeft("id-alpha"));
}

TEST(MembershipChangesTest, JobStopsIfTheHostsThatWereToStayAreLost) {
  FakeJob job(Hosts(1, 2));
  ASSERT_NO_FATAL_FAILURE(StartThree(&job));
  ASSERT_THAT(job->LeaveHost("id-alpha", job.now()), IsOk());
  job.Silence("beta/0");
  job.SilenceSupervisor("beta");
  job.Advance(absl::Seconds(3));
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  ASSERT_THAT(job.Join("alpha/1", {1, 11}, 1), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  job.Advance(absl::Seconds(8));
  EXPECT_EQ(job.Members(), "2: alpha/0 alpha/1");
  EXPECT_EQ(job.Wishes("alpha/0", 2), "stop");
}

// A job of alpha/0 and beta/0, whose generation 1 has made ten steps, and whose
// generation 2 has gamma/0 too.
void LetGammaIn(FakeJob* job) {
  for (const char* host : {"alpha", "beta"}) {
    ASSERT_THAT(job->Register(host), IsOk());
    ASSERT_THAT(job->Join(absl::StrCat(host, "/0")), IsOk());
  }
  job->Advance(absl::Seconds(31));
  ASSERT_EQ(job->Members(), "1: alpha/0 beta/0");
  ASSERT_THAT(job->Register("gamma"), IsOk());
  ASSERT_THAT(job->Join("gamma/0"), IsOk());
  ASSERT_THAT(job->Join("alpha/0", {1, 10}, 1), IsOk());
  ASSERT_THAT(job->Join("beta/0", {1, 10}, 1), IsOk());
  ASSERT_EQ(job->Members(), "2: alpha/0 beta/0 gamma/0");
}

// All leave a generation, in which the two have made `steps` steps.
void Return(FakeJob* job, int64_t generation, int64_t steps) {
  const StateAge age = {steps > 0 ? generation : generation - 1,
                        (*job)->step() + steps};
  ASSERT_THAT(job->Join("alpha/0", age, generation), IsOk());
  ASSERT_THAT(job->Join("beta/0", age, generation), IsOk());
}

TEST(MembershipChangesTest, NewcomerThatKeepsTheOthersFromAStepIsLeftOut) {
  FakeJob job(Hosts(1, 4));
  ASSERT_NO_FATAL_FAILURE(LetGammaIn(&job));
  int64_t g = 2;
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    SCOPED_TRACE(seconds);
    ASSERT_NO_FATAL_FAILURE(Return(&job, g, 0));
    ASSERT_EQ(job.Members(), "forming");  // it may still hold something
    ASSERT_THAT(job.Join("gamma/0", {0, 0}, g), IsOk());
    ASSERT_EQ(job.Members(), absl::StrCat(++g, ": alpha/0 beta/0"));
    EXPECT_EQ(job.Given("gamma/0"), "waits");
    EXPECT_EQ(job->Workers()[2].state, Membership::WorkerState::kJoining);
    job.Advance(absl::Seconds(seconds) - kTick);
    ASSERT_THAT(job.Join("gamma/0", {0, 0}, g - 1), IsOk());  // repeated
    EXPECT_EQ(job.Wishes("alpha/0", g), "");
    job.Advance(absl::Seconds(0.5));
    EXPECT_EQ(job.Wishes("alpha/0", g), "regroup");
    // The others go on meanwhile, and once more with it.
    ASSERT_NO_FATAL_FAILURE(Return(&job, g, 5));
    ASSERT_EQ(job.Members(), absl::StrCat(++g, ": alpha/0 beta/0 gamma/0"));
  }
  // Once it has made steps with them it is one of them.
  ASSERT_THAT(job.Beat("gamma/0", g, Phase::kTrain, job->step() + 1), IsOk());
  ASSERT_NO_FATAL_FAILURE(Return(&job, g, 1));
  ASSERT_THAT(job.Join("gamma/0", {g, job->step()}, g), IsOk());
  ASSERT_EQ(job.Members(), absl::StrCat(++g, ": alpha/0 beta/0 gamma/0"));
  ASSERT_NO_FATAL_FAILURE(Return(&job, g, 0));
  ASSERT_THAT(job.Join("gamma/0", {g - 1, job->step()}, g), IsOk());
  EXPECT_EQ(job.Members(), absl::StrCat(g + 1, ": alpha/0 beta/0 gamma/0"));
}

TEST(MembershipChangesTest, ReplacementThatSomebodyNeedsIsNotLeftOut) {
  FakeJob job(Hosts(1, 4));
  ASSERT_NO_FATAL_FAILURE(LetGammaIn(&job));
  ASSERT_THAT(job.Beat("gamma/0", 2, Phase::kTrain, job->step() + 1), IsOk());
  ASSERT_THAT(job.Exit("gamma/0"), IsOk());
  ASSERT_NO_FATAL_FAILURE(Return(&job, 2, 1));
  ASSERT_EQ(job.Members(), "3: alpha/0 beta/0");
  // They make no step, because one of them reads what only gamma has.
  for (int64_t g = 3; g < 8; ++g) {
    const StateAge age = {g, job->step()};
    ASSERT_THAT(job.Join("beta/0", age, g, "lacks a shard", true), IsOk());
    ASSERT_THAT(job.Join("alpha/0", age, g), IsOk());
    ASSERT_EQ(job.Members(), absl::StrCat(g + 1, ": alpha/0 beta/0"));
  }
  ASSERT_THAT(job.Join("gamma/0#2"), IsOk());
  job.Advance(absl::Seconds(0.5));
  EXPECT_EQ(job.Wishes("beta/0", 8), "regroup");
  const StateAge age = {8, job->step()};
  ASSERT_THAT(job.Join("beta/0", age, 8, "lacks a shard", true), IsOk());
  ASSERT_THAT(job.Join("alpha/0", age, 8), IsOk());
  EXPECT_EQ(job.Members(), "9: alpha/0 beta/0 gamma/0#2");
}

TEST(MembershipChangesTest, NorIfOthersAreHeardOfFirst) {
  FakeJob job(Hosts(1, 4));
  ASSERT_NO_FATAL_FAILURE(LetGammaIn(&job));
  ASSERT_THAT(job.Beat("gamma/0", 2, Phase::kTrain, job->step() + 1), IsOk());
  ASSERT_THAT(job.Exit("gamma/0"), IsOk());
  ASSERT_NO_FATAL_FAILURE(Return(&job, 2, 1));
  ASSERT_EQ(job.Members(), "3: alpha/0 beta/0");
  ASSERT_THAT(job.Join("gamma/0#2"), IsOk());
  const StateAge age = {3, job->step()};
  // Its collective has failed because beta left.
  ASSERT_THAT(job.Join("alpha/0", age, 3), IsOk());
  ASSERT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Join("beta/0", age, 3, "lacks a shard", true), IsOk());
  EXPECT_EQ(job.Members(), "4: alpha/0 beta/0 gamma/0#2");
}

TEST(MembershipChangesTest, ReplacementOfWhoIsLeftOutIsLeftOutToo) {
  FakeJob job(Hosts(1, 4));
  ASSERT_NO_FATAL_FAILURE(LetGammaIn(&job));
  ASSERT_NO_FATAL_FAILURE(Return(&job, 2, 0));
  ASSERT_THAT(job.Join("gamma/0", {0, 0}, 2), IsOk());
  ASSERT_THAT(job.Exit("gamma/0"), IsOk());
  ASSERT_THAT(job.Join("gamma/0#2"), IsOk());
  job.Advance(absl::Seconds(0.9));
  EXPECT_EQ(job.Wishes("alpha/0", 3), "");
  job.Advance(absl::Seconds(0.5));
  EXPECT_EQ(job.Wishes("alpha/0", 3), "regroup");
}

TEST(MembershipChangesTest, NobodyIsLeftOutIfTooFewHostsWouldBeThere) {
  FakeJob job(Hosts(2, 4));
  ASSERT_NO_FATAL_FAILURE(LetGammaIn(&job));
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 10}, 2), IsOk());
  ASSERT_THAT(job.Join("gamma/0", {0, 0}, 2), IsOk());
  EXPECT_EQ(job.Members(), "3: alpha/0 gamma/0");
}

TEST(MembershipChangesTest, WhoIsLeftOutComesInWhenTheOthersDie) {
  FakeJob job(Hosts(1, 4));
  ASSERT_NO_FATAL_FAILURE(LetGammaIn(&job));
  ASSERT_NO_FATAL_FAILURE(Return(&job, 2, 0));
  ASSERT_THAT(job.Join("gamma/0", {2, 10}, 2), IsOk());
  ASSERT_EQ(job.Members(), "3: alpha/0 beta/0");
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  EXPECT_EQ(job.Members(), "forming");
  ASSERT_THAT(job.Exit("beta/0"), IsOk());
  EXPECT_EQ(job.Members(), "4: gamma/0");
  EXPECT_EQ(job.Given("gamma/0"), "4: rank 0 of 1, source 0, committed 0");
}

TEST(MembershipChangesTest, WhoAloneHoldsTheNewestStepIsNotLeftOut) {
  FakeJob job(Hosts(1, 4));
  for (const char* host : {"alpha", "beta"}) {
    ASSERT_THAT(job.Register(host), IsOk());
    ASSERT_THAT(job.Join(absl::StrCat(host, "/0")), IsOk());
  }
  job.Advance(absl::Seconds(31));
  ASSERT_THAT(job.Register("gamma"), IsOk());
  ASSERT_THAT(job.Join("gamma/0"), IsOk());
  ASSERT_THAT(job.Join("alpha/0", {1, 11}, 1), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 1), IsOk());
  // alpha/0 dies when it has given its state to gamma/0 only.
  ASSERT_THAT(job.Exit("alpha/0"), IsOk());
  ASSERT_THAT(job.Join("gamma/0", {2, 11}, 2), IsOk());
  ASSERT_THAT(job.Join("beta/0", {1, 10}, 2), IsOk());
  EXPECT_EQ(job.Members(), "3: beta/0 gamma/0");
  EXPECT_EQ(job.Given("beta/0"), "3: rank 0 of 2, source 1, committed 0");
}

}  // namespace
}  // namespace charrnn
