// Environment variables of unknown origin, one a line.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "dist/launch_environment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::LaunchEnvironment;
  std::map<std::string, std::string> variables;
  for (const absl::string_view line : absl::StrSplit(
           absl::string_view(reinterpret_cast<const char*>(data), size),
           '\n')) {
    variables.insert(absl::StrSplit(line, absl::MaxSplits('=', 1)));
  }
  const absl::StatusOr<LaunchEnvironment> launch =
      charrnn::ReadLaunchEnvironment(variables);
  if (!launch.ok()) {
    CHARRNN_CHECK(absl::IsInvalidArgument(launch.status()) &&
                  !absl::StrContains(launch.status().message(), '\n'))
        << launch.status();
    return 0;
  }
  CHARRNN_CHECK(launch->host_rank >= 0 && launch->host_rank < launch->num_hosts)
      << launch->description;
  CHARRNN_CHECK(launch->local_rank >= 0 &&
                launch->local_rank < launch->local_world_size &&
                launch->local_world_size <= launch->num_hosts)
      << launch->description;
  const bool is_launched = launch->kind != LaunchEnvironment::Kind::kNone;
  CHARRNN_CHECK(launch->starts_coordinator ==
                (is_launched && launch->host_rank == 0))
      << launch->description;
  CHARRNN_CHECK(launch->coordinator.empty() != is_launched &&
                launch->coordinator.find('-') != 0 &&
                absl::StrContains(launch->coordinator, ':') == is_launched)
      << launch->coordinator;
  return 0;
}
