#include "dist/worker/outbox.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job_harness.h"
#include "dist/coordinator/server_harness.h"
#include "dist/worker/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/checkpoint.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kLong = ServerHarness::kLong;

// A worker with an outbox, which counts what it uploads.
struct Sender {
  Sender(const ServerHarness& coordinator, const wire::Worker& worker,
         absl::Duration heartbeat = absl::Milliseconds(20))
      : client(coordinator.Client()),
        session(client.get(), &clock,
                [&] {
                  WorkerSession::Options options;
                  options.worker = worker;
                  options.instruction_set = "avx2";
                  options.heartbeat = heartbeat;
                  return options;
                }()),
        outbox(
            &session, &clock,
            [this](const char* point) {
              if (std::string(point) == "in an upload, before its commit") {
                ++uploads;
              }
              return absl::OkStatus();
            },
            /*max_waiting_bytes=*/0) {}

  // Blocks until what the session has heard is as it should be.
  template <typename Predicate>
  void Await(const Predicate& predicate) {
    wire::Wishes wishes = session.wishes();
    const absl::Time end = absl::Now() + kLong;
    while (!predicate(wishes)) {
      ASSERT_LT(absl::Now(), end) << wishes.DebugString();
      wishes = session.AwaitNews(wishes, kLong);
    }
  }

  void Train(int64_t step) {
    TrainReport report;
    report.step = step;
    report.loss = 2.5;
    outbox.OnTrain(report);
  }

  void Save(int64_t step, int64_t best_step) {
    TrainProgress progress;
    progress.step = step;
    progress.best_step = best_step;
    progress.best_loss = 1;
    const auto files = ByName(CheckpointFiles(progress));
    const auto checkpoint = DecodeCheckpoint(
        [&](const std::string& name) -> absl::StatusOr<std::string> {
          return files.at(name);
        });
    ASSERT_THAT(checkpoint, IsOk());
    EXPECT_THAT(outbox.Save(*checkpoint), IsOk());
  }

  // It is sent, or safe.
  absl::Status Flush() { return outbox.Flush(absl::Hours(1)); }

  FakeClock clock;
  std::atomic<int> uploads = 0;
  const std::unique_ptr<CoordinatorClient> client;
  WorkerSession session;
  Outbox outbox;
};

class OutboxTest : public testing::Test {
 protected:
  void SetUp() override { coordinator_.Start(); }

  // The one worker of a job, in generation 1.
  std::unique_ptr<Sender> FormAlone(
      absl::Duration heartbeat = absl::Milliseconds(20)) {
    coordinator_.Register("a", 1);
    auto sender = std::make_unique<Sender>(coordinator_,
                                           ServerHarness::Worker(0), heartbeat);
    EXPECT_THAT(sender->session.Join(0, 0, ""), IsOk());
    return sender;
  }

  // Both workers of a job, in generation 1.
  void FormPair() {
    coordinator_.Register("a", 2);
    first_ = std::make_unique<Sender>(coordinator_, ServerHarness::Worker(0));
    second_ = std::make_unique<Sender>(coordinator_, ServerHarness::Worker(1));
    auto joins = std::async(std::launch::async,
                            [&] { return first_->session.Join(0, 0, ""); });
    ASSERT_THAT(second_->session.Join(0, 0, ""), IsOk());
    ASSERT_THAT(joins.get(), IsOk());
  }

  // The first of them dies, and the second is in generation 2.
  void LoseFirst() {
    first_.reset();
    coordinator_.Show(ServerHarness::Worker(0, /*incarnation=*/2));
    ASSERT_THAT(second_->session.Join(1, 20, "the other is gone"), IsOk());
    ASSERT_EQ(second_->session.generation(), 2);
  }

  int Trained() {
    return Count(coordinator_.Read("metrics.jsonl"), "\"event\":\"train\"");
  }

  // The progress of a checkpoint as the coordinator has it.
  absl::StatusOr<TrainProgress> Saved(int64_t step) {
    const auto got = coordinator_.Client()->GetCheckpoint(step, kLong);
    if (!got.ok()) return got.status();
    const auto files = ByName(*got);
    const auto checkpoint = DecodeCheckpoint(
        [&](const std::string& name) -> absl::StatusOr<std::string> {
          return files.at(name);
        });
    if (!checkpoint.ok()) return checkpoint.status();
    return checkpoint->progress;
  }

  // Which of the steps 10, 20, ... 50 the coordinator has a checkpoint of.
  std::vector<int64_t> SavedSteps() {
    std::vector<int64_t> steps;
    for (int64_t step = 10; step <= 50; step += 10) {
      if (Saved(step).ok()) steps.push_back(step);
    }
    return steps;
  }

  // Whether this process of the coordinator gets to know the plan.
  bool LearnsPlan() {
    const auto client = coordinator_.Client();
    wire::HeartbeatRequest beat;
    *beat.mutable_worker() = ServerHarness::Worker(0);
    beat.set_generation(1);
    const absl::Time end = absl::Now() + kLong;
    while (absl::Now() < end) {
      const auto heard = client->Heartbeat(beat, kLong);
      if (heard.ok() && heard->wishes().plan_known()) return true;
    }
    return false;
  }

  ServerHarness coordinator_;
  std::unique_ptr<Sender> first_;
  std::unique_ptr<Sender> second_;
};

TEST_F(OutboxTest, RecordsAndCheckpointsArriveInOrder) {
  const auto sender = FormAlone();
  sender->outbox.Enter(1, /*uploader=*/true);
  sender->Train(10);
  sender->outbox.OnValidation({10, 1, 2.25, 100, 150, true});
  sender->outbox.OnSample({10, 2.5, "some text"});
  sender->Save(10, 10);
  sender->Train(20);
  sender->Save(20, 10);
  ASSERT_THAT(sender->Flush(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10, 20));
  const std::string metrics = coordinator_.Read("metrics.jsonl");
  EXPECT_EQ(Trained(), 2);
  EXPECT_EQ(Count(metrics, "\"event\":\"validation\""), 1);
  EXPECT_THAT(metrics, HasSubstr("\"chars\":100,\"bytes\":150}"));
  EXPECT_THAT(coordinator_.Read("samples.txt"), HasSubstr("some text"));
  // A checkpoint names what was recorded before it, and nothing later.
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainProgress saved, Saved(10));
  const std::string before = metrics.substr(0, saved.records.metrics);
  EXPECT_EQ(Count(before, "\"event\":\"train\""), 1);
  EXPECT_EQ(Count(before, "\"event\":\"validation\""), 1);
  EXPECT_EQ(saved.records.samples, coordinator_.Read("samples.txt").size());
}

TEST_F(OutboxTest, NothingIsSentOutsideAGeneration) {
  const auto sender = FormAlone();
  sender->Train(10);
  sender->Save(10, 10);
  auto flushed =
      std::async(std::launch::async, [&] { return sender->Flush(); });
  EXPECT_EQ(flushed.wait_for(std::chrono::milliseconds(100)),
            std::future_status::timeout);
  EXPECT_EQ(Trained(), 0);
  sender->outbox.Enter(1, /*uploader=*/true);
  EXPECT_THAT(flushed.get(), IsOk());
  EXPECT_EQ(Trained(), 1);
}

TEST_F(OutboxTest, WhoIsNotTheUploaderKeepsAllUntilItIsSafe) {
  FormPair();
  for (const auto& sender : {first_.get(), second_.get()}) {
    sender->outbox.Enter(1, /*uploader=*/false);
    sender->Train(10);
    sender->Save(10, 10);
  }
  auto flushed =
      std::async(std::launch::async, [&] { return second_->Flush(); });
  EXPECT_EQ(flushed.wait_for(std::chrono::milliseconds(100)),
            std::future_status::timeout);
  EXPECT_EQ(Trained(), 0);
  first_->outbox.Enter(1, /*uploader=*/true);
  EXPECT_THAT(flushed.get(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10));
  EXPECT_EQ(Trained(), 1);
  EXPECT_EQ(first_->uploads, 1);
  EXPECT_EQ(second_->uploads, 0);
}

TEST_F(OutboxTest, TheNextUploaderSendsWhatTheLastHasNot) {
  FormPair();
  first_->outbox.Enter(1, /*uploader=*/true);
  second_->outbox.Enter(1, /*uploader=*/false);
  for (const auto& sender : {first_.get(), second_.get()}) {
    sender->Train(10);
    sender->Save(10, 10);
  }
  ASSERT_THAT(first_->Flush(), IsOk());
  ASSERT_THAT(second_->Flush(), IsOk());
  // The first one dies before it has sent these.
  second_->Train(20);
  second_->Save(20, 20);
  LoseFirst();
  second_->outbox.Enter(2, /*uploader=*/true);
  ASSERT_THAT(second_->Flush(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10, 20));
  EXPECT_EQ(Trained(), 2);
  EXPECT_EQ(second_->uploads, 1);
}

TEST_F(OutboxTest, WhatEndsWithItsGenerationIsSentInTheNextOne) {
  FormPair();
  second_->outbox.Enter(1, /*uploader=*/true);
  first_.reset();
  coordinator_.Show(ServerHarness::Worker(0, /*incarnation=*/2));
  second_->Save(10, 10);
  EXPECT_THAT(second_->Flush(), StatusIs(absl::StatusCode::kUnavailable,
                                         HasSubstr("generation ended")));
  EXPECT_THAT(SavedSteps(), ElementsAre());
  ASSERT_THAT(second_->session.Join(1, 10, "the other is gone"), IsOk());
  second_->outbox.Enter(2, /*uploader=*/true);
  ASSERT_THAT(second_->Flush(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10));
}

TEST_F(OutboxTest, NothingIsSentTwice) {
  const auto sender = FormAlone();
  sender->outbox.Enter(1, /*uploader=*/true);
  for (const int64_t step : {10, 20}) {
    sender->Train(step);
    sender->Save(step, step);
    ASSERT_THAT(sender->Flush(), IsOk());
  }
  sender->outbox.Enter(1, /*uploader=*/true);
  sender->Save(30, 30);
  ASSERT_THAT(sender->Flush(), IsOk());
  EXPECT_EQ(sender->uploads, 3);
  EXPECT_EQ(Trained(), 2);
}

TEST_F(OutboxTest, FlushWaitsForACoordinatorThatIsAway) {
  const auto sender = FormAlone();
  sender->outbox.Enter(1, /*uploader=*/true);
  coordinator_.Stop();
  sender->Train(10);
  sender->Save(10, 10);
  auto flushed =
      std::async(std::launch::async, [&] { return sender->Flush(); });
  EXPECT_THAT(sender->client->GetStatus({}, kLong),
              StatusIs(absl::StatusCode::kUnavailable));
  coordinator_.Start();
  EXPECT_THAT(flushed.get(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10));
  EXPECT_EQ(Trained(), 1);
}

TEST_F(OutboxTest, ANewerCheckpointTakesTheOlderOnesPlaceButNotTheBestOnes) {
  const auto sender = FormAlone();
  for (const int64_t step : {10, 20, 30, 40}) {
    sender->Save(step, /*best_step=*/10);
  }
  sender->outbox.Enter(1, /*uploader=*/true);
  ASSERT_THAT(sender->Flush(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10, 40));
  EXPECT_EQ(sender->uploads, 2);
}

TEST_F(OutboxTest, WhatWasTheBestCheckpointGivesWayToABetterOne) {
  const auto sender = FormAlone();
  sender->Save(10, 10);
  sender->Save(20, 20);
  sender->Save(30, 20);
  ASSERT_NO_FATAL_FAILURE(sender->Save(40, 20));
  sender->outbox.Enter(1, /*uploader=*/true);
  ASSERT_THAT(sender->Flush(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(20, 40));
}

TEST_F(OutboxTest, WithoutABestOneTheNewestTwoCheckpointsWait) {
  const auto sender = FormAlone();
  for (const int64_t step : {10, 20, 30}) sender->Save(step, /*best_step=*/5);
  sender->Train(30);
  sender->outbox.Enter(1, /*uploader=*/true);
  ASSERT_THAT(sender->Flush(), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(20, 30));
  EXPECT_EQ(Trained(), 1);
}

TEST_F(OutboxTest, FlushEndsWithTheIncarnation) {
  FormPair();
  second_->outbox.Enter(1, /*uploader=*/false);
  second_->Save(10, 10);
  coordinator_.Show(ServerHarness::Worker(1, /*incarnation=*/2));
  EXPECT_THAT(second_->Flush(), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(OutboxTest, ADiskThatStaysFullEndsTheFlush) {
  FormPair();
  coordinator_.files().Inject({/*operation=*/0,
                               absl::ResourceExhaustedError("the disk is full"),
                               /*crash=*/true});
  for (const auto& sender : {first_.get(), second_.get()}) {
    sender->outbox.Enter(1, /*uploader=*/sender == first_.get());
    sender->Save(10, 10);
  }
  auto flushed = std::async(std::launch::async, [&] {
    return first_->outbox.Flush(absl::Minutes(10));
  });
  while (flushed.wait_for(std::chrono::milliseconds(20)) !=
         std::future_status::ready) {
    first_->clock.Advance(absl::Minutes(1));
  }
  EXPECT_THAT(flushed.get(), StatusIs(absl::StatusCode::kResourceExhausted,
                                      HasSubstr("the disk is full")));
  EXPECT_GE(first_->clock.Elapsed(), absl::Minutes(10));
  // What another one sends is none of its errors.
  coordinator_.files().Inject({/*operation=*/1'000'000});
  first_->outbox.Enter(1, /*uploader=*/false);
  second_->outbox.Enter(1, /*uploader=*/true);
  EXPECT_THAT(first_->outbox.Flush(absl::Minutes(10)), IsOk());
  EXPECT_THAT(SavedSteps(), ElementsAre(10));
}

TEST_F(OutboxTest, ThePlanIsSentToEachProcessOfTheCoordinator) {
  const auto sender = FormAlone();
  RunPlan plan;
  plan.total_steps = 100;
  plan.steps_per_epoch = 10;
  sender->outbox.OnStart(plan);
  sender->outbox.Enter(1, /*uploader=*/true);
  sender->Await([](const wire::Wishes& wishes) { return wishes.plan_known(); });
  coordinator_.Stop();
  coordinator_.Start();
  sender->clock.Advance(absl::Minutes(1));
  EXPECT_TRUE(LearnsPlan());
}

TEST_F(OutboxTest, ThePlanIsSentAgainAlsoIfNobodyHasHeardThatItCame) {
  // Of the first process no heartbeat tells anything.
  const auto sender = FormAlone(/*heartbeat=*/absl::Hours(1));
  RunPlan plan;
  plan.total_steps = 100;
  sender->outbox.OnStart(plan);
  sender->outbox.Enter(1, /*uploader=*/true);
  ASSERT_TRUE(LearnsPlan());
  coordinator_.Stop();
  coordinator_.Start();
  sender->clock.Advance(absl::Minutes(1));
  sender->session.SetPhase(wire::TRAIN);
  EXPECT_TRUE(LearnsPlan());
}

TEST_F(OutboxTest, StepsAreShownWithTheTimeThatTheyTook) {
  const auto sender = FormAlone();
  sender->outbox.Enter(1, /*uploader=*/true);
  sender->clock.Advance(absl::Milliseconds(500));
  StepReport report;
  report.step = 41;
  sender->outbox.OnStep(report);
  wire::GetStatusResponse::Member seen;
  const absl::Time end = absl::Now() + kLong;
  while (seen.step() != 41 && absl::Now() < end) {
    const wire::GetStatusResponse status = coordinator_.Status();
    ASSERT_EQ(status.members_size(), 1);
    seen = status.members(0);
  }
  EXPECT_EQ(seen.step(), 41);
  EXPECT_DOUBLE_EQ(seen.step_s(), 0.5);
}

TEST_F(OutboxTest, ItsEndDoesNotWaitForTheCoordinator) {
  const auto sender = FormAlone();
  sender->outbox.Enter(1, /*uploader=*/true);
  coordinator_.Stop();
  sender->Save(10, 10);
}

}  // namespace
}  // namespace charrnn
