#ifndef CHARRNN_CMD_PREPARE_FLAGS_H_
#define CHARRNN_CMD_PREPARE_FLAGS_H_

#include "absl/status/statusor.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "data/prepare.h"

namespace charrnn {

// What a user of `prepare` asks for.
struct PrepareRequest {
  PrepareOptions options;
  int num_threads = 1;
};

// Reads the flags and arguments, and the vocabulary that they name; finds the
// files.
//
// Possible errors: InvalidArgument and NotFound, naming the flag or the file;
// those of VocabFrom and of the file system.
absl::StatusOr<PrepareRequest> PrepareRequestFromFlags(
    FileSystem& files, const CommandLine& command_line);

}  // namespace charrnn

#endif  // CHARRNN_CMD_PREPARE_FLAGS_H_
