#ifndef CHARRNN_DATA_TEXT_FILES_H_
#define CHARRNN_DATA_TEXT_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"

namespace charrnn {

// The files that `paths`, files and folders, stand for: a file for itself, a
// folder for all regular files below it, sorted bytewise by their paths. Hidden
// ones, whose names begin with a dot, are left out below a folder, and so is
// what is no file; links to files count, links to folders are not followed.
//
// Possible errors: NotFound for a folder without files; InvalidArgument, naming
// it, for what is, lies in or holds the folder of a shard set or a checkpoint,
// which are no text; those of FileSystem.
absl::StatusOr<std::vector<std::string>> FindTextFiles(
    FileSystem& files, const std::vector<std::string>& paths);

// Whether `output`, which need not exist, lies outside all folders among
// `inputs`, wherever links lead. InvalidArgument names both.
absl::Status CheckOutside(const std::string& output,
                          const std::vector<std::string>& inputs);

}  // namespace charrnn

#endif  // CHARRNN_DATA_TEXT_FILES_H_
