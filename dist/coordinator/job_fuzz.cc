// Calls of unknown origin, as workers and supervisors could make them: each is
// answered once, an error is kept as one line, and from what a job has written
// down by then another one goes on. Each call is a byte for which, a byte for
// the length of its message, and that. A configuration of one letter stands for
// one that makes sense.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/grpc_log.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/job_harness.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

// How often each call was answered, and by what they wait. Lives until all are.
class Calls {
 public:
  explicit Calls(Job* job) : job_(job) {}

  void Make(uint8_t which, absl::string_view message) {
    switch (which % 13) {
      case 0:
        return Make(&Job::OpenRun, message);
      case 1:
        return Make(&Job::RegisterHost, message);
      case 2:
        return Make(&Job::WatchHost, message);
      case 3:
        return Make(&Job::ReportExit, message);
      case 4:
        return Make(&Job::LeaveHost, message);
      case 5:
        return Make(&Job::Join, message);
      case 6:
        return Make(&Job::Heartbeat, message);
      case 7:
        return Make(&Job::Store, message);
      case 8:
        return Make(&Job::Record, message);
      case 9:
        return Put(message);
      case 10:
        return Make(&Job::Finish, message);
      case 11:
        return Make(&Job::GetStatus, message);
      default:
        return Make(&Job::Stop, message);
    }
  }

  void CheckAnswers() const {
    for (const std::atomic<int>& count : answers_) CHARRNN_CHECK(count == 1);
  }

 private:
  Job::Done NewAnswer() {
    std::atomic<int>* count = &answers_.emplace_back(0);
    return [count](const absl::Status&) { ++*count; };
  }

  static void Complete(wire::RegisterHostRequest& request) {
    if (request.config_json().size() == 1) request.set_config_json(RunConfig());
  }
  template <typename Request>
  static void Complete(Request& /*request*/) {}

  template <typename Request, typename Response>
  void Make(void (Job::*method)(const Request&, Response*, const Job::Done&),
            absl::string_view message) {
    auto request = std::make_shared<Request>();
    if (!request->ParseFromArray(message.data(),
                                 static_cast<int>(message.size()))) {
      return;
    }
    Complete(*request);
    auto response = std::make_shared<Response>();
    (job_->*method)(*request, response.get(),
                    [request, response, done = NewAnswer()](
                        const absl::Status& status) { done(status); });
  }

  // A checkpoint that is whole, of whichever step the message names.
  void Put(absl::string_view message) {
    wire::PutCheckpointRequest request;
    if (!request.ParseFromArray(message.data(),
                                static_cast<int>(message.size()))) {
      return;
    }
    const int64_t step = std::clamp<int64_t>(request.step(), 0, 1'000'000);
    job_->PutCheckpoint(request.worker(), request.generation(), request.step(),
                        CheckpointFilesOf(step), NewAnswer());
  }

  Job* const job_;
  std::deque<std::atomic<int>> answers_;
};

uint8_t TakeByte(absl::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

void Run(absl::string_view input) {
  SilenceGrpcLog();
  const TempDirectory directory;
  FakeClock clock;
  Job::Options options;
  options.run_dir = directory.path();
  options.clock = &clock;
  options.durable = true;
  auto job = Job::Open(options);
  CHARRNN_CHECK(job.ok()) << job.status();
  Calls calls(job->get());
  while (!input.empty()) {
    const uint8_t which = TakeByte(input);
    const size_t wanted = TakeByte(input);
    const size_t size = std::min(wanted, input.size());
    calls.Make(which, input.substr(0, size));
    input.remove_prefix(size);
    // What waits is answered or dies now and then.
    if (which >= 128) clock.Advance(absl::Seconds(1));
  }
  const std::string error = (*job)->first_error();
  CHARRNN_CHECK(std::none_of(error.begin(), error.end(), [](char c) {
    return c >= 0 && c < ' ';
  })) << error;
  job->reset();
  calls.CheckAnswers();
  auto next = Job::Open(options);
  CHARRNN_CHECK(next.ok()) << next.status();
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  charrnn::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
