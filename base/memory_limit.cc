#include "base/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

// The number in the file at `path`; kNone if there is none, or "max".
int64_t LimitIn(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  int64_t limit = 0;
  return file >> text && absl::SimpleAtoi(text, &limit) ? limit : kNone;
}

// The least limit of the group `group` and those above it, of the hierarchy
// that is mounted at `mount`. Within a container the names may be those of the
// host, of which only the upmost one is there, as the mount itself.
int64_t LeastLimit(const std::string& mount, absl::string_view group,
                   absl::string_view file) {
  int64_t least = LimitIn(absl::StrCat(mount, "/", file));
  while (!group.empty()) {
    least = std::min(least, LimitIn(absl::StrCat(mount, group, "/", file)));
    group = group.substr(0, group.rfind('/'));
  }
  return least;
}

}  // namespace

int64_t ControlGroupLimit(const std::string& root) {
  const std::string mount = absl::StrCat(root, "/sys/fs/cgroup");
  std::ifstream groups(absl::StrCat(root, "/proc/self/cgroup"));
  int64_t least = kNone;
  // "4:memory:/a/b" of version 1, "0::/a/b" of version 2.
  for (std::string line; std::getline(groups, line);) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<absl::string_view> controllers =
        absl::StrSplit(fields[1], ',');
    if (fields[1].empty()) {
      least = std::min(least, LeastLimit(mount, fields[2], "memory.max"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") !=
               controllers.end()) {
      least = std::min(least, LeastLimit(absl::StrCat(mount, "/memory"),
                                         fields[2], "memory.limit_in_bytes"));
    }
  }
  return least;
}

int64_t MemoryLimit() {
  const int64_t machine =
      int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  int64_t least = std::min(machine, ControlGroupLimit(/*root=*/""));
  rlimit address_space;
  if (getrlimit(RLIMIT_AS, &address_space) == 0 &&
      address_space.rlim_cur < static_cast<rlim_t>(least)) {
    least = static_cast<int64_t>(address_space.rlim_cur);
  }
  return least;
}

}  // namespace charrnn
