// Hostfiles of unknown origin, whose hosts a script hands to ssh.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "dist/host_name.h"
#include "dist/hostfile.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::HostfileEntry;
  const absl::StatusOr<std::vector<HostfileEntry>> entries =
      charrnn::ParseHostfile(
          "hosts",
          absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!entries.ok()) {
    CHARRNN_CHECK(absl::IsInvalidArgument(entries.status()) &&
                  absl::StartsWith(entries.status().message(), "hosts:") &&
                  !absl::StrContains(entries.status().message(), '\n'))
        << entries.status();
    return 0;
  }
  CHARRNN_CHECK(!entries->empty());
  std::set<std::string> hosts;
  std::string again;
  for (const auto& [host, slots] : *entries) {
    CHARRNN_CHECK(charrnn::CheckHostName(host).ok() && host.front() != '-')
        << host;
    CHARRNN_CHECK(slots >= 0 && slots <= charrnn::kMaxSlots) << slots;
    CHARRNN_CHECK(hosts.insert(host).second) << host;
    absl::StrAppend(&again,
                    slots > 0 ? charrnn::HostPort(host, slots)
                    : absl::StrContains(host, ':')
                        ? absl::StrCat("[", host, "]")
                        : host,
                    "\n");
  }
  // What it has understood it understands again.
  const absl::StatusOr<std::vector<HostfileEntry>> same =
      charrnn::ParseHostfile("hosts", again);
  CHARRNN_CHECK(same.ok() && same->size() == entries->size()) << again;
  for (size_t i = 0; i < same->size(); ++i) {
    CHARRNN_CHECK((*same)[i].host == (*entries)[i].host &&
                  (*same)[i].slots == (*entries)[i].slots)
        << again;
  }
  return 0;
}
