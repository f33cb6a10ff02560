#ifndef CHARRNN_TESTING_MEMORY_GROUP_H_
#define CHARRNN_TESTING_MEMORY_GROUP_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace charrnn {

// A control group of Linux, of either version: processes in it have so much
// memory and no more, the cached pages of files that they are first to read
// included, and no swap. Removed when the object ends, after its processes.
//
//   CHARRNN_ASSIGN_OR_RETURN(const auto group,
//                            MemoryGroup::Create(512 << 20));
//   CHARRNN_RETURN_IF_ERROR(group->Enter(pid));
class MemoryGroup {
 public:
  // Unavailable, saying why, where this process may not make one.
  static absl::StatusOr<std::unique_ptr<MemoryGroup>> Create(
      int64_t limit_bytes);
  ~MemoryGroup();
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  // Moves a process into the group; 0 is this one. What it has in memory
  // already does not count.
  absl::Status Enter(int pid) const;

 private:
  explicit MemoryGroup(std::string folder) : folder_(std::move(folder)) {}

  const std::string folder_;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_MEMORY_GROUP_H_
