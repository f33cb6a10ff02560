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

// The answer to a call, which may come after this object's end.
class Answer {
 public:
  Answer() : future_(promise_->get_future()) {}

  // What the call is to be given.
  Job::Done done() {
    return [promise = promise_](const absl::Status& status) {
      // A copy that shares nothing: ThreadSanitizer does not see the system's
      // abseil count references.
      promise->set_value(absl::Status(status.code(), status.message()));
    };
  }

  bool has_come() {
    return future_.wait_for(std::chrono::seconds(0)) ==
           std::future_status::ready;
  }

  absl::Status Await() {
    if (future_.wait_for(kLong) != std::future_status::ready) {
      return absl::InternalError("there was no answer");
    }
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<absl::Status>> promise_ =
      std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> future_;
};

// A call that has been made.
template <typename Request, typename Response>
class Call {
 public:
  Call(Job& job,
       void (Job::*method)(const Request&, Response*, const Job::Done&),
       const Request& request)
      : state_(std::make_shared<State>()) {
    state_->request = request;
    // They live until the answer has come.
    (job.*method)(state_->request, &state_->response,
                  [state = state_, done = answer_.done()](
                      const absl::Status& status) { done(status); });
  }

  bool answered() { return answer_.has_come(); }

  absl::StatusOr<Response> Await() {
    absl::Status status = answer_.Await();
    if (!status.ok()) return status;
    return state_->response;
  }

 private:
  struct State {
    Request request;
    Response response;
  };
  const std::shared_ptr<State> state_;
  Answer answer_;
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
