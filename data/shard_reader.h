#ifndef CHARRNN_DATA_SHARD_READER_H_
#define CHARRNN_DATA_SHARD_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "data/corpus.h"
#include "data/shard_format.h"

namespace charrnn {

// The manifest of the shard set in `folder`.
//
// Possible errors, all naming the file; the first three are CorpusError()s:
//   kNotFound: there is none: no shard set, or one that was not finished.
//   kDataLoss: it is damaged, or contradicts itself.
//   kUnimplemented: it is of a later version.
//   Those of FileSystem::ReadFile.
absl::StatusOr<ShardManifest> ReadShardManifest(FileSystem& files,
                                                const std::string& folder);

// The shard set in `folder` as a corpus: the ids stay on the disk, mapped into
// memory, and each Read() checks the blocks that it touches. A shard may be
// missing as long as nobody reads it. `files` gives the manifest; the shards
// are the machine's own files. Where their disk fails, or one is cut off since,
// Read() and CheckPresent() return the kUnavailable of MappedFile::Read.
//
// Possible errors, as those of ReadShardManifest, also:
//   kDataLoss: a shard is shorter or longer than the manifest says.
//   kResourceExhausted: there are more shards than the system lets a process
//     map; a CorpusError(), as the one before.
//   Those of MappedFile::Open.
absl::StatusOr<std::unique_ptr<Corpus>> OpenShards(FileSystem& files,
                                                   const std::string& folder);

}  // namespace charrnn

#endif  // CHARRNN_DATA_SHARD_READER_H_
