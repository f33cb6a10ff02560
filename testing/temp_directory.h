#ifndef CHARRNN_TESTING_TEMP_DIRECTORY_H_
#define CHARRNN_TESTING_TEMP_DIRECTORY_H_

#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// A new, empty directory that is removed with all it holds when the object
// ends. It lies in the folder that Bazel gives a test, or in /tmp. Aborts where
// it cannot be made. Not thread safe.
//
//   const TempDirectory directory;
//   WriteFileAtomically(*FileSystem::Real(), directory.File("a.txt"), "text");
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();

  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  // Absolute, without a slash at the end.
  const std::string& path() const { return path_; }

  // The path of `name` inside; nothing is made.
  std::string File(absl::string_view name) const;

 private:
  std::string path_;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_TEMP_DIRECTORY_H_
