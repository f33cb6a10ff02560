#include "cmd/job_request.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/one_line.h"
#include "base/status_macros.h"
#include "base/stop_signal.h"
#include "cmd/run_config.h"
#include "cmd/training_flags.h"
#include "data/corpus.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "model/manifest.h"
#include "model/model_snapshot.h"
#include "model/training_plan.h"

ABSL_DECLARE_FLAG(bool, allow_changes);
ABSL_DECLARE_FLAG(std::string, tls_ca);

namespace charrnn {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(5);
constexpr absl::Duration kDownloadTimeout = absl::Minutes(10);
constexpr absl::Duration kRetry = absl::Milliseconds(250);

absl::StatusOr<wire::OpenRunResponse> OpenRun(CoordinatorClient& client,
                                              absl::Duration patience) {
  const absl::Duration end = Clock::Real()->Elapsed() + patience;
  bool said = false;
  while (true) {
    auto response = client.OpenRun(wire::OpenRunRequest(), kCallTimeout);
    if (response.ok() || !(absl::IsUnavailable(response.status()) ||
                           absl::IsDeadlineExceeded(response.status()))) {
      return response;
    }
    if (Clock::Real()->Elapsed() >= end) {
      return absl::UnavailableError(absl::StrCat(
          client.address(),
          ": no coordinator answers there: ", response.status().message()));
    }
    if (!said) {
      said = true;
      CHARRNN_LOG(INFO) << client.address()
                        << ": no coordinator answers there yet"
                        << (absl::GetFlag(FLAGS_tls_ca).empty()
                                ? ", or it wants --tls_ca: "
                                : ": ")
                        << "waiting for it ("
                        << OneLine(response.status().message()) << ")";
    }
    if (StopSignal::Received()) {
      return absl::CancelledError(absl::StrCat(
          client.address(), ": stopped while no coordinator answered there"));
    }
    absl::SleepFor(kRetry);
  }
}

// The model of the job's newest checkpoint.
absl::StatusOr<ModelSnapshot> NewestModel(CoordinatorClient& client,
                                          int64_t step) {
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<CheckpointFile> files,
                           client.GetCheckpoint(step, kDownloadTimeout));
  for (const CheckpointFile& file : files) {
    if (file.name == kModelFileName) return DecodeModel(file.bytes);
  }
  return absl::DataLossError("the job's checkpoint has no model");
}

// What the job has, and `newest`, if it has a checkpoint.
absl::StatusOr<wire::OpenRunResponse> OpenJob(
    CoordinatorClient& client, absl::Duration patience,
    std::optional<ModelSnapshot>& newest) {
  const absl::Duration end = Clock::Real()->Elapsed() + patience;
  while (true) {
    CHARRNN_ASSIGN_OR_RETURN(wire::OpenRunResponse job,
                             OpenRun(client, patience));
    if (job.config_json().empty() || job.committed_step() == 0) return job;
    absl::StatusOr<ModelSnapshot> model =
        NewestModel(client, job.committed_step());
    if (model.ok()) {
      newest = *std::move(model);
      return job;
    }
    // Another one may have taken its place.
    const bool may_pass =
        MayPass(model.status()) || absl::IsNotFound(model.status());
    if (!may_pass || StopSignal::Received() ||
        Clock::Real()->Elapsed() >= end) {
      return model.status();
    }
    absl::SleepFor(kRetry);
  }
}

}  // namespace

absl::StatusOr<JobRequest> RequestFromJob(FileSystem& files,
                                          CoordinatorClient& client,
                                          absl::Duration patience,
                                          std::set<std::string> typed,
                                          const std::string& device) {
  std::optional<ModelSnapshot> newest;
  CHARRNN_ASSIGN_OR_RETURN(const wire::OpenRunResponse job,
                           OpenJob(client, patience, newest));
  JobRequest request;
  request.jobs_config_json = job.config_json();
  request.is_the_jobs = !job.config_json().empty() && !job.may_change();
  const std::set<std::string> typed_now = typed;
  if (!job.config_json().empty()) {
    CHARRNN_RETURN_IF_ERROR(TakeOverFlags(job.config_json(), typed));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      request.training,
      TrainingRequestFromFlags(files, typed,
                               newest.has_value() ? &*newest : nullptr));
  if (newest.has_value() && job.may_change()) {
    CHARRNN_ASSIGN_OR_RETURN(
        const std::vector<std::string> notes,
        CompareWithRun(job.config_json(), request.training, device,
                       absl::GetFlag(FLAGS_allow_changes)));
    CHARRNN_ASSIGN_OR_RETURN(const TrainingPlan plan,
                             MakeTrainingPlan(request.training.training,
                                              request.training.corpus->size()));
    CHARRNN_RETURN_IF_ERROR(CheckLimits(request.training.training, plan,
                                        typed_now, job.committed_step()));
    request.training.notes.insert(request.training.notes.end(), notes.begin(),
                                  notes.end());
  }
  request.config_json = RunConfigJson(request.training, typed, device);
  return request;
}

}  // namespace charrnn
