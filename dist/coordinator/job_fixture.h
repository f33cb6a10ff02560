#ifndef CHARRNN_DIST_COORDINATOR_JOB_FIXTURE_H_
#define CHARRNN_DIST_COORDINATOR_JOB_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/job_call.h"
#include "dist/coordinator/job_harness.h"
#include "gtest/gtest.h"
#include "model/manifest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

// A job for tests, called without a network, on a clock that stands still.

namespace charrnn {

class JobTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.run_dir = directory_.path();
    options_.files = &files_;
    options_.clock = &clock_;
    Open();
  }

  void Open() {
    job_.reset();
    auto job = Job::Open(options_);
    ASSERT_THAT(job, IsOk());
    job_ = *std::move(job);
  }

  // Polls that wait are answered: time passes in one leap, by which nobody
  // dies.
  void LetPollsEnd() { clock_.Advance(options_.poll + absl::Seconds(1)); }

  static wire::RegisterHostRequest Host(const std::string& id, int slots = 2) {
    wire::RegisterHostRequest request;
    request.set_host_id(id);
    request.set_host_name("name-" + id);
    request.set_slots(slots);
    request.set_config_json(RunConfig());
    request.set_instruction_set("avx2");
    return request;
  }

  absl::StatusOr<wire::RegisterHostResponse> Register(
      const wire::RegisterHostRequest& request) {
    return Call(*job_, &Job::RegisterHost, request).Await();
  }

  static wire::Worker Worker(int local_rank, int64_t incarnation = 1,
                             const std::string& host_id = "a") {
    wire::Worker worker;
    worker.set_host_id(host_id);
    worker.set_local_rank(local_rank);
    worker.set_incarnation(incarnation);
    return worker;
  }

  auto StartJoin(const wire::Worker& worker, int64_t left = 0,
                 const std::string& instruction_set = "avx2") {
    wire::JoinRequest request;
    *request.mutable_worker() = worker;
    request.set_left_generation(left);
    request.set_synced_generation(left);
    request.set_instruction_set(instruction_set);
    return Call(*job_, &Job::Join, request);
  }

  // Registers host a, whose two workers form generation 1.
  void FormGeneration() {
    ASSERT_THAT(Register(Host("a")), IsOk());
    for (const int local_rank : {0, 1}) {
      ASSERT_THAT(Beat(Worker(local_rank), 0), IsOk());
    }
    auto first = StartJoin(Worker(0));
    auto second = StartJoin(Worker(1));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                                 first.Await());
    ASSERT_EQ(joined.generation(), 1);
    boot_ = joined.boot();
    ASSERT_THAT(second.Await(), IsOk());
  }

  // Ends the generation by a death.
  void Kill(const wire::Worker& worker) {
    wire::ReportExitRequest request;
    *request.mutable_worker() = worker;
    request.set_message("signal 9");
    ASSERT_THAT(Call(*job_, &Job::ReportExit, request).Await(), IsOk());
  }

  absl::StatusOr<wire::Wishes> Beat(const wire::Worker& worker,
                                    int64_t generation, int64_t step = 0) {
    wire::HeartbeatRequest request;
    *request.mutable_worker() = worker;
    request.set_generation(generation);
    request.set_phase(wire::TRAIN);
    request.set_step(step);
    const auto response = Call(*job_, &Job::Heartbeat, request).Await();
    if (!response.ok()) return response.status();
    return response->wishes();
  }

  wire::StoreRequest StoreRequest(wire::StoreRequest::Operation operation,
                                  const std::vector<std::string>& keys,
                                  const std::string& value = "") {
    wire::StoreRequest request;
    *request.mutable_worker() = Worker(0);
    request.set_generation(1);
    request.set_operation(operation);
    for (const std::string& key : keys) request.add_keys(key);
    request.set_value(value);
    request.set_timeout_ms(1'000'000);
    request.set_boot(boot_);
    return request;
  }

  auto StartStore(const wire::StoreRequest& request) {
    return Call(*job_, &Job::Store, request);
  }

  absl::StatusOr<wire::StoreResponse> Store(
      wire::StoreRequest::Operation operation,
      const std::vector<std::string>& keys, const std::string& value = "") {
    return StartStore(StoreRequest(operation, keys, value)).Await();
  }

  absl::StatusOr<wire::RecordResponse> RecordTrain(const wire::Worker& worker,
                                                   int64_t generation,
                                                   int64_t step) {
    wire::RecordRequest request;
    *request.mutable_worker() = worker;
    request.set_generation(generation);
    request.mutable_train()->set_step(step);
    request.mutable_train()->set_loss(2.5);
    request.mutable_train()->set_wall_s(1.5);
    request.set_sizes_as_of(step);
    return Call(*job_, &Job::Record, request).Await();
  }

  absl::Status Put(const wire::Worker& worker, int64_t generation,
                   int64_t step) {
    Answer answer;
    job_->PutCheckpoint(worker, generation, step, CheckpointFilesOf(step),
                        answer.done());
    return answer.Await();
  }

  absl::StatusOr<std::vector<CheckpointFile>> GetCheckpoint(int64_t step) {
    const auto files = std::make_shared<std::vector<CheckpointFile>>();
    Answer answer;
    job_->GetCheckpoint(step, files.get(),
                        [files, done = answer.done()](
                            const absl::Status& status) { done(status); });
    absl::Status status = answer.Await();
    if (!status.ok()) return status;
    return *files;
  }

  absl::Status Finish(const wire::Worker& worker, int64_t generation,
                      wire::JobState how, const std::string& message = "") {
    wire::FinishRequest request;
    *request.mutable_worker() = worker;
    request.set_generation(generation);
    request.set_how(how);
    request.set_message(message);
    return Call(*job_, &Job::Finish, request).Await().status();
  }

  auto StartWatch(const std::string& host_id, int64_t seen) {
    wire::WatchHostRequest request;
    request.set_host_id(host_id);
    request.set_seen_version(seen);
    return Call(*job_, &Job::WatchHost, request);
  }

  std::string Read(const std::string& name) {
    return files_.ReadFile(directory_.File(name)).value_or("");
  }

  std::vector<std::string> Checkpoints() {
    return files_.ListDirectory(directory_.File("checkpoints"))
        .value_or(std::vector<std::string>());
  }

  const TempDirectory directory_;
  WatchedFiles files_;
  FakeClock clock_;
  Job::Options options_;
  uint64_t boot_ = 0;
  std::unique_ptr<Job> job_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_JOB_FIXTURE_H_
