#include "dist/host_name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

// What the DNS allows.
constexpr size_t kMaxHostName = 253;

bool IsIpv6Address(absl::string_view host) {
  in6_addr address;
  return inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1 &&
         host.find('\0') == absl::string_view::npos;
}

}  // namespace

absl::Status CheckHostName(absl::string_view host) {
  if (host.empty()) return absl::InvalidArgumentError("empty host name");
  if (host.size() > kMaxHostName) {
    return absl::InvalidArgumentError(
        absl::StrCat("host name ", Quoted(host), " is longer than ",
                     kMaxHostName, " characters"));
  }
  if (IsIpv6Address(host)) return absl::OkStatus();
  const auto is_allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '-' || c == '_';
  };
  if (!std::all_of(host.begin(), host.end(), is_allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("host name ", Quoted(host),
                     " has other characters than letters, digits, '.', '-' "
                     "and '_'"));
  }
  if (!absl::ascii_isalnum(static_cast<unsigned char>(host.front()))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "host name ", Quoted(host), " does not begin with a letter or digit"));
  }
  return absl::OkStatus();
}

std::string HostPort(absl::string_view host, int port) {
  return host.find(':') == absl::string_view::npos
             ? absl::StrCat(host, ":", port)
             : absl::StrCat("[", host, "]:", port);
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kShown = 80;
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kShown)),
                      text.size() > kShown ? "...'" : "'");
}

}  // namespace charrnn
