#include "dist/local_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "dist/file_descriptor.h"

namespace charrnn {
namespace {

constexpr int kGreatestPort = 65535;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<Addresses> LookUp(absl::string_view address, int socket_type,
                                 int flags = 0) {
  CHARRNN_ASSIGN_OR_RETURN(const HostPort there, ParseHostPort(address));
  addrinfo hints = {};
  hints.ai_socktype = socket_type;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(
      there.host.c_str(), absl::StrCat(there.port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(address, ": cannot be looked up: ", gai_strerror(error)));
  }
  return Addresses(found, &freeaddrinfo);
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(absl::string_view address) {
  HostPort parsed;
  const size_t colon = address.rfind(':');
  if (colon != absl::string_view::npos) {
    absl::string_view host = address.substr(0, colon);
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    parsed.host = std::string(host);
  }
  // The system would take 65536 for 0.
  if (parsed.host.empty() ||
      !absl::SimpleAtoi(address.substr(colon + 1), &parsed.port) ||
      parsed.port < 0 || parsed.port > kGreatestPort) {
    return absl::InvalidArgumentError(
        absl::StrCat(address, ": must be host:port, with a port of at most ",
                     kGreatestPort));
  }
  return parsed;
}

absl::StatusOr<std::string> LocalAddressTowards(absl::string_view address) {
  CHARRNN_ASSIGN_OR_RETURN(const Addresses addresses,
                           LookUp(address, SOCK_DGRAM));
  std::string why = "no address";
  for (const addrinfo* there = addresses.get(); there != nullptr;
       there = there->ai_next) {
    const FileDescriptor socket_fd(
        socket(there->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage here = {};
    socklen_t size = sizeof(here);
    // Of a datagram socket this only chooses the way.
    if (socket_fd.get() < 0 ||
        connect(socket_fd.get(), there->ai_addr, there->ai_addrlen) != 0 ||
        getsockname(socket_fd.get(), reinterpret_cast<sockaddr*>(&here),
                    &size) != 0) {
      why = strerror(errno);
      continue;
    }
    std::array<char, NI_MAXHOST> name = {};
    if (getnameinfo(reinterpret_cast<sockaddr*>(&here), size, name.data(),
                    name.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      return std::string(name.data());
    }
  }
  return absl::UnavailableError(
      absl::StrCat(address, ": there is no way to it: ", why));
}

bool IsOwnAddress(absl::string_view host) {
  const auto addresses = LookUp(absl::StrCat("[", host, "]:0"), SOCK_DGRAM);
  if (!addresses.ok()) return false;
  for (const addrinfo* own = addresses->get(); own != nullptr;
       own = own->ai_next) {
    const FileDescriptor socket_fd(
        socket(own->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (bind(socket_fd.get(), own->ai_addr, own->ai_addrlen) == 0) return true;
  }
  return false;
}

bool IsLoopback(absl::string_view address) {
  const auto addresses = LookUp(address, SOCK_DGRAM);
  if (!addresses.ok()) return false;
  for (const addrinfo* there = addresses->get(); there != nullptr;
       there = there->ai_next) {
    if (there->ai_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(there->ai_addr);
      constexpr uint32_t kLoopbackNet = 127;
      if (ntohl(in->sin_addr.s_addr) >> 24 != kLoopbackNet) return false;
    } else if (there->ai_family == AF_INET6) {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(there->ai_addr);
      if (!IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr)) return false;
    }
  }
  return true;
}

bool CanListen(absl::string_view address) {
  const auto addresses = LookUp(address, SOCK_STREAM, AI_PASSIVE);
  if (!addresses.ok()) return false;
  for (const addrinfo* here = addresses->get(); here != nullptr;
       here = here->ai_next) {
    const FileDescriptor socket_fd(
        socket(here->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int reuse = 1;
    setsockopt(socket_fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse,
               sizeof(reuse));
    if (bind(socket_fd.get(), here->ai_addr, here->ai_addrlen) == 0 &&
        listen(socket_fd.get(), 1) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace charrnn
