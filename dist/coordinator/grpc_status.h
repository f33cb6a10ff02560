#ifndef CHARRNN_DIST_COORDINATOR_GRPC_STATUS_H_
#define CHARRNN_DIST_COORDINATOR_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "base/one_line.h"

namespace charrnn {

// gRPC numbers its codes as abseil does. What a status says travels as one
// line: it may name what has come from anywhere.

inline grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()),
          OneLine(status.message())};
}

inline absl::Status FromGrpc(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()),
          status.error_message()};
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_GRPC_STATUS_H_
