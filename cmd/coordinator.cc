// The coordinator of a job of several hosts: serves it, or asks a running one.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/stop_signal.h"
#include "cmd/command_line.h"
#include "cmd/coordinator_flags.h"
#include "cmd/coordinator_status.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/server.h"
#include "model/run_directory.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:29400",
          "Where to be reached, as host:port; port 0: any free one, which is "
          "told.");
ABSL_FLAG(std::string, run_dir, "",
          "Folder of the run; empty: runs/<UTC time>, or with --resume "
          "runs/latest.");
ABSL_FLAG(bool, resume, false,
          "Go on with the run in --run_dir from its newest checkpoint, also if "
          "it was to stop. A job whose coordinator was interrupted goes on "
          "without.");
ABSL_FLAG(bool, status, false,
          "Print how the job of the coordinator at --address stands.");
ABSL_FLAG(bool, stop, false,
          "Have the job of the coordinator at --address save and end.");
ABSL_FLAG(std::string, address, "127.0.0.1:29400",
          "The coordinator that --status and --stop ask, as host:port.");

namespace charrnn {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(10);

// How long hosts are given to hear of the job's end.
constexpr absl::Duration kFarewell = absl::Seconds(10);

// The error of a call to the coordinator at `address`.
absl::Status OfAddress(const absl::Status& error, const std::string& address) {
  if (!absl::IsUnavailable(error)) return Annotate(error, address);
  return Annotate(error,
                  absl::StrCat("--address=", address,
                               ": no coordinator answers there, or it wants "
                               "--tls_ca"));
}

absl::Status Ask(FileSystem& files) {
  CoordinatorClient::Options options;
  options.address = absl::GetFlag(FLAGS_address);
  CHARRNN_RETURN_IF_ERROR(CheckAddress("address", options.address));
  CHARRNN_ASSIGN_OR_RETURN(options.credentials, CredentialsFromFlags(files));
  CoordinatorClient client(options);
  if (absl::GetFlag(FLAGS_stop)) {
    CHARRNN_RETURN_IF_ERROR(
        OfAddress(client.Stop(wire::StopRequest(), kCallTimeout).status(),
                  options.address));
    return WriteStdout("the job saves at the next step, and ends\n");
  }
  const auto status = client.GetStatus(wire::GetStatusRequest(), kCallTimeout);
  CHARRNN_RETURN_IF_ERROR(OfAddress(status.status(), options.address));
  return WriteStdout(StatusText(*status));
}

// The run's folder, which is this process's own from here on.
absl::StatusOr<RunDirectory> OwnRun(FileSystem& files) {
  const std::string runs = UserPath("runs");
  const std::string run_dir = UserPath(absl::GetFlag(FLAGS_run_dir));
  if (absl::GetFlag(FLAGS_resume) ||
      (!run_dir.empty() && Job::WasInterrupted(files, run_dir))) {
    CHARRNN_ASSIGN_OR_RETURN(std::optional<RunDirectory> earlier,
                             OpenRunDirectory(files, runs, run_dir));
    if (earlier.has_value()) return *std::move(earlier);
  }
  if (absl::GetFlag(FLAGS_resume)) {
    CHARRNN_LOG(INFO) << "there is no run to resume yet: beginning a new one";
  }
  return CreateRunDirectory(files, *Clock::Real(), runs, run_dir);
}

absl::Status Serve(FileSystem& files) {
  Job::Options options;
  CHARRNN_ASSIGN_OR_RETURN(const JobOptions job_options, JobFlags(1));
  options.membership = job_options.ForMembership();
  CoordinatorServer::Options network;
  network.listen = absl::GetFlag(FLAGS_listen);
  CHARRNN_RETURN_IF_ERROR(CheckAddress("listen", network.listen));
  CHARRNN_ASSIGN_OR_RETURN(network.credentials, CredentialsFromFlags(files));
  CHARRNN_RETURN_IF_ERROR(CheckExposure(network.listen, network.credentials));
  // Before there is a folder, which a next try would find in its way.
  CHARRNN_RETURN_IF_ERROR(CoordinatorServer::Check(network));
  CHARRNN_ASSIGN_OR_RETURN(const RunDirectory directory, OwnRun(files));
  options.run_dir = directory.path;
  options.durable = true;
  options.resume = absl::GetFlag(FLAGS_resume);
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<Job> opened, Job::Open(options));
  CHARRNN_ASSIGN_OR_RETURN(
      const std::unique_ptr<CoordinatorServer> server,
      CoordinatorServer::Start(std::move(opened), network));
  StopSignal::Install("coordinator: ending; once more leaves at once");
  CHARRNN_LOG(INFO) << "coordinator listens on port " << server->port()
                    << ", run " << directory.path;
  Job& job = server->job();
  JobState state = JobState::kRunning;
  bool has_begun = false;
  while (state == JobState::kRunning) {
    // A run that nobody has come to is not the one that people mean.
    if (!has_begun && job.has_begun()) {
      has_begun = true;
      const absl::Status marked =
          MarkLatest(files, UserPath("runs"), directory.path);
      // Hosts train already, and do without the link.
      if (!marked.ok()) CHARRNN_LOG(WARNING) << marked.message();
    }
    if (StopSignal::Received()) {
      return absl::CancelledError(absl::StrCat(
          "only the coordinator has ended: the job goes on with the next one "
          "on --run_dir=",
          directory.path));
    }
    state = job.AwaitEnd(absl::Milliseconds(100));
  }
  job.AwaitFarewell(kFarewell);
  if (state == JobState::kFinished) {
    CHARRNN_LOG(INFO) << "report   " << JoinPath(directory.path, "report.html");
    return absl::OkStatus();
  }
  if (state == JobState::kStopped) {
    return absl::CancelledError("the job was stopped, and has saved");
  }
  return state == JobState::kRefused
             ? absl::InvalidArgumentError(job.first_error())
             : absl::InternalError(job.first_error());
}

absl::Status Coordinate(const CommandLine&) {
  FileSystem& files = *FileSystem::Real();
  const bool asks = absl::GetFlag(FLAGS_status) || absl::GetFlag(FLAGS_stop);
  if (absl::GetFlag(FLAGS_status) && absl::GetFlag(FLAGS_stop)) {
    return absl::InvalidArgumentError("--status, --stop: ask for one of them");
  }
  return asks ? Ask(files) : Serve(files);
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"coordinator",
       "Says which workers of several hosts train together, and keeps their "
       "run's folder. --status and --stop ask one that is running.",
       /*arguments=*/""},
      charrnn::Coordinate);
}
