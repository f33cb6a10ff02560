// How a job ends, and how it goes on after its coordinator has died.

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/job_call.h"
#include "dist/coordinator/job_fixture.h"
#include "dist/coordinator/job_harness.h"
#include "dist/coordinator/membership.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kAborted = absl::StatusCode::kAborted;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

class JobEndTest : public JobTest {};

TEST_F(JobEndTest, FinishEndsTheJobAndAllAreTold) {
  FormGeneration();
  auto end = std::async(std::launch::async, [&] {
    return job_->AwaitEnd(absl::InfiniteDuration());
  });
  CHARRNN_ASSERT_OK_AND_ASSIGN(wire::WatchHostResponse seen,
                               StartWatch("a", 0).Await());
  auto watch = StartWatch("a", seen.version());
  EXPECT_EQ(job_->AwaitEnd(absl::ZeroDuration()), JobState::kRunning);
  EXPECT_EQ(end.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  ASSERT_THAT(RecordTrain(Worker(0), 1, 10), IsOk());
  ASSERT_THAT(Put(Worker(0), 1, 10), IsOk());

  ASSERT_THAT(Finish(Worker(0), 1, wire::FINISHED), IsOk());
  ASSERT_EQ(end.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(end.get(), JobState::kFinished);
  EXPECT_EQ(job_->first_error(), "");
  // The supervisor, without a poll's having to run out. It may hear first of
  // the last step.
  CHARRNN_ASSERT_OK_AND_ASSIGN(seen, watch.Await());
  while (seen.state() == wire::RUNNING) {
    auto again = StartWatch("a", seen.version()).Await();
    ASSERT_THAT(again, IsOk());
    seen = *again;
  }
  EXPECT_EQ(seen.state(), wire::FINISHED);
  // Its workers, whatever they do.
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::Wishes wishes, Beat(Worker(1), 1));
  EXPECT_EQ(wishes.state(), wire::FINISHED);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               StartJoin(Worker(1), 1).Await());
  EXPECT_EQ(joined.state(), wire::FINISHED);
  EXPECT_EQ(joined.generation(), 0);
  EXPECT_THAT(Finish(Worker(0), 1, wire::FINISHED), IsOk());
  EXPECT_THAT(Put(Worker(0), 1, 20), StatusIs(kAborted));
  EXPECT_THAT(Register(Host("a")), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Read("metrics.jsonl"),
              HasSubstr("{\"event\":\"end\",\"step\":10,\"wall_s\":1.5,"
                        "\"reason\":\"finished\"}"));
}

// A poll that is answered before the end is on the disk does not sleep through
// it.
TEST_F(JobEndTest, TheEndIsNewsToAWatcherWhoHasSeenAllElse) {
  FormGeneration();
  std::promise<void> disk_is_busy;
  std::promise<void> seen_all;
  int64_t version = 0;
  // The disk is busy while the job ends.
  files_.OnStaged([&] {
    disk_is_busy.set_value();
    seen_all.get_future().wait();
  });
  Answer put;
  job_->PutCheckpoint(Worker(0), 1, 10, CheckpointFilesOf(10), put.done());
  disk_is_busy.get_future().wait();
  const absl::Status finished = Finish(Worker(0), 1, wire::FINISHED);
  const auto seen = StartWatch("a", 0).Await();
  if (seen.ok()) version = seen->version();
  auto watch = StartWatch("a", version);
  const bool at_once = watch.answered();
  seen_all.set_value();
  ASSERT_THAT(finished, IsOk());
  ASSERT_THAT(seen, IsOk());
  EXPECT_EQ(seen->state(), wire::RUNNING);
  EXPECT_FALSE(at_once);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse told,
                               watch.Await());
  EXPECT_EQ(told.state(), wire::FINISHED);
  EXPECT_THAT(put.Await(), StatusIs(kAborted));
}

TEST_F(JobEndTest, TheFirstErrorIsWhatEverybodyHears) {
  FormGeneration();
  ASSERT_THAT(Beat(Worker(1), 1, 120), IsOk());
  ASSERT_THAT(Finish(Worker(1), 1, wire::FAILED, "the loss is not finite"),
              IsOk());
  EXPECT_EQ(job_->AwaitEnd(absl::FromChrono(kLong)), JobState::kFailed);
  const std::string error = job_->first_error();
  EXPECT_THAT(error, HasSubstr("name-a/1"));
  EXPECT_THAT(error, HasSubstr("the loss is not finite"));
  EXPECT_EQ(Beat(Worker(0), 1)->error(), error);
  EXPECT_EQ(StartJoin(Worker(0), 1).Await()->error(), error);
  EXPECT_EQ(StartWatch("a", 0).Await()->error(), error);
  EXPECT_THAT(Read("metrics.jsonl"), HasSubstr("the loss is not finite"));
}

TEST_F(JobEndTest, AStrangerDoesNotEndTheJobNorSpoilItsTimes) {
  FormGeneration();
  EXPECT_THAT(Finish(Worker(0), 2, wire::FINISHED), StatusIs(kAborted));
  EXPECT_THAT(Finish(Worker(0, 1, "x"), 1, wire::FAILED), StatusIs(kAborted));
  wire::RecordRequest record;
  *record.mutable_worker() = Worker(0, 1, "x");
  record.set_generation(1);
  record.mutable_train()->set_wall_s(1e9);
  EXPECT_THAT(Call(*job_, &Job::Record, record).Await(), StatusIs(kAborted));
  EXPECT_EQ(job_->AwaitEnd(absl::ZeroDuration()), JobState::kRunning);
  ASSERT_THAT(Finish(Worker(0), 1, wire::FINISHED), IsOk());
  EXPECT_EQ(job_->AwaitEnd(absl::FromChrono(kLong)), JobState::kFinished);
  EXPECT_THAT(Read("metrics.jsonl"), Not(HasSubstr("1000000000")));
}

TEST_F(JobEndTest, AJobWithoutWorkersStopsAtOnce) {
  ASSERT_THAT(Register(Host("a")), IsOk());
  ASSERT_THAT(Call(*job_, &Job::Stop, wire::StopRequest()).Await(), IsOk());
  EXPECT_EQ(job_->AwaitEnd(absl::FromChrono(kLong)), JobState::kStopped);
  EXPECT_THAT(Read("metrics.jsonl"), HasSubstr("--resume"));
}

TEST_F(JobEndTest, StopAnsweringAnswersWhatWaitsAndWhatComes) {
  FormGeneration();
  auto get = StartStore(StoreRequest(wire::StoreRequest::GET, {"k"}));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::WatchHostResponse seen,
                               StartWatch("a", 0).Await());
  auto watch = StartWatch("a", seen.version());
  auto join = StartJoin(Worker(0), 1);
  job_->StopAnswering();
  EXPECT_THAT(get.Await(), Not(IsOk()));
  EXPECT_THAT(join.Await(), StatusIs(kUnavailable));
  // It may just have heard that worker 0 has left.
  EXPECT_TRUE(watch.answered());
  EXPECT_THAT(StartWatch("a", 0).Await(), StatusIs(kUnavailable));
  EXPECT_THAT(StartJoin(Worker(1), 1).Await(), StatusIs(kUnavailable));
  EXPECT_THAT(Register(Host("a")), StatusIs(kUnavailable));
  job_->StopAnswering();  // once more does no harm
}

TEST_F(JobEndTest, WhatWasAcceptedIsWrittenByTheDestructor) {
  FormGeneration();
  std::promise<void> go_on;
  files_.OnStaged([&] { go_on.get_future().wait(); });
  Answer put;
  job_->PutCheckpoint(Worker(0), 1, 10, CheckpointFilesOf(10), put.done());
  wire::RecordRequest record;
  *record.mutable_worker() = Worker(0);
  record.set_generation(1);
  record.mutable_train()->set_step(10);
  auto recorded = Call(*job_, &Job::Record, record);
  EXPECT_FALSE(recorded.answered());
  auto end = std::async(std::launch::async, [&] { job_.reset(); });
  go_on.set_value();
  end.get();
  EXPECT_THAT(put.Await(), IsOk());
  EXPECT_THAT(recorded.Await(), IsOk());
  EXPECT_THAT(Read("metrics.jsonl"), HasSubstr("\"train\",\"step\":10,"));
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
}

class JobRecoveryTest : public JobTest {
 protected:
  JobRecoveryTest() { options_.durable = true; }

  // Registers host a, and lets its two workers form generation 1, of which
  // nothing gets onto the disk.
  void FormOnAFullDisk() {
    ASSERT_THAT(Register(Host("a")), IsOk());
    Fault fault;
    fault.crash = true;
    files_.Inject(fault);
    auto first = StartJoin(Worker(0));
    auto second = StartJoin(Worker(1));
    ASSERT_THAT(first.Await(), IsOk());
    ASSERT_THAT(second.Await(), IsOk());
  }

  void MakeRoom() {
    Fault never;
    never.operation = int64_t{1} << 40;
    files_.Inject(never);
  }
};

TEST_F(JobRecoveryTest, TheNextCoordinatorGoesOnInTheSameGeneration) {
  FormGeneration();
  ASSERT_THAT(RecordTrain(Worker(0), 1, 10), IsOk());
  ASSERT_THAT(Put(Worker(0), 1, 10), IsOk());
  ASSERT_THAT(RecordTrain(Worker(0), 1, 20), IsOk());
  // An upload that the dead one had begun.
  const std::string unfinished =
      directory_.File("checkpoints/step-00000020.unfinished");
  ASSERT_THAT(files_.CreateDirectories(unfinished), IsOk());
  ASSERT_THAT(WriteFile(files_, JoinPath(unfinished, "model.safetensors"), "x"),
              IsOk());
  const std::string before = Read("metrics.jsonl");

  Open();
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
  EXPECT_EQ(Read("metrics.jsonl"), before);
  for (const int rank : {0, 1}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::Wishes wishes,
                                 Beat(Worker(rank), 1, 25));
    EXPECT_FALSE(wishes.over());
    EXPECT_EQ(wishes.state(), wire::RUNNING);
    EXPECT_EQ(wishes.committed_step(), 10);
    EXPECT_EQ(wishes.train_recorded(), 20);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const wire::GetStatusResponse status,
      Call(*job_, &Job::GetStatus, wire::GetStatusRequest()).Await());
  EXPECT_EQ(status.generation(), 1);
  ASSERT_EQ(status.members_size(), 2);
  EXPECT_EQ(status.members(1).rank(), 1);
  EXPECT_THAT(StartWatch("a", 0).Await(), IsOk());
  // What was recorded is not recorded again, and what follows is.
  ASSERT_THAT(RecordTrain(Worker(0), 1, 20), IsOk());
  ASSERT_THAT(RecordTrain(Worker(0), 1, 30), IsOk());
  ASSERT_THAT(Put(Worker(0), 1, 20), IsOk());
  for (const char* step : {"10", "20", "30"}) {
    EXPECT_EQ(Count(Read("metrics.jsonl"),
                    std::string("\"train\",\"step\":") + step + ","),
              1);
  }
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\"event\":\"generation\""), 1);
}

TEST_F(JobRecoveryTest, AJoinThatWasNotAnsweredIsAnsweredByTheNextCoordinator) {
  FormGeneration();
  Open();
  // Repeated, since its answer got lost.
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               StartJoin(Worker(1)).Await());
  EXPECT_EQ(joined.generation(), 1);
  EXPECT_EQ(joined.rank(), 1);
  EXPECT_EQ(joined.world_size(), 2);
  EXPECT_NE(joined.boot(), boot_);
  // The keys died with the other one.
  EXPECT_THAT(Store(wire::StoreRequest::CHECK, {"k"}), StatusIs(kAborted));
  boot_ = joined.boot();
  EXPECT_EQ(Store(wire::StoreRequest::CHECK, {"k"})->number(), 0);
}

TEST_F(JobRecoveryTest,
       TheNextCoordinatorKnowsTheContractAndTheInstructionSet) {
  options_.membership.max_hosts = 2;
  options_.membership.join_window = absl::ZeroDuration();
  Open();
  FormGeneration();
  Open();
  wire::RegisterHostRequest other = Host("b", 1);
  other.set_config_json(RunConfig({}, "cuda:0"));
  EXPECT_THAT(Register(other), StatusIs(kFailedPrecondition));
  other = Host("b", 1);
  other.set_instruction_set("avx512");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::RegisterHostResponse registered,
                               Register(other));
  EXPECT_EQ(registered.instruction_set(), "avx2");
  EXPECT_EQ(registered.config_json(), RunConfig());
}

TEST_F(JobRecoveryTest, AWishToStopSurvives) {
  FormGeneration();
  ASSERT_THAT(Call(*job_, &Job::Stop, wire::StopRequest()).Await(), IsOk());
  Open();
  EXPECT_TRUE(Beat(Worker(0), 1)->stop());
}

TEST_F(JobRecoveryTest, AGenerationNumberIsNeverUsedTwice) {
  FormGeneration();
  Kill(Worker(1));
  CHARRNN_ASSERT_OK_AND_ASSIGN(wire::JoinResponse joined,
                               StartJoin(Worker(0), 1).Await());
  EXPECT_EQ(joined.generation(), 2);
  EXPECT_EQ(joined.world_size(), 1);
  Open();
  EXPECT_TRUE(Beat(Worker(0), 1)->over());
  EXPECT_FALSE(Beat(Worker(0), 2)->over());
  EXPECT_THAT(Beat(Worker(1), 1), StatusIs(kAborted));
  CHARRNN_ASSERT_OK_AND_ASSIGN(joined, StartJoin(Worker(0), 2).Await());
  EXPECT_EQ(joined.generation(), 3);
}

TEST_F(JobRecoveryTest, AJobThatHasEndedBeginsAnewFromItsCheckpoint) {
  FormGeneration();
  ASSERT_THAT(Put(Worker(0), 1, 10), IsOk());
  ASSERT_THAT(Finish(Worker(0), 1, wire::STOPPED), IsOk());
  ASSERT_EQ(job_->AwaitEnd(absl::FromChrono(kLong)), JobState::kStopped);
  Open();
  EXPECT_EQ(job_->AwaitEnd(absl::ZeroDuration()), JobState::kRunning);
  ASSERT_THAT(Register(Host("z", 1)), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               StartJoin(Worker(0, 1, "z")).Await());
  EXPECT_EQ(joined.generation(), 1);
  EXPECT_EQ(joined.source_rank(), -1);
  EXPECT_EQ(joined.committed_step(), 10);
}

TEST_F(JobRecoveryTest, AStateThatMakesNoSenseIsNamedWithTheWayOut) {
  job_.reset();
  ASSERT_THAT(
      WriteFileAtomically(files_, directory_.File("coordinator.json"), "{}"),
      IsOk());
  EXPECT_THAT(Job::Open(options_),
              StatusIs(kInvalidArgument, HasSubstr("coordinator.json: ")));
  options_.durable = false;
  EXPECT_THAT(Job::Open(options_), IsOk());
}

TEST_F(JobRecoveryTest, WithoutTheRunsConfigurationWorkersAreToldSo) {
  FormGeneration();
  job_.reset();
  ASSERT_THAT(files_.Remove(directory_.File("config.json")), IsOk());
  Open();
  EXPECT_THAT(RecordTrain(Worker(0), 1, 10), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Put(Worker(0), 1, 10), StatusIs(kFailedPrecondition));
}

TEST_F(JobRecoveryTest, AFullDiskDoesNotKeepTheJobFromGoingOn) {
  FormOnAFullDisk();
  EXPECT_THAT(Beat(Worker(0), 1, 5), IsOk());
  // The next coordinator finds that there is a newer one than on the disk.
  job_.reset();
  MakeRoom();
  Open();
  EXPECT_TRUE(Beat(Worker(0), 1, 5)->over());
}

TEST_F(JobRecoveryTest, AStateThatTheDiskHadNoRoomForIsOfferedToItAgain) {
  FormOnAFullDisk();
  MakeRoom();
  const std::string before = Read("coordinator.json");
  // Nobody says anything.
  clock_.Advance(absl::Seconds(5));
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (Read("coordinator.json") == before) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  EXPECT_THAT(Read("coordinator.json"), HasSubstr("\"generation\": 1,"));
}

TEST_F(JobRecoveryTest, AJobToWhichNobodyHasComeYetGoesOnToo) {
  // It is answered once what is known is on the disk.
  EXPECT_THAT(StartWatch("nobody", 0).Await(), StatusIs(kAborted));
  job_.reset();
  EXPECT_TRUE(Job::WasInterrupted(files_, directory_.path()));
}

TEST_F(JobRecoveryTest, WhoAsksForARunToGoOnHasItForgetThatItWasToStop) {
  FormGeneration();
  ASSERT_THAT(Call(*job_, &Job::Stop, wire::StopRequest()).Await(), IsOk());
  Open();
  EXPECT_TRUE(Beat(Worker(0), 1, 5)->stop());
  options_.resume = true;
  Open();
  EXPECT_FALSE(Beat(Worker(0), 1, 5)->stop());
}

// A run of five epochs whose job has ended, and which is asked to go on.
class JobResumeTest : public JobRecoveryTest {
 protected:
  void EndAndResume() {
    FormGeneration();
    ASSERT_THAT(Finish(Worker(0), 1, wire::STOPPED), IsOk());
    options_.resume = true;
    Open();
  }

  bool MayChange() {
    const auto run = Call(*job_, &Job::OpenRun, wire::OpenRunRequest()).Await();
    EXPECT_THAT(run, IsOk());
    return run.ok() && run->may_change();
  }

  static wire::RegisterHostRequest WithEpochs(const std::string& id,
                                              int num_epochs) {
    TrainingConfig training;
    training.num_epochs = num_epochs;
    wire::RegisterHostRequest host = Host(id);
    host.set_config_json(RunConfig(training));
    return host;
  }
};

TEST_F(JobResumeTest, TheFirstHostsSettingsBecomeTheRuns) {
  EXPECT_FALSE(MayChange());
  EndAndResume();
  EXPECT_TRUE(MayChange());
  ASSERT_THAT(Register(WithEpochs("b", 20)), IsOk());
  EXPECT_FALSE(MayChange());
  EXPECT_THAT(Read("config.json"), HasSubstr("\"num_epochs\":20"));
  EXPECT_THAT(Register(WithEpochs("c", 5)),
              StatusIs(kFailedPrecondition, HasSubstr("the job has 20")));
}

TEST_F(JobResumeTest, WithoutBeingAskedForItNothingMayChange) {
  FormGeneration();
  ASSERT_THAT(Finish(Worker(0), 1, wire::STOPPED), IsOk());
  Open();
  EXPECT_FALSE(MayChange());
  EXPECT_THAT(Register(WithEpochs("b", 20)), StatusIs(kFailedPrecondition));
}

TEST_F(JobResumeTest, WhileWorkersMayBeThereNothingMayChange) {
  FormGeneration();
  options_.resume = true;
  Open();
  EXPECT_FALSE(MayChange());
}

TEST_F(JobEndTest, AJobThatIsNotDurableLeavesNoState) {
  FormGeneration();
  job_.reset();
  EXPECT_FALSE(files_.Exists(directory_.File("coordinator.json")));
}

}  // namespace
}  // namespace charrnn
