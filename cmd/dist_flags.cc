#include "cmd/dist_flags.h"

#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "dist/coordinator/credentials.h"
#include "dist/launch_environment.h"
#include "dist/local_address.h"

ABSL_FLAG(std::string, nnodes, "",
          "Hosts that train together: N, or MIN:MAX to begin with MIN of them "
          "and go on as long as so many are left; empty: what the launcher "
          "says, or 1.");
ABSL_FLAG(std::string, nproc_per_node, "auto",
          "Workers on this host: a number, or auto: one a GPU, or without one "
          "one a core; no more than the batch has grains.");
ABSL_FLAG(std::string, coordinator, "",
          "Where the coordinator of several hosts is, as host:port; empty: "
          "what the launcher says, or none, for one host.");
ABSL_FLAG(std::string, host_name, "",
          "This host's name in messages; empty: what hostname says.");
ABSL_FLAG(std::string, address, "",
          "This host's address as workers on other hosts reach it; empty: that "
          "of the interface on the way to the coordinator.");
ABSL_FLAG(absl::Duration, collective_timeout, absl::Seconds(10),
          "How long workers wait for one another, beyond the time that a step "
          "takes them, before they go on without those that are missing.");
ABSL_FLAG(absl::Duration, join_window, absl::Seconds(30),
          "How long the first start waits for more than MIN hosts, after the "
          "last one that came.");
ABSL_FLAG(std::string, token_file, "",
          "File with the job's secret, which all its hosts and its coordinator "
          "must have.");
ABSL_FLAG(
    std::string, tls_ca, "",
    "File with the certificate (PEM) of who has signed the coordinator's; "
    "empty: calls are not encrypted.");
ABSL_FLAG(std::string, tls_cert, "",
          "File with the coordinator's certificate (PEM).");
ABSL_FLAG(std::string, tls_key, "",
          "File with the key of the coordinator's certificate (PEM).");
ABSL_FLAG(bool, insecure, false,
          "Let the coordinator be reached by other machines without TLS or "
          "without a token.");

namespace charrnn {
namespace {

constexpr int kMaxHosts = 1 << 16;
constexpr int kMaxWorkers = 1 << 12;

absl::StatusOr<std::string> ReadFlagFile(FileSystem& files, const char* flag,
                                         const std::string& path) {
  if (path.empty()) return std::string();
  auto text = files.ReadFile(UserPath(path));
  CHARRNN_RETURN_IF_ERROR(Annotate(text.status(), absl::StrCat("--", flag)));
  if (absl::StripAsciiWhitespace(*text).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, ": ", path, ": the file is empty"));
  }
  return *std::move(text);
}

std::string HostName() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

absl::Status CheckPositive(const char* flag, absl::Duration value) {
  if (value > absl::ZeroDuration() && value < absl::Hours(24)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, "=", absl::FormatDuration(value),
                   ": must be more than 0 and less than 24h"));
}

}  // namespace

absl::StatusOr<HostRange> ParseHostRange(const std::string& flag,
                                         const std::string& value) {
  const std::vector<std::string> parts = absl::StrSplit(value, ':');
  HostRange range;
  if (parts.size() <= 2 && absl::SimpleAtoi(parts.front(), &range.min) &&
      absl::SimpleAtoi(parts.back(), &range.max) && range.min >= 1 &&
      range.min <= range.max && range.max <= kMaxHosts) {
    return range;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, "=", value,
                   ": must be a number of hosts, or MIN:MAX, each at least 1"));
}

bool InsecureFromFlags() { return absl::GetFlag(FLAGS_insecure); }

absl::StatusOr<Credentials> CredentialsFromFlags(FileSystem& files) {
  Credentials credentials;
  CHARRNN_ASSIGN_OR_RETURN(
      credentials.token,
      ReadFlagFile(files, "token_file", absl::GetFlag(FLAGS_token_file)));
  absl::StripAsciiWhitespace(&credentials.token);
  CHARRNN_ASSIGN_OR_RETURN(
      credentials.tls_ca,
      ReadFlagFile(files, "tls_ca", absl::GetFlag(FLAGS_tls_ca)));
  CHARRNN_ASSIGN_OR_RETURN(
      credentials.tls_cert,
      ReadFlagFile(files, "tls_cert", absl::GetFlag(FLAGS_tls_cert)));
  CHARRNN_ASSIGN_OR_RETURN(
      credentials.tls_key,
      ReadFlagFile(files, "tls_key", absl::GetFlag(FLAGS_tls_key)));
  for (const char c : credentials.token) {
    if (!absl::ascii_isprint(c)) {
      return absl::InvalidArgumentError(
          "--token_file: a token is one line of printable ASCII characters");
    }
  }
  return credentials;
}

absl::Status CheckExposure(const std::string& address,
                           const Credentials& credentials, bool insecure) {
  if (insecure || IsLoopback(address)) return absl::OkStatus();
  if (!credentials.token.empty() && !credentials.tls_cert.empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      address,
      ": other machines can reach it: give --tls_cert, --tls_key and "
      "--token_file, or --insecure if all who can are trusted"));
}

absl::StatusOr<DistRequest> DistRequestFromFlags(FileSystem& files) {
  DistRequest request;
  CHARRNN_ASSIGN_OR_RETURN(request.launch,
                           ReadLaunchEnvironment(CurrentEnvironment()));
  const std::string nnodes = absl::GetFlag(FLAGS_nnodes);
  request.min_hosts = request.launch.num_hosts;
  request.max_hosts = request.launch.num_hosts;
  if (!nnodes.empty()) {
    CHARRNN_ASSIGN_OR_RETURN(const HostRange range,
                             ParseHostRange("nnodes", nnodes));
    request.min_hosts = range.min;
    request.max_hosts = range.max;
  }
  request.coordinator = absl::GetFlag(FLAGS_coordinator);
  if (request.coordinator.empty() && request.max_hosts > 1) {
    request.coordinator = request.launch.coordinator;
    request.starts_coordinator = request.launch.starts_coordinator;
  }
  if (request.coordinator.empty() && request.max_hosts > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--nnodes=", nnodes,
        ": several hosts need a coordinator: start `coordinator` on one of "
        "them and name it with --coordinator=host:port, or use `launch`"));
  }
  CHARRNN_ASSIGN_OR_RETURN(request.credentials, CredentialsFromFlags(files));
  request.insecure = absl::GetFlag(FLAGS_insecure);
  request.host_name = absl::GetFlag(FLAGS_host_name);
  if (request.host_name.empty()) request.host_name = HostName();
  request.address = absl::GetFlag(FLAGS_address);
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
  request.collective_timeout = absl::GetFlag(FLAGS_collective_timeout);
  CHARRNN_RETURN_IF_ERROR(
      CheckPositive("collective_timeout", request.collective_timeout));
  request.join_window = absl::GetFlag(FLAGS_join_window);
  CHARRNN_RETURN_IF_ERROR(CheckPositive("join_window", request.join_window));
  return request;
}

}  // namespace charrnn
