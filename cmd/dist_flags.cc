#include "cmd/dist_flags.h"

#include <unistd.h>

#include <array>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/coordinator_flags.h"
#include "dist/launch_environment.h"

ABSL_FLAG(std::string, nproc_per_node, "auto",
          "Workers on this host: a number, or auto: one a GPU, or without one "
          "one a core; no more than the batch has grains.");
ABSL_FLAG(std::string, backend, "auto",
          "How workers exchange gradients: gloo, nccl, or auto: nccl on GPUs "
          "and gloo on CPUs. NCCL wants a GPU for each worker; with gloo they "
          "may share one.");
ABSL_FLAG(std::string, coordinator, "",
          "Where the coordinator of several hosts is, as host:port; empty: "
          "what the launcher says, or none, for one host.");
ABSL_FLAG(std::string, host_name, "",
          "This host's name in messages; empty: what hostname says.");
ABSL_FLAG(std::string, address, "",
          "This host's address as workers on other hosts reach it; empty: that "
          "of the interface on the way to the coordinator.");

namespace charrnn {
namespace {

constexpr int kMaxWorkers = 1 << 12;

std::string HostName() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

}  // namespace

absl::StatusOr<DistRequest> DistRequestFromFlags(FileSystem& files) {
  DistRequest request;
  CHARRNN_ASSIGN_OR_RETURN(request.launch,
                           ReadLaunchEnvironment(CurrentEnvironment()));
  CHARRNN_ASSIGN_OR_RETURN(request.job, JobFlags(request.launch.num_hosts));
  request.coordinator = absl::GetFlag(FLAGS_coordinator);
  if (!request.coordinator.empty()) {
    CHARRNN_RETURN_IF_ERROR(CheckAddress("coordinator", request.coordinator));
  }
  if (request.coordinator.empty() && request.job.max_hosts > 1) {
    request.coordinator = request.launch.coordinator;
    request.starts_coordinator = request.launch.starts_coordinator;
  }
  if (request.coordinator.empty() && request.job.max_hosts > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--nnodes: several hosts need a coordinator: start `coordinator` on "
        "one of them and name it with --coordinator=host:port, or use "
        "`launch`"));
  }
  CHARRNN_ASSIGN_OR_RETURN(request.credentials, CredentialsFromFlags(files));
  request.host_name = absl::GetFlag(FLAGS_host_name);
  if (request.host_name.empty()) request.host_name = HostName();
  request.address = absl::GetFlag(FLAGS_address);
  request.backend = absl::GetFlag(FLAGS_backend);
  if (request.backend != "auto" && request.backend != "gloo" &&
      request.backend != "nccl") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--backend=", request.backend, ": must be auto, gloo or nccl"));
  }
  const std::string nproc = absl::GetFlag(FLAGS_nproc_per_node);
  if (nproc != "auto" && (!absl::SimpleAtoi(nproc, &request.nproc) ||
                          request.nproc < 1 || request.nproc > kMaxWorkers)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--nproc_per_node=", nproc,
                     ": must be auto or a number from 1 to ", kMaxWorkers));
  }
  if (nproc == "auto" && request.launch.local_world_size > 1) {
    request.nproc = 1;  // the launcher starts a process for each
  }
  return request;
}

}  // namespace charrnn
