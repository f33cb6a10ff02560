#ifndef CHARRNN_DIST_COORDINATOR_SERVER_HARNESS_H_
#define CHARRNN_DIST_COORDINATOR_SERVER_HARNESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/job_harness.h"
#include "dist/coordinator/server.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

// What tests of those who talk to a coordinator have in its place: a real one,
// in this process, on a folder of its own. Its clock stands still, so that
// nobody dies of silence; and it may go away and come back.

namespace charrnn {

class ServerHarness {
 public:
  // Longer than a busy machine may take.
  static constexpr absl::Duration kLong = absl::Seconds(50);

  explicit ServerHarness(int max_hosts = 1) {
    options_.membership.max_hosts = max_hosts;
  }
  ServerHarness(const ServerHarness&) = delete;
  ServerHarness& operator=(const ServerHarness&) = delete;

  // Comes, or comes back: on the same port, to the same job.
  void Start() {
    options_.run_dir = directory_.path();
    options_.durable = true;
    options_.files = &files_;
    options_.clock = &clock_;
    auto job = Job::Open(options_);
    ASSERT_THAT(job, IsOk());
    CoordinatorServer::Options options;
    options.listen = absl::StrCat("127.0.0.1:", port_);
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        server_, CoordinatorServer::Start(*std::move(job), options));
    port_ = server_->port();
    people_ = Client();
  }

  // Goes away.
  void Stop() { server_.reset(); }

  // While it is away: it will not know of the job that there was.
  void Forget() {
    ASSERT_THAT(files_.Remove(directory_.File("coordinator.json")), IsOk());
  }

  // A new one, that knows the way.
  std::unique_ptr<CoordinatorClient> Client() const {
    return std::make_unique<CoordinatorClient>(
        CoordinatorClient::Options{absl::StrCat("127.0.0.1:", port_), {}});
  }

  Job& job() { return server_->job(); }
  FakeClock& clock() { return clock_; }
  FaultInjectingFileSystem& files() { return files_; }

  // Host "a" is named "name-a", and so on.
  void Register(const std::string& host_id, int slots,
                const std::string& instruction_set = "avx2") {
    wire::RegisterHostRequest host;
    host.set_host_id(host_id);
    host.set_host_name("name-" + host_id);
    host.set_slots(slots);
    host.set_config_json(RunConfig());
    host.set_instruction_set(instruction_set);
    ASSERT_THAT(people_->RegisterHost(host, kLong), IsOk());
  }

  static wire::Worker Worker(int local_rank, int64_t incarnation = 1,
                             const std::string& host_id = "a") {
    wire::Worker worker;
    worker.set_host_id(host_id);
    worker.set_local_rank(local_rank);
    worker.set_incarnation(incarnation);
    return worker;
  }

  // As the worker: shows that it lives, which ends all that were there before
  // in its slot.
  void Show(const wire::Worker& worker) {
    wire::HeartbeatRequest beat;
    *beat.mutable_worker() = worker;
    ASSERT_THAT(people_->Heartbeat(beat, kLong), IsOk());
  }

  // As the worker: blocks until it is told to save and stop.
  void AwaitStop(const wire::Worker& worker, int64_t generation) {
    wire::HeartbeatRequest beat;
    *beat.mutable_worker() = worker;
    beat.set_generation(generation);
    const absl::Time end = absl::Now() + kLong;
    while (absl::Now() < end) {
      const auto heard = people_->Heartbeat(beat, kLong);
      ASSERT_THAT(heard, IsOk());
      if (heard->wishes().stop()) return;
    }
    FAIL() << "nobody told it to stop";
  }

  // As the worker: joins, and blocks until a generation has formed.
  absl::StatusOr<wire::JoinResponse> Join(const wire::Worker& worker,
                                          int64_t left = 0) {
    wire::JoinRequest join;
    *join.mutable_worker() = worker;
    join.set_left_generation(left);
    join.set_synced_generation(left);
    join.set_instruction_set("avx2");
    return people_->Join(join, kLong);
  }

  // As the worker: ends the job.
  void Finish(const wire::Worker& worker, int64_t generation,
              wire::JobState how, const std::string& message = "") {
    wire::FinishRequest finish;
    *finish.mutable_worker() = worker;
    finish.set_generation(generation);
    finish.set_how(how);
    finish.set_message(message);
    ASSERT_THAT(people_->Finish(finish, kLong), IsOk());
  }

  wire::GetStatusResponse Status() {
    const auto status = people_->GetStatus({}, kLong);
    EXPECT_THAT(status, IsOk());
    return status.value_or(wire::GetStatusResponse());
  }

  // A file of the run's folder; "" if there is none.
  std::string Read(const std::string& name) {
    return files_.ReadFile(directory_.File(name)).value_or("");
  }

  // A path for the test's own use.
  std::string File(const std::string& name) const { return own_.File(name); }

 private:
  const TempDirectory directory_;
  const TempDirectory own_;
  FaultInjectingFileSystem files_{FileSystem::Real()};
  FakeClock clock_;
  Job::Options options_;
  int port_ = 0;
  std::unique_ptr<CoordinatorServer> server_;
  std::unique_ptr<CoordinatorClient> people_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_SERVER_HARNESS_H_
