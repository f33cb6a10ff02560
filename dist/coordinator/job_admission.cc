// Which hosts a job takes, and with what they compute.

#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/one_line.h"
#include "base/status_macros.h"
#include "dist/coordinator/contract.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/run_book.h"
#include "model/metrics/display.h"

namespace charrnn {

void Job::OpenRun(const wire::OpenRunRequest& /*request*/,
                  wire::OpenRunResponse* response, const Done& done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    response->set_config_json(config_json_);
    response->set_committed_step(safe_.committed_step);
    response->set_may_change(may_change_);
  }
  done(absl::OkStatus());
}

absl::StatusOr<std::string> Job::AgreeOnInstructionSet(
    const std::string& theirs) const {
  CHARRNN_ASSIGN_OR_RETURN(
      std::string common,
      CommonInstructionSet(instruction_set_.empty() ? theirs : instruction_set_,
                           theirs));
  if (common != instruction_set_ && membership_->generation() > 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this host's CPU has ", theirs, " at best, and the job has begun with ",
        instruction_set_, ": leave the host out, or begin the run with it"));
  }
  return common;
}

void Job::RegisterHost(const wire::RegisterHostRequest& request,
                       wire::RegisterHostResponse* response, const Done& done) {
  OnDisk([this, &request, response, done] {
    absl::Status status = Admit(request);
    const std::lock_guard<std::mutex> lock(mutex_);
    response->set_config_json(config_json_);
    response->set_instruction_set(instruction_set_);
    AnswerDurably(std::move(status), done);
  });
}

absl::Status Job::Admit(const wire::RegisterHostRequest& request) {
  bool begins = book_->config_json().empty();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    begins = begins || may_change_;
  }
  // The first one's need only make sense.
  CHARRNN_RETURN_IF_ERROR(
      CheckContract(begins ? request.config_json() : book_->config_json(),
                    request.config_json()));
  CHARRNN_ASSIGN_OR_RETURN(const int max_workers,
                           RunBook::MaxWorkers(request.config_json()));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    CHARRNN_ASSIGN_OR_RETURN(std::string common,
                             AgreeOnInstructionSet(request.instruction_set()));
    membership_->SetMaxWorkers(max_workers);
    const std::string name = OneLine(request.host_name());
    CHARRNN_RETURN_IF_ERROR(membership_->RegisterHost(request.host_id(), name,
                                                      request.slots(), Now()));
    if (options_.durable && told_of_.insert(request.host_id()).second) {
      CHARRNN_LOG(INFO) << name << " is there, with "
                        << Counted(request.slots(), "worker");
    }
    may_change_ = false;
    if (common != instruction_set_) ++news_of_the_job_;
    instruction_set_ = std::move(common);
  }
  // Only now: a host that was refused is to leave no trace.
  if (!begins) return absl::OkStatus();
  {
    const std::lock_guard<std::mutex> lock(folder_mutex_);
    CHARRNN_RETURN_IF_ERROR(book_->Begin(request.config_json()));
  }
  Publish();
  const std::lock_guard<std::mutex> lock(mutex_);
  config_json_ = book_->config_json();
  membership_->Committed(safe_.committed_step);
  return absl::OkStatus();
}

}  // namespace charrnn
