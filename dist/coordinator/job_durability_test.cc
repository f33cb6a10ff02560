// What a job has told is on the disk.

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/job_harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

// Tells when the job's state is about to be in its place.
class WatchedFiles : public FaultInjectingFileSystem {
 public:
  WatchedFiles() : FaultInjectingFileSystem(FileSystem::Real()) {}

  // Called on the next occasion, once.
  void BeforeState(std::function<void()> then) {
    const std::lock_guard<std::mutex> lock(mutex_);
    then_ = std::move(then);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    std::function<void()> then;
    if (absl::EndsWith(to, "coordinator.json")) {
      const std::lock_guard<std::mutex> lock(mutex_);
      then.swap(then_);
    }
    if (then) then();
    return FaultInjectingFileSystem::Rename(from, to);
  }

 private:
  std::mutex mutex_;
  std::function<void()> then_;  // guarded by mutex_
};

wire::JoinRequest JoinOf(int local_rank) {
  wire::JoinRequest request;
  request.mutable_worker()->set_host_id("a");
  request.mutable_worker()->set_local_rank(local_rank);
  request.mutable_worker()->set_incarnation(1);
  request.set_instruction_set("avx2");
  return request;
}

TEST(JobDurabilityTest,
     AGenerationThatFormsDuringAWriteIsWrittenBeforeItIsTold) {
  const TempDirectory directory;
  WatchedFiles files;
  Job::Options options;
  options.run_dir = directory.path();
  options.files = &files;
  options.durable = true;
  options.poll = absl::Minutes(10);  // no answer without a place
  auto job = Job::Open(options);
  ASSERT_THAT(job, IsOk());

  wire::RegisterHostRequest host;
  host.set_host_id("a");
  host.set_host_name("alpha");
  host.set_slots(2);
  host.set_config_json(RunConfig());
  host.set_instruction_set("avx2");
  wire::RegisterHostResponse registered;
  std::promise<absl::Status> is_registered;
  (*job)->RegisterHost(host, &registered, [&](const absl::Status& status) {
    is_registered.set_value(status);
  });
  ASSERT_THAT(is_registered.get_future().get(), IsOk());

  // The first worker's coming is written down; the second one's, meanwhile,
  // forms the generation.
  const wire::JoinRequest second = JoinOf(1);
  wire::JoinResponse second_place;
  files.BeforeState(
      [&] { (*job)->Join(second, &second_place, [](const absl::Status&) {}); });
  const wire::JoinRequest first = JoinOf(0);
  wire::JoinResponse place;
  std::promise<std::string> state;
  (*job)->Join(first, &place, [&](const absl::Status&) {
    state.set_value(
        files.ReadFile(directory.File("coordinator.json")).value_or("none"));
  });
  EXPECT_THAT(state.get_future().get(), HasSubstr("\"generation\": 1,"));
  EXPECT_EQ(place.generation(), 1);
  (*job)->StopAnswering();
}

}  // namespace
}  // namespace charrnn
