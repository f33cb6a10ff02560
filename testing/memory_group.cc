#include "testing/memory_group.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

constexpr char kVersion1[] = "/sys/fs/cgroup/memory";
constexpr char kVersion2[] = "/sys/fs/cgroup";

// Writes to a file of the kernel's, which is there already.
absl::Status Set(const std::string& folder, absl::string_view name,
                 absl::string_view value) {
  FileSystem& files = *FileSystem::Real();
  const std::string path = JoinPath(folder, name);
  // A group is a folder that has such files; another folder would get them.
  if (!files.Exists(path)) {
    return absl::UnavailableError(absl::StrCat("there is no ", path));
  }
  CHARRNN_ASSIGN_OR_RETURN(const auto file,
                           files.OpenForWrite(path, WriteMode::kAppend));
  return file->Append(value);
}

// The group that this process is in, as /proc has it under `controllers`.
std::string OwnGroup(absl::string_view controllers) {
  const auto groups = FileSystem::Real()->ReadFile("/proc/self/cgroup");
  if (!groups.ok()) return "";
  for (const absl::string_view line : absl::StrSplit(*groups, '\n')) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() == 3 && parts[1] == controllers) {
      return std::string(parts[2]);
    }
  }
  return "";
}

absl::Status SetLimit(const std::string& folder, int64_t limit_bytes) {
  const std::string limit = absl::StrCat(limit_bytes);
  if (absl::StartsWith(folder, kVersion1)) {
    CHARRNN_RETURN_IF_ERROR(Set(folder, "memory.limit_in_bytes", limit));
    // Memory and swap together, where the kernel counts swap.
    Set(folder, "memory.memsw.limit_in_bytes", limit).IgnoreError();
    return Set(folder, "memory.swappiness", "0");
  }
  CHARRNN_RETURN_IF_ERROR(Set(folder, "memory.max", limit));
  Set(folder, "memory.swap.max", "0").IgnoreError();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryGroup>> MemoryGroup::Create(
    int64_t limit_bytes) {
  // Whoever may not make a group at the top may have a part of their own.
  const bool version1 = FileSystem::Real()->Exists(
      absl::StrCat(kVersion1, "/memory.limit_in_bytes"));
  const std::string top = version1 ? kVersion1 : kVersion2;
  const std::vector<std::string> parents = {
      top, absl::StrCat(top, OwnGroup(version1 ? "memory" : ""))};
  absl::Status status;
  for (const std::string& parent : parents) {
    std::string folder = JoinPath(parent, "charrnn-XXXXXX");
    if (mkdtemp(folder.data()) == nullptr) {
      status = absl::ErrnoToStatus(errno, absl::StrCat(parent, ": no group"));
      continue;
    }
    std::unique_ptr<MemoryGroup> group(new MemoryGroup(std::move(folder)));
    status = SetLimit(group->folder_, limit_bytes);
    if (status.ok()) return group;
  }
  return absl::UnavailableError(
      absl::StrCat("memory cannot be limited here: ", status.message()));
}

MemoryGroup::~MemoryGroup() { rmdir(folder_.c_str()); }

absl::Status MemoryGroup::Enter(int pid) const {
  return Set(folder_, "cgroup.procs", absl::StrCat(pid));
}

}  // namespace charrnn
