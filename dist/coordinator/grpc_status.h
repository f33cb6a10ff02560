#ifndef CHARRNN_DIST_COORDINATOR_GRPC_STATUS_H_
#define CHARRNN_DIST_COORDINATOR_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace charrnn {

// gRPC numbers its codes as abseil does.

inline grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message())};
}

inline absl::Status FromGrpc(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()),
          status.error_message()};
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_GRPC_STATUS_H_
