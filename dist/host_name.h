#ifndef CHARRNN_DIST_HOST_NAME_H_
#define CHARRNN_DIST_HOST_NAME_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// Whether `host` is a name or address that can be handed on to a shell, ssh or
// gRPC without being taken for something else: letters, digits, '.', '-' and
// '_', beginning with a letter or digit, 253 characters at most; or an IPv6
// address, without brackets. Error: InvalidArgument, which shows the name.
absl::Status CheckHostName(absl::string_view host);

// "host:port"; "[host]:port" of an IPv6 address.
std::string HostPort(absl::string_view host, int port);

// `text`, of unknown origin and length, quoted and on one line, for an error
// message.
std::string Quoted(absl::string_view text);

}  // namespace charrnn

#endif  // CHARRNN_DIST_HOST_NAME_H_
