#ifndef CHARRNN_CMD_COORDINATOR_FLAGS_H_
#define CHARRNN_CMD_COORDINATOR_FLAGS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/membership.h"

namespace charrnn {

// What a job's coordinator has to know, in whichever process it is.
struct JobOptions {
  int min_hosts = 1;
  int max_hosts = 1;
  absl::Duration join_window;
  absl::Duration collective_timeout;

  Membership::Options ForMembership() const;
};

// Reads --nnodes, --join_window and --collective_timeout; without --nnodes the
// job has `num_hosts`. InvalidArgument, naming the flag.
absl::StatusOr<JobOptions> JobFlags(int num_hosts);

// The flags by which a coordinator is called or is one: --token_file,
// --tls_ca, --tls_cert, --tls_key. Possible errors: InvalidArgument, naming the
// flag; what the file system says of a file.
absl::StatusOr<Credentials> CredentialsFromFlags(FileSystem& files);

// Whether `address`, the value of `flag`, is "host:port". InvalidArgument tells
// so, naming the flag. Looks nothing up.
absl::Status CheckAddress(absl::string_view flag, absl::string_view address);

// Whether a coordinator may listen at `address`, "host:port": off loopback it
// wants TLS and a token, or --insecure. FailedPrecondition tells so.
absl::Status CheckExposure(const std::string& address,
                           const Credentials& credentials);

}  // namespace charrnn

#endif  // CHARRNN_CMD_COORDINATOR_FLAGS_H_
