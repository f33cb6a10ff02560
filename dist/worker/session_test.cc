#include "dist/worker/session.h"

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/server_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_observer.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kAborted = absl::StatusCode::kAborted;
constexpr auto kCancelled = absl::StatusCode::kCancelled;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
constexpr absl::Duration kLong = ServerHarness::kLong;

// A worker's session, with its own way to the coordinator and its own clock.
struct Member {
  Member(const ServerHarness& coordinator, const wire::Worker& worker)
      : client(coordinator.Client()), session(client.get(), &clock, [&] {
          WorkerSession::Options options;
          options.worker = worker;
          options.instruction_set = "avx2";
          options.heartbeat = absl::Milliseconds(20);
          return options;
        }()) {}

  std::future<absl::StatusOr<wire::JoinResponse>> StartJoin(
      int64_t synced_generation = 0, int64_t step = 0,
      const std::string& reason = "") {
    return std::async(std::launch::async, [=] {
      return session.Join(synced_generation, step, reason);
    });
  }

  // Blocks until what the session has heard is as it should be.
  template <typename Predicate>
  wire::Wishes Await(const Predicate& predicate) {
    wire::Wishes wishes = session.wishes();
    const absl::Time end = absl::Now() + kLong;
    while (!predicate(wishes)) {
      if (absl::Now() > end) {
        ADD_FAILURE() << "this was never heard; but " << wishes.DebugString();
        return wishes;
      }
      wishes = session.AwaitNews(wishes, kLong);
    }
    return wishes;
  }

  FakeClock clock;
  const std::unique_ptr<CoordinatorClient> client;
  WorkerSession session;
};

class WorkerSessionTest : public testing::Test {
 protected:
  void SetUp() override { coordinator_.Start(); }

  // A job of one host with one worker, which is generation 1.
  std::unique_ptr<Member> FormAlone() {
    coordinator_.Register("a", 1);
    auto member =
        std::make_unique<Member>(coordinator_, ServerHarness::Worker(0));
    const auto joined = member->session.Join(0, 0, "");
    EXPECT_THAT(joined, IsOk());
    EXPECT_EQ(member->session.generation(), 1);
    return member;
  }

  ServerHarness coordinator_;
};

TEST_F(WorkerSessionTest, ThoseWhoJoinFormAGeneration) {
  coordinator_.Register("a", 2);
  Member first(coordinator_, ServerHarness::Worker(0));
  Member second(coordinator_, ServerHarness::Worker(1));
  auto first_joins = first.StartJoin();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               second.session.Join(0, 0, ""));
  EXPECT_EQ(joined.generation(), 1);
  EXPECT_EQ(joined.rank(), 1);
  EXPECT_EQ(joined.world_size(), 2);
  EXPECT_EQ(joined.source_rank(), -1);
  const auto other = first_joins.get();
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(other->generation(), 1);
  EXPECT_EQ(other->rank(), 0);
  EXPECT_EQ(first.session.generation(), 1);
}

TEST_F(WorkerSessionTest, WhoJoinsAnewLeavesItsGenerationAndTheOthersHearIt) {
  coordinator_.Register("a", 2);
  Member first(coordinator_, ServerHarness::Worker(0));
  Member second(coordinator_, ServerHarness::Worker(1));
  auto first_joins = first.StartJoin();
  ASSERT_THAT(second.session.Join(0, 0, ""), IsOk());
  ASSERT_THAT(first_joins.get(), IsOk());
  auto second_returns = second.StartJoin(1, 7, "it was cut off");
  first.Await([](const wire::Wishes& wishes) { return wishes.over(); });
  EXPECT_THAT(first.session.AwaitEnd(), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               first.session.Join(1, 6, "the other is gone"));
  EXPECT_EQ(joined.generation(), 2);
  EXPECT_EQ(joined.source_rank(), 1);  // who has the greater step
  // What was wished of the last generation is not of this one.
  EXPECT_FALSE(first.session.wishes().over());
  ASSERT_THAT(second_returns.get(), IsOk());
  const wire::GetStatusResponse status = coordinator_.Status();
  ASSERT_EQ(status.generations_size(), 2);
  EXPECT_THAT(status.generations(1).reason(), HasSubstr("it was cut off"));
}

TEST_F(WorkerSessionTest, WhoAsksIsCalledWhenItsGenerationIsOver) {
  coordinator_.Register("a", 2);
  Member first(coordinator_, ServerHarness::Worker(0));
  Member second(coordinator_, ServerHarness::Worker(1));
  auto first_joins = first.StartJoin();
  ASSERT_THAT(second.session.Join(0, 0, ""), IsOk());
  ASSERT_THAT(first_joins.get(), IsOk());
  std::promise<void> over;
  first.session.WhenOver([&] { over.set_value(); });
  second.session.WhenOver([] { FAIL() << "it was taken back"; });
  EXPECT_TRUE(second.session.WhenOver(nullptr));
  auto second_returns = second.StartJoin(1, 7, "it was cut off");
  EXPECT_EQ(over.get_future().wait_for(absl::ToChronoSeconds(kLong)),
            std::future_status::ready);
  EXPECT_FALSE(first.session.WhenOver(nullptr));
  // Who asks too late is not forgotten.
  bool called = false;
  first.session.WhenOver([&] { called = true; });
  EXPECT_TRUE(called);
  ASSERT_THAT(first.session.Join(1, 6, "the other is gone"), IsOk());
  ASSERT_THAT(second_returns.get(), IsOk());
  // The next generation is not over.
  first.session.WhenOver([] { FAIL() << "it is not over"; });
  first.session.WhenOver(nullptr);
}

TEST_F(WorkerSessionTest, HeartbeatsBringWishes) {
  const auto member = FormAlone();
  EXPECT_FALSE(member->session.wishes().stop());
  ASSERT_THAT(member->client->Stop({}, kLong), IsOk());
  const wire::Wishes wishes =
      member->Await([](const wire::Wishes& now) { return now.stop(); });
  EXPECT_FALSE(wishes.over());
  EXPECT_EQ(wishes.state(), wire::RUNNING);
}

TEST_F(WorkerSessionTest, HeartbeatsTellPhaseAndStep) {
  const auto member = FormAlone();
  StepReport report;
  report.step = 41;
  report.epoch = 2;
  member->session.SetPhase(wire::EVALUATE);
  member->session.SetStep(report, absl::Milliseconds(250));
  wire::GetStatusResponse::Member seen;
  const absl::Time end = absl::Now() + kLong;
  while (seen.step() != 41 && absl::Now() < end) {
    const wire::GetStatusResponse status = coordinator_.Status();
    ASSERT_EQ(status.members_size(), 1);
    seen = status.members(0);
  }
  EXPECT_EQ(seen.step(), 41);
  EXPECT_EQ(seen.phase(), wire::EVALUATE);
  EXPECT_DOUBLE_EQ(seen.step_s(), 0.25);
}

TEST_F(WorkerSessionTest, ACoordinatorThatComesBackFindsTheSameGeneration) {
  const auto member = FormAlone();
  coordinator_.Stop();
  const wire::Wishes before = member->session.wishes();
  coordinator_.Start();
  // Only this process of it wishes that.
  ASSERT_THAT(coordinator_.Client()->Stop({}, kLong), IsOk());
  const wire::Wishes wishes =
      member->Await([](const wire::Wishes& now) { return now.stop(); });
  EXPECT_FALSE(before.stop());
  EXPECT_FALSE(wishes.over());
  EXPECT_EQ(member->session.generation(), 1);
}

TEST_F(WorkerSessionTest, WhoJoinsWaitsForACoordinatorThatIsAway) {
  coordinator_.Register("a", 1);
  Member member(coordinator_, ServerHarness::Worker(0));
  coordinator_.Stop();
  auto joins = member.StartJoin();
  // It has called in vain by then.
  EXPECT_THAT(member.client->GetStatus({}, kLong), StatusIs(kUnavailable));
  coordinator_.Start();
  const auto joined = joins.get();
  ASSERT_THAT(joined, IsOk());
  EXPECT_EQ(joined->generation(), 1);
}

TEST_F(WorkerSessionTest, AJoinThatWaitsOutlivesACoordinator) {
  coordinator_.Register("a", 2);
  Member member(coordinator_, ServerHarness::Worker(0));
  auto joins = member.StartJoin();
  const auto is_joining = [&] {
    const wire::GetStatusResponse status = coordinator_.Status();
    for (const auto& one : status.members()) {
      if (one.state() == "joining") return true;
    }
    return false;
  };
  const absl::Time end = absl::Now() + kLong;
  while (!is_joining() && absl::Now() < end) {
  }
  coordinator_.Stop();
  coordinator_.Start();
  ASSERT_THAT(coordinator_.Join(ServerHarness::Worker(1)), IsOk());
  const auto joined = joins.get();
  ASSERT_THAT(joined, IsOk());
  EXPECT_EQ(joined->rank(), 0);
}

TEST_F(WorkerSessionTest, ADeadIncarnationIsTold) {
  const auto member = FormAlone();
  coordinator_.Show(ServerHarness::Worker(0, /*incarnation=*/2));
  EXPECT_THAT(member->session.AwaitEnd(), StatusIs(kAborted));
  EXPECT_THAT(member->session.CheckAlive(), StatusIs(kAborted));
  EXPECT_THAT(member->session.Join(1, 5, "it is over"), StatusIs(kAborted));
  EXPECT_THAT(member->session.Finish(wire::FINISHED, 5, 1, ""),
              StatusIs(kAborted));
  EXPECT_EQ(coordinator_.Status().state(), wire::FORMING);
}

TEST_F(WorkerSessionTest, WhoDiesInItsJoinIsTold) {
  coordinator_.Register("a", 2);
  Member member(coordinator_, ServerHarness::Worker(0));
  auto joins = member.StartJoin();
  coordinator_.Show(ServerHarness::Worker(0, /*incarnation=*/2));
  EXPECT_THAT(joins.get(), StatusIs(kAborted));
}

TEST_F(WorkerSessionTest, TheEndOfTheJobIsTold) {
  coordinator_.Register("a", 2);
  Member first(coordinator_, ServerHarness::Worker(0));
  Member second(coordinator_, ServerHarness::Worker(1));
  auto first_joins = first.StartJoin();
  ASSERT_THAT(second.session.Join(0, 0, ""), IsOk());
  ASSERT_THAT(first_joins.get(), IsOk());
  EXPECT_THAT(second.session.Finish(wire::FAILED, 9, 1, "not finite"), IsOk());
  EXPECT_THAT(first.session.AwaitEnd(), IsOk());
  EXPECT_EQ(first.session.wishes().state(), wire::FAILED);
  EXPECT_THAT(first.session.wishes().error(),
              AllOf(HasSubstr("a/1"), HasSubstr("not finite")));
  EXPECT_THAT(second.session.AwaitEnd(), IsOk());
  EXPECT_THAT(first.session.Join(1, 9, ""), StatusIs(kCancelled));
  // Also who has heard of it by nothing else.
  Member late(coordinator_, ServerHarness::Worker(0, /*incarnation=*/2));
  EXPECT_THAT(late.session.Join(0, 0, ""), StatusIs(kCancelled));
  EXPECT_EQ(late.session.wishes().state(), wire::FAILED);
  EXPECT_THAT(late.session.wishes().error(), HasSubstr("not finite"));
}

TEST_F(WorkerSessionTest, TheEndIsToldAgainToACoordinatorThatWasAway) {
  const auto member = FormAlone();
  coordinator_.Stop();
  auto finishes = std::async(std::launch::async, [&] {
    return member->session.Finish(wire::FINISHED, 9, 1, "");
  });
  EXPECT_THAT(member->client->GetStatus({}, kLong), StatusIs(kUnavailable));
  coordinator_.Start();
  EXPECT_THAT(finishes.get(), IsOk());
  EXPECT_EQ(coordinator_.job().AwaitEnd(kLong), JobState::kFinished);
}

TEST_F(WorkerSessionTest, WithoutTheCoordinatorForTooLongItGivesUp) {
  const auto member = FormAlone();
  coordinator_.Stop();
  EXPECT_THAT(member->session.CheckAlive(), IsOk());
  auto joins = member->StartJoin(1, 5, "");
  auto ends = std::async(std::launch::async,
                         [&] { return member->session.AwaitEnd(); });
  // A heartbeat that was still answered may be heard late.
  while (joins.wait_for(std::chrono::milliseconds(20)) !=
             std::future_status::ready ||
         ends.wait_for(std::chrono::milliseconds(20)) !=
             std::future_status::ready) {
    member->clock.Advance(absl::Minutes(10));
  }
  const auto says_why =
      StatusIs(kUnavailable, AllOf(HasSubstr(member->client->address()),
                                   HasSubstr("has been away for 10m")));
  EXPECT_THAT(joins.get(), says_why);
  EXPECT_THAT(ends.get(), says_why);
  EXPECT_THAT(member->session.CheckAlive(), says_why);
}

TEST_F(WorkerSessionTest, ItEndsAtOnceAlsoWhileItWaits) {
  coordinator_.Register("a", 1);
  coordinator_.Stop();
  const Member member(coordinator_, ServerHarness::Worker(0));
}

}  // namespace
}  // namespace charrnn
