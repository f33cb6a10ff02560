#ifndef CHARRNN_DIST_LOCAL_ADDRESS_H_
#define CHARRNN_DIST_LOCAL_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// Where somebody listens, written as host:port.
struct HostPort {
  std::string host;  // a name or a number; of IPv6 without brackets
  int port = 0;      // 0 to 65535
};

// InvalidArgument if `address` is no such thing.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view address);

// This machine's address as the host of `address`, "host:port", would see it:
// of the interface by which packets go there. Sends nothing. Possible errors:
// InvalidArgument if `address` is no such thing or cannot be looked up;
// Unavailable if there is no way there.
absl::StatusOr<std::string> LocalAddressTowards(absl::string_view address);

// Whether `host`, a name or number without a port, is an address of this
// machine's.
bool IsOwnAddress(absl::string_view host);

// Whether nobody but this machine can reach "host:port": a name or number of
// the loopback interface.
bool IsLoopback(absl::string_view address);

// Whether "host:port" is free, and this machine's, to be listened on (TCP).
bool CanListen(absl::string_view address);

}  // namespace charrnn

#endif  // CHARRNN_DIST_LOCAL_ADDRESS_H_
