#include "dist/coordinator/swarm.h"

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Duration kLong = absl::Seconds(50);

class SwarmTest : public testing::Test {
 protected:
  // A coordinator that forms a generation once there are so many hosts.
  void Serve(int min_hosts) {
    Job::Options options;
    options.run_dir = directory_.path();
    options.membership.min_hosts = min_hosts;
    options.membership.max_hosts = min_hosts;
    // A busy machine's heartbeats come late.
    options.membership.silence = kLong;
    options.membership.late_tick = kLong;
    auto job = Job::Open(options);
    ASSERT_THAT(job, IsOk());
    auto server = CoordinatorServer::Start(*std::move(job), {});
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
    options_.address = absl::StrCat("127.0.0.1:", server_->port());
  }

  wire::GetStatusResponse Status() {
    wire::GetStatusResponse response;
    // It never waits.
    server_->job().GetStatus({}, &response, [](const absl::Status&) {});
    return response;
  }

  int NumMembers(absl::string_view state) {
    const wire::GetStatusResponse status = Status();
    int count = 0;
    for (const auto& member : status.members()) {
      if (member.state() == state) ++count;
    }
    return count;
  }

  const TempDirectory directory_;
  std::unique_ptr<CoordinatorServer> server_;
  Swarm::Options options_;
};

int NumThreads() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int threads = 0;
    if (absl::ConsumePrefix(&rest, "Threads:") &&
        absl::SimpleAtoi(rest, &threads)) {
      return threads;
    }
  }
  ADD_FAILURE() << "how many threads there are is not known";
  return 0;
}

TEST_F(SwarmTest, WorkersMeetLoseSomeAndAreCompleteAgain) {
  options_.hosts = 4;
  options_.slots = 3;
  options_.max_workers = 12;
  Serve(options_.hosts);
  Swarm swarm(options_);
  ASSERT_THAT(swarm.Rendezvous(kLong), IsOk());
  EXPECT_EQ(NumMembers("member"), 12);
  ASSERT_THAT(swarm.Kill(2, kLong), IsOk());
  EXPECT_EQ(NumMembers("member"), 10);
  ASSERT_THAT(swarm.Replace(kLong), IsOk());
  EXPECT_EQ(NumMembers("member"), 12);
  EXPECT_EQ(swarm.generation(), 3);
  EXPECT_THAT(Status().generations(), SizeIs(3));
  // Each sends one as soon as it has its place.
  while (swarm.TakeHeartbeats().latencies.empty() && swarm.status().ok()) {
    std::this_thread::yield();
  }
  EXPECT_THAT(swarm.status(), IsOk());
}

TEST_F(SwarmTest, WhatTheCoordinatorRefusesIsTheSwarmsError) {
  options_.max_workers = 7;
  Serve(options_.hosts);
  Swarm swarm(options_);
  EXPECT_THAT(
      swarm.Rendezvous(kLong),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has 4 workers")));
}

TEST_F(SwarmTest, ThreadsDoNotGrowWithTheCallsThatWait) {
  options_.hosts = 64;
  options_.slots = 15;
  options_.connections = 1;
  options_.max_workers = 960;
  Serve(options_.hosts + 1);  // one that never comes
  Swarm swarm(options_);
  EXPECT_THAT(swarm.Rendezvous(absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  while (NumMembers("joining") < 960 && swarm.status().ok()) {
    std::this_thread::yield();
  }
  ASSERT_THAT(swarm.status(), IsOk());
  // 960 workers in Join and 64 hosts in WatchHost, of both sides here.
  EXPECT_GE(swarm.calls_under_way(), 960 + 64);
  EXPECT_LT(NumThreads(), 512);
}

}  // namespace
}  // namespace charrnn
