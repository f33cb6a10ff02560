#include "dist/coordinator/job.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/fault_injecting_files.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job_call.h"
#include "dist/coordinator/job_fixture.h"
#include "dist/coordinator/job_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "testing/lines.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kAborted = absl::StatusCode::kAborted;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

TEST_F(JobTest, TheFirstHostsConfigurationBecomesTheRuns) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const wire::OpenRunResponse before,
      Call(*job_, &Job::OpenRun, wire::OpenRunRequest()).Await());
  EXPECT_EQ(before.config_json(), "");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::RegisterHostResponse registered,
                               Register(Host("a")));
  EXPECT_EQ(registered.config_json(), RunConfig());
  EXPECT_EQ(registered.instruction_set(), "avx2");
  EXPECT_EQ(Read("config.json"), RunConfig());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const wire::OpenRunResponse after,
      Call(*job_, &Job::OpenRun, wire::OpenRunRequest()).Await());
  EXPECT_EQ(after.config_json(), RunConfig());
}

TEST_F(JobTest, RegisteringAgainIsNoError) {
  ASSERT_THAT(Register(Host("a")), IsOk());
  EXPECT_THAT(Register(Host("a")), IsOk());
}

TEST_F(JobTest, AHostWithOtherFlagsIsRefusedByTheFlagsName) {
  options_.membership.max_hosts = 2;
  Open();
  ASSERT_THAT(Register(Host("a")), IsOk());
  TrainingConfig training;
  training.learning_rate = 0.125;
  wire::RegisterHostRequest other = Host("b");
  other.set_config_json(RunConfig(training));
  EXPECT_THAT(Register(other), StatusIs(kFailedPrecondition,
                                        HasSubstr("--learning_rate=0.125")));
  EXPECT_EQ(Read("config.json"), RunConfig());
}

TEST_F(JobTest, AConfigurationThatIsNoneIsRefusedAndKeepsNobodyOut) {
  TrainingConfig training;
  for (const std::string& bad :
       {std::string(), std::string("{}"),
        absl::StrCat("{\"training\": ", ToJson(training), "}")}) {
    wire::RegisterHostRequest request = Host("b");
    request.set_config_json(bad);
    EXPECT_THAT(Register(request), StatusIs(kInvalidArgument)) << bad;
  }
  EXPECT_EQ(Read("config.json"), "");
  EXPECT_THAT(Register(Host("a")), IsOk());
}

TEST_F(JobTest, AHostThatIsRefusedLeavesTheRunToBegin) {
  wire::RegisterHostRequest unknown = Host("b");
  unknown.set_instruction_set("sse9");
  EXPECT_THAT(Register(unknown), StatusIs(kInvalidArgument, HasSubstr("sse9")));
  // More workers than the batch has grains; with more grains it would do.
  EXPECT_THAT(Register(Host("b", 9)), StatusIs(kInvalidArgument));
  EXPECT_EQ(Read("config.json"), "");
  TrainingConfig training;
  training.grains = 16;
  wire::RegisterHostRequest good = Host("a", 9);
  good.set_config_json(RunConfig(training));
  EXPECT_THAT(Register(good), IsOk());
}

TEST_F(JobTest, AFullDiskAtTheBeginningIsToldAndCanBeRepeated) {
  Fault fault;
  fault.crash = true;
  files_.Inject(fault);
  EXPECT_THAT(Register(Host("a")),
              StatusIs(absl::StatusCode::kResourceExhausted));
  fault.operation = int64_t{1} << 40;
  files_.Inject(fault);
  EXPECT_THAT(Register(Host("a")), IsOk());
  EXPECT_EQ(Read("config.json"), RunConfig());
}

TEST_F(JobTest, HostsComputeWithWhatAllOfThemHave) {
  options_.membership.max_hosts = 3;
  Open();
  ASSERT_THAT(Register(Host("a", 1)), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse seen,
                               StartWatch("a", 0).Await());
  EXPECT_EQ(seen.instruction_set(), "avx2");
  auto stale = StartJoin(Worker(0));
  // One that is refused says nothing.
  wire::RegisterHostRequest refused = Host("b", 99);
  refused.set_instruction_set("baseline");
  EXPECT_THAT(Register(refused), Not(IsOk()));
  wire::RegisterHostRequest lesser = Host("b", 1);
  lesser.set_instruction_set("baseline");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::RegisterHostResponse registered,
                               Register(lesser));
  EXPECT_EQ(registered.instruction_set(), "baseline");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::RegisterHostResponse greater,
                               Register(Host("c", 1)));
  EXPECT_EQ(greater.instruction_set(), "baseline");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse told,
                               StartWatch("a", seen.version()).Await());
  EXPECT_EQ(told.instruction_set(), "baseline");
  // A worker that computes with another one is given no place.
  auto b = StartJoin(Worker(0, 1, "b"), 0, "baseline");
  auto c = StartJoin(Worker(0, 1, "c"), 0, "baseline");
  LetPollsEnd();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse waits, stale.Await());
  EXPECT_EQ(waits.generation(), 0);
}

TEST_F(JobTest, ALesserCpuIsTooLateOnceTheBitsAreDefined) {
  options_.membership.max_hosts = 2;
  options_.membership.join_window = absl::ZeroDuration();
  Open();
  FormGeneration();
  wire::RegisterHostRequest lesser = Host("b", 1);
  lesser.set_instruction_set("baseline");
  EXPECT_THAT(Register(lesser),
              StatusIs(kFailedPrecondition, HasSubstr("baseline")));
  EXPECT_THAT(Register(Host("b", 1)), IsOk());
}

TEST_F(JobTest, TwoWorkersFormTheFirstGeneration) {
  ASSERT_THAT(Register(Host("a")), IsOk());
  auto second = StartJoin(Worker(1));
  EXPECT_FALSE(second.answered());
  auto first = StartJoin(Worker(0));
  for (const int rank : {0, 1}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                                 (rank == 0 ? first : second).Await());
    EXPECT_EQ(joined.generation(), 1);
    EXPECT_EQ(joined.rank(), rank);
    EXPECT_EQ(joined.world_size(), 2);
    EXPECT_EQ(joined.source_rank(), -1);
    EXPECT_EQ(joined.committed_step(), 0);
    EXPECT_NE(joined.boot(), 0);
    EXPECT_EQ(joined.state(), wire::RUNNING);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const wire::GetStatusResponse status,
      Call(*job_, &Job::GetStatus, wire::GetStatusRequest()).Await());
  EXPECT_EQ(status.state(), wire::RUNNING);
  EXPECT_EQ(status.run_dir(), directory_.path());
  ASSERT_EQ(status.members_size(), 2);
  EXPECT_EQ(status.members(1).host_name(), "name-a");
  EXPECT_EQ(status.members(1).state(), "member");
  EXPECT_EQ(status.members(1).rank(), 1);
  ASSERT_EQ(status.generations_size(), 1);
  job_.reset();  // writes what was accepted
  EXPECT_THAT(Read("metrics.jsonl"),
              HasSubstr("\"event\":\"generation\",\"generation\":1,"));
}

TEST_F(JobTest, APollWithoutNewsIsAnsweredEmptyHanded) {
  ASSERT_THAT(Register(Host("a")), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse seen,
                               StartWatch("a", 0).Await());
  EXPECT_EQ(seen.state(), wire::FORMING);
  auto join = StartJoin(Worker(0));
  ASSERT_THAT(Beat(Worker(0), 0), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse now,
                               StartWatch("a", 0).Await());
  auto watch = StartWatch("a", now.version());
  EXPECT_FALSE(join.answered());
  EXPECT_FALSE(watch.answered());
  LetPollsEnd();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined, join.Await());
  EXPECT_EQ(joined.generation(), 0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse watched,
                               watch.Await());
  EXPECT_EQ(watched.version(), now.version());
  EXPECT_EQ(watched.state(), wire::FORMING);
}

TEST_F(JobTest, StrangersAreTurnedAway) {
  EXPECT_THAT(StartWatch("x", 0).Await(), StatusIs(kAborted));
  EXPECT_THAT(StartJoin(Worker(0), 0, "").Await(), StatusIs(kAborted));
  EXPECT_THAT(Beat(Worker(0), 1), StatusIs(kAborted));
  ASSERT_THAT(Register(Host("a")), IsOk());
  EXPECT_THAT(StartJoin(Worker(2)).Await(), StatusIs(kInvalidArgument));
  EXPECT_THAT(StartJoin(Worker(-1)).Await(), StatusIs(kInvalidArgument));
  EXPECT_THAT(StartJoin(Worker(0, 0)).Await(), StatusIs(kInvalidArgument));
}

TEST_F(JobTest, HeartbeatsTellWhatIsWished) {
  FormGeneration();
  CHARRNN_ASSERT_OK_AND_ASSIGN(wire::Wishes wishes, Beat(Worker(0), 1, 5));
  EXPECT_FALSE(wishes.over());
  EXPECT_FALSE(wishes.regroup());
  EXPECT_FALSE(wishes.stop());
  EXPECT_EQ(wishes.state(), wire::RUNNING);
  ASSERT_THAT(Call(*job_, &Job::Stop, wire::StopRequest()).Await(), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(wishes, Beat(Worker(0), 1, 5));
  EXPECT_TRUE(wishes.stop());
  Kill(Worker(1));
  CHARRNN_ASSERT_OK_AND_ASSIGN(wishes, Beat(Worker(0), 1, 5));
  EXPECT_TRUE(wishes.over());
  EXPECT_THAT(Beat(Worker(1), 1, 5), StatusIs(kAborted));
}

TEST_F(JobTest, AnExitIsAnsweredWithWhenTheNextOneIsToStart) {
  FormGeneration();
  wire::ReportExitRequest request;
  *request.mutable_worker() = Worker(1);
  request.set_message("signal 9");
  CHARRNN_ASSERT_OK_AND_ASSIGN(wire::ReportExitResponse told,
                               Call(*job_, &Job::ReportExit, request).Await());
  EXPECT_TRUE(told.respawn());
  EXPECT_EQ(told.after_ms(), 0);
  auto join = StartJoin(Worker(1, 2));
  ASSERT_THAT(StartJoin(Worker(0), 1).Await(), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined, join.Await());
  EXPECT_EQ(joined.generation(), 2);
  ASSERT_THAT(Finish(Worker(0), 2, wire::FINISHED), IsOk());
  *request.mutable_worker() = Worker(1, 2);
  CHARRNN_ASSERT_OK_AND_ASSIGN(told,
                               Call(*job_, &Job::ReportExit, request).Await());
  EXPECT_FALSE(told.respawn());
}

TEST_F(JobTest, ItIsToldWhomTrainingWaitsFor) {
  FormGeneration();
  Lines log;
  const LogCapture capture(&log);
  Kill(Worker(1));
  // The other one lives, but does not come back.
  EXPECT_EQ(log.Await("training waits for ",
                      [this] {
                        clock_.Advance(absl::Seconds(1));
                        EXPECT_THAT(Beat(Worker(0), 1), IsOk());
                      }),
            "name-a/0");
}

TEST_F(JobTest, ItIsToldThatMoreHostsMayCome) {
  options_.membership.max_hosts = 2;
  Open();
  Lines log;
  const LogCapture capture(&log);
  ASSERT_THAT(Register(Host("a")), IsOk());
  for (const int local_rank : {0, 1}) {
    ASSERT_THAT(Beat(Worker(local_rank), 0), IsOk());
  }
  auto first = StartJoin(Worker(0));
  auto second = StartJoin(Worker(1));
  EXPECT_EQ(log.Await("1 host is there, which is enough: ", [] {}),
            "training waits for more until 30s after the last one has come "
            "(--join_window)");
}

TEST_F(JobTest, AHostLeavesOrStopsTheJobIfItIsTheLast) {
  FormGeneration();
  wire::LeaveHostRequest request;
  request.set_host_id("a");
  ASSERT_THAT(Call(*job_, &Job::LeaveHost, request).Await(), IsOk());
  EXPECT_TRUE(Beat(Worker(0), 1)->stop());
  request.set_host_id("x");
  EXPECT_THAT(Call(*job_, &Job::LeaveHost, request).Await(),
              StatusIs(kAborted));
}

TEST_F(JobTest, EachOperationOnAKeyAnswersAsC10dHasIt) {
  FormGeneration();
  using Request = wire::StoreRequest;
  ASSERT_THAT(Store(Request::SET, {"k"}, "v"), IsOk());
  EXPECT_THAT(Store(Request::GET, {"k"})->values(), ElementsAre("v"));
  EXPECT_THAT(Store(Request::APPEND, {"k"}, "w"), IsOk());
  EXPECT_THAT(Store(Request::GET, {"k", "k"})->values(),
              ElementsAre("vw", "vw"));
  EXPECT_EQ(Store(Request::CHECK, {"k"})->number(), 1);
  EXPECT_EQ(Store(Request::CHECK, {"k", "x"})->number(), 0);
  EXPECT_EQ(Store(Request::NUM_KEYS, {})->number(), 1);
  EXPECT_THAT(Store(Request::WAIT, {"k"}), IsOk());
  wire::StoreRequest request = StoreRequest(Request::ADD, {"n"});
  request.set_amount(-7);
  EXPECT_EQ(StartStore(request).Await()->number(), -7);
  EXPECT_EQ(StartStore(request).Await()->number(), -14);
  request = StoreRequest(Request::COMPARE_SET, {"k"}, "new");
  request.set_expected("other");
  EXPECT_THAT(StartStore(request).Await()->values(), ElementsAre("vw"));
  request.set_expected("vw");
  EXPECT_THAT(StartStore(request).Await()->values(), ElementsAre("new"));
  EXPECT_EQ(Store(Request::DELETE, {"k"})->number(), 1);
  EXPECT_EQ(Store(Request::DELETE, {"k"})->number(), 0);
}

TEST_F(JobTest, AnOperationThatMakesNoSenseIsRefused) {
  FormGeneration();
  using Request = wire::StoreRequest;
  for (const auto operation : {Request::SET, Request::ADD, Request::COMPARE_SET,
                               Request::DELETE, Request::APPEND}) {
    EXPECT_THAT(Store(operation, {}), StatusIs(kInvalidArgument));
    EXPECT_THAT(Store(operation, {"a", "b"}), StatusIs(kInvalidArgument));
  }
  EXPECT_THAT(Store(Request::NUM_KEYS, {"a"}), StatusIs(kInvalidArgument));
  EXPECT_THAT(Store(static_cast<Request::Operation>(99), {"a"}),
              StatusIs(kInvalidArgument));
  EXPECT_THAT(Store(Request::GET, {""}), StatusIs(kInvalidArgument));
}

TEST_F(JobTest, AGetWaitsForAllItsKeys) {
  FormGeneration();
  auto get = StartStore(StoreRequest(wire::StoreRequest::GET, {"k", "l"}));
  auto wait = StartStore(StoreRequest(wire::StoreRequest::WAIT, {"l"}));
  ASSERT_THAT(Store(wire::StoreRequest::SET, {"k"}, "v"), IsOk());
  EXPECT_FALSE(get.answered());
  EXPECT_FALSE(wait.answered());
  ASSERT_THAT(Store(wire::StoreRequest::SET, {"l"}, "w"), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::StoreResponse got, get.Await());
  EXPECT_THAT(got.values(), ElementsAre("v", "w"));
  EXPECT_THAT(wait.Await(), IsOk());
}

TEST_F(JobTest, AGetThatWaitsTooLongIsToldTheKey) {
  FormGeneration();
  auto get = StartStore(StoreRequest(wire::StoreRequest::GET, {"key"}));
  EXPECT_FALSE(get.answered());
  clock_.Advance(absl::Seconds(1001));
  EXPECT_THAT(get.Await(), StatusIs(absl::StatusCode::kDeadlineExceeded,
                                    HasSubstr("'key'")));
}

TEST_F(JobTest, WhatWaitsIsAbortedWithItsGenerationAndItsKeysAreGone) {
  FormGeneration();
  ASSERT_THAT(Store(wire::StoreRequest::SET, {"old"}, "v"), IsOk());
  auto get = StartStore(StoreRequest(wire::StoreRequest::GET, {"k"}));
  auto wait = StartStore(StoreRequest(wire::StoreRequest::WAIT, {"k"}));
  Kill(Worker(1));
  EXPECT_THAT(get.Await(), StatusIs(kAborted));
  EXPECT_THAT(wait.Await(), StatusIs(kAborted));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               StartJoin(Worker(0), 1).Await());
  ASSERT_EQ(joined.generation(), 2);
  EXPECT_THAT(Store(wire::StoreRequest::GET, {"old"}), StatusIs(kAborted));
  wire::StoreRequest request = StoreRequest(wire::StoreRequest::CHECK, {"old"});
  request.set_generation(2);
  EXPECT_EQ(StartStore(request).Await()->number(), 0);
}

TEST_F(JobTest, KeysAreForMembersOfThisVeryCoordinator) {
  FormGeneration();
  wire::StoreRequest request = StoreRequest(wire::StoreRequest::SET, {"k"});
  request.set_boot(boot_ + 1);
  EXPECT_THAT(StartStore(request).Await(), StatusIs(kAborted));
  request = StoreRequest(wire::StoreRequest::SET, {"k"});
  *request.mutable_worker() = Worker(0, 2, "x");
  EXPECT_THAT(StartStore(request).Await(), StatusIs(kAborted));
  request = StoreRequest(wire::StoreRequest::SET, {"k"});
  request.set_generation(2);
  EXPECT_THAT(StartStore(request).Await(), StatusIs(kAborted));
  EXPECT_EQ(Store(wire::StoreRequest::NUM_KEYS, {})->number(), 0);
}

TEST_F(JobTest, MembersRecordAndEachRecordIsKeptOnce) {
  FormGeneration();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::RecordResponse recorded,
                               RecordTrain(Worker(0), 1, 10));
  EXPECT_EQ(recorded.metrics_bytes(), Read("metrics.jsonl").size());
  EXPECT_EQ(recorded.samples_bytes(), 0);
  ASSERT_THAT(RecordTrain(Worker(1), 1, 10), IsOk());
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\"train\""), 1);
  wire::RecordRequest request;
  *request.mutable_worker() = Worker(0);
  request.set_generation(1);
  request.mutable_sample()->set_step(10);
  request.mutable_sample()->set_text("\xffROMEO");
  ASSERT_THAT(Call(*job_, &Job::Record, request).Await(), IsOk());
  EXPECT_THAT(Read("samples.txt"), HasSubstr("\xffROMEO"));
  request.mutable_validation()->set_step(20);
  ASSERT_THAT(Call(*job_, &Job::Record, request).Await(), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::Wishes wishes, Beat(Worker(0), 1));
  EXPECT_EQ(wishes.train_recorded(), 10);
  EXPECT_EQ(wishes.validation_recorded(), 20);
  EXPECT_EQ(wishes.sample_recorded(), 10);
}

TEST_F(JobTest, RecordsOfThoseWhoAreNoMembersAreRefused) {
  FormGeneration();
  EXPECT_THAT(RecordTrain(Worker(0), 2, 10), StatusIs(kAborted));
  EXPECT_THAT(RecordTrain(Worker(0, 1, "x"), 1, 10), StatusIs(kAborted));
  Kill(Worker(1));
  EXPECT_THAT(RecordTrain(Worker(0), 1, 10), StatusIs(kAborted));
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\"train\""), 0);
}

TEST_F(JobTest, ARecordOnAFullDiskIsNotAcknowledged) {
  FormGeneration();
  ASSERT_THAT(RecordTrain(Worker(0), 1, 10), IsOk());
  Fault fault;
  fault.crash = true;
  files_.Inject(fault);
  EXPECT_THAT(RecordTrain(Worker(0), 1, 20),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(Beat(Worker(0), 1)->train_recorded(), 10);
  fault.operation = int64_t{1} << 40;
  files_.Inject(fault);
  EXPECT_THAT(RecordTrain(Worker(0), 1, 20), IsOk());
  EXPECT_EQ(Beat(Worker(0), 1)->train_recorded(), 20);
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\"train\",\"step\":20,"), 1);
}

TEST_F(JobTest, AMembersCheckpointIsCommittedAndTold) {
  FormGeneration();
  EXPECT_THAT(GetCheckpoint(10), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(Put(Worker(0), 1, 10), IsOk());
  ASSERT_THAT(Put(Worker(0), 1, 10), IsOk());  // repeated
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::Wishes wishes, Beat(Worker(1), 1));
  EXPECT_EQ(wishes.committed_step(), 10);
  EXPECT_EQ(wishes.best_step(), 10);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto files, GetCheckpoint(10));
  EXPECT_EQ(ByName(files), ByName(CheckpointFilesOf(10)));
}

TEST_F(JobTest, ACheckpointOfADeadGenerationIsRefusedAndNothingIsLeft) {
  FormGeneration();
  EXPECT_THAT(Put(Worker(0), 2, 10), StatusIs(kAborted));
  Kill(Worker(1));
  EXPECT_THAT(Put(Worker(0), 1, 10), StatusIs(kAborted));
  EXPECT_THAT(Checkpoints(), IsEmpty());
}

TEST_F(JobTest, AGenerationThatEndsWhileACheckpointIsStagedDoesNotCommitIt) {
  FormGeneration();
  ASSERT_THAT(Put(Worker(0), 1, 10), IsOk());
  std::vector<std::string> staged;
  files_.OnStaged([&] {
    staged = Checkpoints();
    Kill(Worker(1));
  });
  EXPECT_THAT(Put(Worker(0), 1, 20), StatusIs(kAborted));
  EXPECT_THAT(staged, ElementsAre("step-00000010", "step-00000020.unfinished"));
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
  // The next rank 0 has the same copy.
  ASSERT_THAT(StartJoin(Worker(0), 1).Await(), IsOk());
  EXPECT_THAT(Put(Worker(0), 2, 20), IsOk());
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010", "step-00000020"));
}

}  // namespace
}  // namespace charrnn
