#include "testing/small_disk.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

// Runs "$@" with mounts of its own, as whoever may have them.
constexpr char kWithOwnMounts[] =
    "for user in '--user --map-root-user' ''; do\n"
    "  if unshare $user --mount true 2> /dev/null; then\n"
    "    exec unshare $user --mount \"$@\"\n"
    "  fi\n"
    "done\n"
    "echo 'no disk can be mounted here' >&2; exit 77";

}  // namespace

SubprocessResult RunOnASmallDisk(const Workplace& workplace,
                                 absl::string_view folder,
                                 absl::string_view size,
                                 absl::string_view script,
                                 const std::vector<std::string>& command) {
  SubprocessOptions options = workplace.Here(
      {"-c", kWithOwnMounts, "bash", "bash", "-c",
       absl::StrCat("mkdir -p ", folder, " && mount -t tmpfs -o size=", size,
                    " none ", folder, " || exit ", kNoSmallDisk, "\n", script),
       "bash"});
  options.arguments.insert(options.arguments.end(), command.begin(),
                           command.end());
  absl::StatusOr<SubprocessResult> result = RunSubprocess("bash", options);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : SubprocessResult();
}

}  // namespace charrnn
