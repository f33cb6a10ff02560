#ifndef CHARRNN_CMD_PREPARE_VOCAB_H_
#define CHARRNN_CMD_PREPARE_VOCAB_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "data/vocab.h"

namespace charrnn {

// The vocabulary of what a user names by `path`: a shard set's folder, a run's
// or a step's folder, a .safetensors or .pt file, or else a text, whose size
// does not matter and which is read in `encoding`.
//
// Possible errors: InvalidArgument, naming the file, if a text is empty or
// ill-formed; those of ReadShardManifest, FindModelFile and LoadModel; the file
// system's.
absl::StatusOr<Vocab> VocabFrom(FileSystem& files, const std::string& path,
                                Encoding encoding);

}  // namespace charrnn

#endif  // CHARRNN_CMD_PREPARE_VOCAB_H_
