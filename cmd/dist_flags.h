#ifndef CHARRNN_CMD_DIST_FLAGS_H_
#define CHARRNN_CMD_DIST_FLAGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "dist/coordinator/credentials.h"
#include "dist/launch_environment.h"

namespace charrnn {

// Which hosts train together, and how they find each other.
struct DistRequest {
  LaunchEnvironment launch;
  int min_hosts = 1;
  int max_hosts = 1;
  // Where the coordinator is; empty: in this process, for this host alone.
  std::string coordinator;
  // Whether this process is to be the coordinator at that address.
  bool starts_coordinator = false;
  bool insecure = false;
  Credentials credentials;
  std::string host_name;  // for people
  std::string address;    // this host's, for other workers; empty: found out
  int nproc = 0;          // 0: auto
  absl::Duration collective_timeout;
  absl::Duration join_window;
};

// Reads the flags of a host that trains with others, and what a launcher such
// as torchrun or srun has set. Possible errors: InvalidArgument, naming the
// flag or variable; what the file system says of a file that one names.
absl::StatusOr<DistRequest> DistRequestFromFlags(FileSystem& files);

// The flags by which a coordinator is called or is one: --token_file,
// --tls_ca, --tls_cert, --tls_key.
absl::StatusOr<Credentials> CredentialsFromFlags(FileSystem& files);

// Whether a coordinator may listen at `address`, "host:port": off loopback it
// wants TLS and a token, or --insecure. FailedPrecondition tells so.
absl::Status CheckExposure(const std::string& address,
                           const Credentials& credentials, bool insecure);

// Of "N" or "MIN:MAX". InvalidArgument names `flag`.
struct HostRange {
  int min = 1;
  int max = 1;
};
absl::StatusOr<HostRange> ParseHostRange(const std::string& flag,
                                         const std::string& value);

// What is set by those flags for a coordinator too.
bool InsecureFromFlags();

}  // namespace charrnn

#endif  // CHARRNN_CMD_DIST_FLAGS_H_
