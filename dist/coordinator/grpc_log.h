#ifndef CHARRNN_DIST_COORDINATOR_GRPC_LOG_H_
#define CHARRNN_DIST_COORDINATOR_GRPC_LOG_H_

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <cstdlib>

namespace charrnn {

// Keeps gRPC and protobuf from writing to stderr, where a user is told what is
// wrong in one line: its errors come back as statuses, too. GRPC_VERBOSITY in
// the environment is obeyed as ever. To be called before gRPC is used first.
inline void SilenceGrpcLog() {
  if (getenv("GRPC_VERBOSITY") != nullptr) return;
  gpr_set_log_verbosity(
      static_cast<gpr_log_severity>(GPR_LOG_SEVERITY_ERROR + 1));
  google::protobuf::SetLogHandler(nullptr);
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_GRPC_LOG_H_
