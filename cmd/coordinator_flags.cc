#include "cmd/coordinator_flags.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/membership.h"
#include "dist/local_address.h"

ABSL_FLAG(std::string, nnodes, "",
          "Hosts that train together: N, or MIN:MAX to begin with MIN of them "
          "and go on as long as so many are left; empty: what the launcher "
          "says, or 1.");
ABSL_FLAG(absl::Duration, join_window, absl::Seconds(30),
          "How long the first start waits for more than MIN hosts, after the "
          "last one that came.");
ABSL_FLAG(absl::Duration, collective_timeout, absl::Seconds(10),
          "How long workers wait for one another, beyond the time that a step "
          "takes them, before they go on without those that are missing.");
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

// How much longer than another's silence a worker that waits for it may take
// to come back.
constexpr absl::Duration kReturn = absl::Seconds(5);

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

absl::Status CheckPositive(const char* flag, absl::Duration value) {
  if (value > absl::ZeroDuration() && value < absl::Hours(24)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, "=", absl::FormatDuration(value),
                   ": must be more than 0 and less than 24h"));
}

}  // namespace

Membership::Options JobOptions::ForMembership() const {
  Membership::Options options;
  options.min_hosts = min_hosts;
  options.max_hosts = max_hosts;
  options.join_window = join_window;
  options.return_deadline = collective_timeout + kReturn;
  return options;
}

absl::StatusOr<JobOptions> JobFlags(int num_hosts) {
  JobOptions job;
  job.min_hosts = num_hosts;
  job.max_hosts = num_hosts;
  if (const std::string hosts = absl::GetFlag(FLAGS_nnodes); !hosts.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(hosts, ':');
    if (parts.size() > 2 || !absl::SimpleAtoi(parts.front(), &job.min_hosts) ||
        !absl::SimpleAtoi(parts.back(), &job.max_hosts) || job.min_hosts < 1 ||
        job.min_hosts > job.max_hosts || job.max_hosts > kMaxHosts) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--nnodes=", hosts,
          ": must be a number of hosts, or MIN:MAX, each at least 1"));
    }
  }
  job.join_window = absl::GetFlag(FLAGS_join_window);
  CHARRNN_RETURN_IF_ERROR(CheckPositive("join_window", job.join_window));
  job.collective_timeout = absl::GetFlag(FLAGS_collective_timeout);
  CHARRNN_RETURN_IF_ERROR(
      CheckPositive("collective_timeout", job.collective_timeout));
  return job;
}

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
  if (!credentials.tls_ca.empty() &&
      !absl::StrContains(credentials.tls_ca, "BEGIN CERTIFICATE")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls_ca=", absl::GetFlag(FLAGS_tls_ca),
                     ": holds no certificate in PEM"));
  }
  for (const char c : credentials.token) {
    if (!absl::ascii_isprint(c)) {
      return absl::InvalidArgumentError(
          "--token_file: a token is one line of printable ASCII characters");
    }
  }
  return credentials;
}

absl::Status CheckAddress(absl::string_view flag, absl::string_view address) {
  absl::Status status = ParseHostPort(address).status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, "=", status.message()));
}

absl::Status CheckExposure(const std::string& address,
                           const Credentials& credentials) {
  if (absl::GetFlag(FLAGS_insecure) || IsLoopback(address)) {
    return absl::OkStatus();
  }
  if (!credentials.token.empty() && !credentials.tls_cert.empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      address,
      ": other machines can reach it: give --tls_cert, --tls_key and "
      "--token_file, or --insecure if all who can are trusted"));
}

}  // namespace charrnn
