#include "dist/supervisor.h"

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "dist/child_process.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/server_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/lines.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = ServerHarness::kLong;

// Says what it is, and its process, and then nothing for a long time. Sleeps
// in its own process, of which nothing is left when that is killed.
constexpr char kWaits[] = "echo $WHO runs as $$; exec sleep 1000";

class SupervisorTest : public testing::Test {
 protected:
  explicit SupervisorTest(int max_hosts = 1) : coordinator_(max_hosts) {}

  void SetUp() override { coordinator_.Start(); }

  ~SupervisorTest() override {
    // What it waits for may never come in a test that has failed.
    if (client_ != nullptr) client_->Cancel();
    if (runs_.valid()) runs_.wait();
  }

  // Registers host "a", whose workers run what `script` gives, and supervises
  // it on a thread of its own.
  void Start(
      int slots,
      std::function<std::string(int local_rank, int64_t incarnation)> script,
      const std::string& program_of_1 = "/bin/sh") {
    coordinator_.Register("a", slots);
    client_ = coordinator_.Client();
    Supervisor::Options options;
    options.host_id = "a";
    options.host_name = "alpha";
    options.slots = slots;
    options.instruction_set = "avx2";
    options.child = [script = std::move(script), program_of_1](
                        int local_rank, int64_t incarnation,
                        const std::string& instruction_set) {
      ChildProcessOptions child;
      child.program = local_rank == 1 ? program_of_1 : "/bin/sh";
      child.arguments = {"-c", script(local_rank, incarnation)};
      child.environment["WHO"] =
          absl::StrCat(local_rank, ".", incarnation, " with ", instruction_set);
      return child;
    };
    options.longest_absence = longest_absence_;
    options.wants_to_leave = [this] { return wants_to_leave_.load(); };
    options.leaving_ends_the_job = leaving_ends_the_job_;
    options.sink = [this](OutputStream /*stream*/, absl::string_view line) {
      lines_.Add(line);
    };
    runs_ = std::async(std::launch::async, [this, options] {
      Supervisor supervisor(client_.get(), clock_, options);
      const absl::Status status = supervisor.Run();
      // By then, and not only with the supervisor's end.
      alive_at_the_end_ = false;
      for (const pid_t process : Processes()) {
        if (kill(process, 0) == 0) alive_at_the_end_ = true;
      }
      return status;
    });
  }

  // Blocks until the worker runs, and returns its process.
  pid_t AwaitWorker(int local_rank, int64_t incarnation,
                    const std::string& instruction_set = "avx2") {
    const std::string text = lines_.Await(
        absl::StrCat("[alpha/", local_rank, "] ", local_rank, ".", incarnation,
                     " with ", instruction_set, " runs as "),
        meanwhile_, kLong);
    pid_t process = 0;
    EXPECT_TRUE(absl::SimpleAtoi(text, &process)) << text;
    const std::lock_guard<std::mutex> lock(mutex_);
    processes_.push_back(process);
    return process;
  }

  std::vector<pid_t> Processes() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return processes_;
  }

  absl::Status Await() {
    const absl::Status status = runs_.get();
    EXPECT_FALSE(alive_at_the_end_);
    return status;
  }

  // Whoever waits to be started anew need not wait for long.
  void LetTimeFly() {
    clock_ = &fake_clock_;
    longest_absence_ = absl::InfiniteDuration();
    meanwhile_ = [this] { fake_clock_.Advance(absl::Minutes(1)); };
  }

  // All slots' workers join, as if they had done it themselves.
  void Form(int slots) {
    std::vector<std::future<absl::StatusOr<wire::JoinResponse>>> joins;
    for (int local_rank = 0; local_rank < slots; ++local_rank) {
      joins.push_back(std::async(std::launch::async, [this, local_rank] {
        return coordinator_.Join(ServerHarness::Worker(local_rank));
      }));
    }
    for (auto& join : joins) ASSERT_THAT(join.get(), IsOk());
  }

  ServerHarness coordinator_;
  FakeClock fake_clock_;
  Clock* clock_ = Clock::Real();
  absl::Duration longest_absence_ = absl::Minutes(10);
  std::function<void()> meanwhile_ = [] {};
  std::atomic<bool> wants_to_leave_ = false;
  bool leaving_ends_the_job_ = false;
  Lines lines_;  // of all workers
  std::unique_ptr<CoordinatorClient> client_;
  std::mutex mutex_;
  std::vector<pid_t> processes_;  // guarded by mutex_
  bool alive_at_the_end_ = false;
  std::future<absl::Status> runs_;
};

TEST_F(SupervisorTest, StartsAWorkerInEachSlotAndEndsThemWithTheJob) {
  Start(2, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  AwaitWorker(1, 1);
  Form(2);
  // They do not end by themselves, and are killed.
  coordinator_.Finish(ServerHarness::Worker(0), 1, wire::FINISHED);
  EXPECT_THAT(Await(), IsOk());
}

TEST_F(SupervisorTest, LetsWorkersEndByThemselvesAtTheJobsEnd) {
  clock_ = &fake_clock_;  // so that its patience has no end
  const std::string go = coordinator_.File("go");
  Start(1, [&](int, int64_t) {
    return absl::StrCat("echo $WHO runs as $$; while [ ! -e ", go,
                        " ]; do sleep 0.02; done; echo ended by itself");
  });
  AwaitWorker(0, 1);
  Form(1);
  coordinator_.Finish(ServerHarness::Worker(0), 1, wire::FINISHED);
  // The supervisor knows by then.
  coordinator_.job().AwaitFarewell(kLong);
  EXPECT_EQ(runs_.wait_for(std::chrono::milliseconds(300)),
            std::future_status::timeout);
  ASSERT_THAT(WriteFile(*FileSystem::Real(), go, ""), IsOk());
  EXPECT_THAT(Await(), IsOk());
  EXPECT_TRUE(lines_.Has("[alpha/0] ended by itself"));
}

TEST_F(SupervisorTest, TellsHowAJobHasFailed) {
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  Form(1);
  coordinator_.Finish(ServerHarness::Worker(0), 1, wire::FAILED, "not finite");
  EXPECT_THAT(Await(), StatusIs(absl::StatusCode::kInternal,
                                HasSubstr("name-a/0 (rank 0)")));
}

TEST_F(SupervisorTest, StartsTheNextIncarnationOfAWorkerThatIsKilled) {
  Start(2, [](int, int64_t) { return kWaits; });
  AwaitWorker(1, 1);
  kill(AwaitWorker(0, 1), SIGKILL);
  kill(AwaitWorker(0, 2), SIGKILL);
  AwaitWorker(0, 3);
  EXPECT_FALSE(lines_.Has("[alpha/1] 1.2 "));
}

// Three of a slot's own errors end the job, which tells the first of them.
TEST_F(SupervisorTest, ItsOwnErrorIsToldWithTheLastThingThatItSaid) {
  LetTimeFly();
  Start(1, [](int, int64_t incarnation) {
    return absl::StrCat("echo $WHO runs as $$; echo error ", incarnation,
                        " >&2; exit 1");
  });
  for (int incarnation = 1; incarnation <= 3; ++incarnation) {
    AwaitWorker(0, incarnation);
  }
  EXPECT_THAT(Await(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("error 1")));
}

TEST_F(SupervisorTest, ASignalThatAProgramSendsItselfIsItsOwnError) {
  LetTimeFly();
  Start(1, [](int, int64_t) {
    return "echo $WHO runs as $$; ulimit -c 0; kill -ABRT $$";
  });
  for (int incarnation = 1; incarnation <= 3; ++incarnation) {
    AwaitWorker(0, incarnation);
  }
  EXPECT_THAT(Await(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("signal 6")));
}

TEST_F(SupervisorTest, AKillingAndTheCodeForItAreNoErrorsOfItsOwn) {
  LetTimeFly();
  Start(1, [](int, int64_t incarnation) {
    return incarnation > 6 ? std::string(kWaits)
           : incarnation % 2 == 0
               ? absl::StrCat("echo $WHO runs as $$; exit ", kStartAnewExitCode)
               : "echo $WHO runs as $$; kill -KILL $$";
  });
  for (int incarnation = 1; incarnation <= 7; ++incarnation) {
    AwaitWorker(0, incarnation);
  }
  EXPECT_EQ(coordinator_.Status().state(), wire::FORMING);
}

TEST_F(SupervisorTest, KillsWhoWasDeclaredDead) {
  Start(2, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  AwaitWorker(1, 1);
  coordinator_.Show(ServerHarness::Worker(0));
  // One of them is silent.
  meanwhile_ = [this] {
    coordinator_.clock().Advance(absl::Milliseconds(300));
    coordinator_.Show(ServerHarness::Worker(1));
  };
  AwaitWorker(0, 2);
  EXPECT_FALSE(lines_.Has("[alpha/1] 1.2 "));
}

TEST_F(SupervisorTest, ExitsAreToldToACoordinatorThatWasAway) {
  Start(1, [](int, int64_t) { return kWaits; });
  const pid_t first = AwaitWorker(0, 1);
  coordinator_.Stop();
  kill(first, SIGKILL);
  coordinator_.Start();
  AwaitWorker(0, 2);
}

TEST_F(SupervisorTest, SaysThatTheCoordinatorIsAwayAndThatItIsBack) {
  LetTimeFly();
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  Lines log;
  const LogCapture capture(&log);
  coordinator_.Stop();
  EXPECT_EQ(log.Await(absl::StrCat("warning: ", client_->address(), ": "),
                      meanwhile_, kLong),
            "the coordinator does not answer: training goes on without it, "
            "for inf at most");
  EXPECT_FALSE(log.Has("the coordinator is back"));
  coordinator_.Start();
  log.Await("the coordinator is back", meanwhile_, kLong);
}

TEST_F(SupervisorTest, WithoutTheCoordinatorForTooLongItGivesUp) {
  clock_ = &fake_clock_;
  Start(2, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  AwaitWorker(1, 1);
  coordinator_.Stop();
  // A poll that was still answered may be heard late.
  while (runs_.wait_for(std::chrono::milliseconds(20)) !=
         std::future_status::ready) {
    fake_clock_.Advance(absl::Minutes(10));
  }
  EXPECT_THAT(Await(), StatusIs(absl::StatusCode::kUnavailable,
                                HasSubstr("has been away for 10m")));
}

TEST_F(SupervisorTest, AHostThatTheCoordinatorDoesNotKnowIsGivenUp) {
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  coordinator_.Stop();
  coordinator_.Forget();
  coordinator_.Start();
  EXPECT_THAT(Await(), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(SupervisorTest, AProgramThatCannotBeStartedIsAnError) {
  Start(
      2, [](int, int64_t) { return kWaits; },
      /*program_of_1=*/coordinator_.File("nothing"));
  EXPECT_THAT(Await(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nothing")));
}

TEST_F(SupervisorTest, TheOnlyHostThatWantsToLeaveStopsTheJob) {
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  Form(1);
  wants_to_leave_ = true;
  coordinator_.AwaitStop(ServerHarness::Worker(0), 1);
  coordinator_.Finish(ServerHarness::Worker(0), 1, wire::STOPPED);
  EXPECT_THAT(Await(), StatusIs(absl::StatusCode::kCancelled,
                                HasSubstr("stopped at step")));
}

// One host of two.
class SupervisorOfTwoHostsTest : public SupervisorTest {
 protected:
  SupervisorOfTwoHostsTest() : SupervisorTest(/*max_hosts=*/2) {}
};

TEST_F(SupervisorOfTwoHostsTest, AHostLeavesAndTheJobGoesOn) {
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  coordinator_.Register("b", 1);
  wants_to_leave_ = true;
  EXPECT_THAT(Await(), StatusIs(absl::StatusCode::kCancelled,
                                HasSubstr("goes on without it")));
  EXPECT_EQ(coordinator_.Status().state(), wire::FORMING);
}

TEST_F(SupervisorOfTwoHostsTest, AHostThatTheJobNeedsStopsIt) {
  leaving_ends_the_job_ = true;
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  coordinator_.Register("b", 1);
  auto other = std::async(std::launch::async, [this] {
    return coordinator_.Join(ServerHarness::Worker(0, 1, "b"));
  });
  Form(1);
  ASSERT_THAT(other.get(), IsOk());
  wants_to_leave_ = true;
  coordinator_.AwaitStop(ServerHarness::Worker(0), 1);
  coordinator_.Finish(ServerHarness::Worker(0), 1, wire::STOPPED);
  EXPECT_THAT(Await(), StatusIs(absl::StatusCode::kCancelled,
                                HasSubstr("stopped at step")));
}

TEST_F(SupervisorOfTwoHostsTest, WorkersStartAnewWithWhatAnotherHostCanDo) {
  Start(1, [](int, int64_t) { return kWaits; });
  AwaitWorker(0, 1);
  coordinator_.Register("b", 1, "baseline");
  AwaitWorker(0, 2, "baseline");
}

}  // namespace
}  // namespace charrnn
