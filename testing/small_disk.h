#ifndef CHARRNN_TESTING_SMALL_DISK_H_
#define CHARRNN_TESTING_SMALL_DISK_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {

// What RunOnASmallDisk ends with where nobody may mount anything.
inline constexpr int kNoSmallDisk = 77;

// Runs a script of bash's where `folder`, which it makes, is a file system of
// its own, of `size` as mount(8) has it, so that the machine's disk need not be
// filled. "$@" is `command`. What the script leaves in the folder is gone when
// it ends.
//
//   RunOnASmallDisk(workplace, "run", "2m", "\"$@\"; echo $?",
//                   {RunfilePath("cmd/train"), "--run_dir=run"});
SubprocessResult RunOnASmallDisk(const Workplace& workplace,
                                 absl::string_view folder,
                                 absl::string_view size,
                                 absl::string_view script,
                                 const std::vector<std::string>& command);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_SMALL_DISK_H_
