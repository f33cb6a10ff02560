#ifndef CHARRNN_DIST_COORDINATOR_JOB_CALL_H_
#define CHARRNN_DIST_COORDINATOR_JOB_CALL_H_

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "dist/coordinator/job.h"

// Calls of a job without a network, and a disk that tells what happens on it,
// for tests.

namespace charrnn {

// Longer than a busy machine may take.
inline constexpr std::chrono::seconds kLong(30);

// A call that has been made; it may end before its answer has come.
template <typename Request, typename Response>
class Call {
 public:
  Call(Job& job, void (Job::*method)(const Request&, Response*, Job::Done),
       const Request& request)
      : state_(std::make_shared<State>()) {
    state_->request = request;
    answer_ = state_->promise.get_future();
    (job.*method)(state_->request, &state_->response,
                  [state = state_](const absl::Status& status) {
                    state->promise.set_value(status);
                  });
  }

  bool answered() {
    return answer_.wait_for(std::chrono::seconds(0)) ==
           std::future_status::ready;
  }

  absl::StatusOr<Response> Await() {
    if (answer_.wait_for(kLong) != std::future_status::ready) {
      return absl::InternalError("there was no answer");
    }
    const absl::Status status = answer_.get();
    if (!status.ok()) return status;
    return state_->response;
  }

 private:
  struct State {
    Request request;
    Response response;
    std::promise<absl::Status> promise;
  };
  std::shared_ptr<State> state_;
  std::future<absl::Status> answer_;
};

// Tells what happens on the disk.
class WatchedFiles : public FaultInjectingFileSystem {
 public:
  WatchedFiles() : FaultInjectingFileSystem(FileSystem::Real()) {}

  // Called on the next occasion that a staged checkpoint is complete.
  void OnStaged(std::function<void()> then) {
    const std::lock_guard<std::mutex> lock(mutex_);
    then_ = std::move(then);
  }

  absl::Status SyncDirectory(const std::string& path) override {
    std::function<void()> then;
    if (absl::EndsWith(path, ".unfinished")) {
      const std::lock_guard<std::mutex> lock(mutex_);
      then.swap(then_);
    }
    if (then) then();
    return FaultInjectingFileSystem::SyncDirectory(path);
  }

 private:
  std::mutex mutex_;
  std::function<void()> then_;  // guarded by mutex_
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_JOB_CALL_H_
