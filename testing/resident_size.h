#ifndef CHARRNN_TESTING_RESIDENT_SIZE_H_
#define CHARRNN_TESTING_RESIDENT_SIZE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace charrnn {

// What a process has in memory, in bytes.
struct ResidentSize {
  // What is not in any file: heap, stacks, what was changed of mapped files.
  int64_t anonymous = 0;
  // Unchanged pages of LibTorch's own libraries, which every program that uses
  // it shares with all others.
  int64_t libtorch = 0;
  // Unchanged pages of all other files, a corpus among them. The system takes
  // them away when it needs the memory.
  int64_t files = 0;

  int64_t total() const { return anonymous + libtorch + files; }
};

// The sum of what /proc/<pid>/smaps says, given its text.
ResidentSize ParseSmaps(absl::string_view smaps);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_RESIDENT_SIZE_H_
