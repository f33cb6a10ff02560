#ifndef CHARRNN_CMD_DIST_FLAGS_H_
#define CHARRNN_CMD_DIST_FLAGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "cmd/coordinator_flags.h"
#include "dist/coordinator/credentials.h"
#include "dist/launch_environment.h"

namespace charrnn {

// Which hosts train together, and how they find each other.
struct DistRequest {
  LaunchEnvironment launch;
  JobOptions job;
  // Where the coordinator is; empty: in this process, for this host alone.
  std::string coordinator;
  // Whether this process is to be the coordinator at that address.
  bool starts_coordinator = false;
  Credentials credentials;
  std::string host_name;  // for people
  std::string address;    // this host's, for other workers; empty: found out
  int nproc = 0;          // 0: auto
  std::string backend = "auto";  // or "gloo", or "nccl"
};

// Reads the flags of a host that trains with others, and what a launcher such
// as torchrun or srun has set. Possible errors: InvalidArgument, naming the
// flag or variable; what the file system says of a file that one names.
absl::StatusOr<DistRequest> DistRequestFromFlags(FileSystem& files);

}  // namespace charrnn

#endif  // CHARRNN_CMD_DIST_FLAGS_H_
