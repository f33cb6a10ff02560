#ifndef CHARRNN_DATA_PREPARE_H_
#define CHARRNN_DATA_PREPARE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/thread_pool.h"
#include "data/split.h"
#include "data/text_encoder.h"
#include "data/unknown_characters.h"
#include "data/vocab.h"

namespace charrnn {

struct PrepareOptions {
  // Files, whose texts follow one another as cat(1) joins them.
  std::vector<std::string> inputs;

  std::string output;  // the folder to make

  // The vocabulary to use, and what becomes of characters that it lacks. If
  // there is none, it is made of the text: of all bytes, or of the characters
  // that occur at least `min_count` times, and U+FFFD for the rest, if any.
  std::optional<Vocab> vocab;
  UnknownPolicy unknown = UnknownPolicy::kError;
  Encoding encoding = Encoding::kUtf8;
  int64_t min_count = 1;

  SplitFractions fractions;
  int64_t shard_bytes = int64_t{64} << 20;

  // What is read at once, for each thread. Enough for the system to read ahead,
  // and few enough to stay in the cache.
  size_t block_bytes = size_t{256} << 10;

  // Asked now and then; once it is true, the work ends with kCancelled.
  std::function<bool()> stop = [] { return false; };

  // Told after each block how much of the text has been read, in pass 1 or 2
  // of `num_passes`. Calls come one at a time.
  struct Progress {
    int pass = 1;
    int num_passes = 1;
    int64_t bytes = 0;        // in this pass
    int64_t total_bytes = 0;  // of a pass
  };
  std::function<void(const Progress&)> progress = [](const Progress&) {};
};

// What has been made.
struct PrepareResult {
  int64_t text_bytes = 0;
  int64_t num_ids = 0;
  int64_t num_shards = 0;
  int vocab_size = 0;
  bool vocab_has_unknown = false;
  Split split;
  UnknownCharacters unknown;  // what the vocabulary lacked
};

// What can be said against `options` before anything is read: InvalidArgument
// names the flag of a number that is out of range, or of a policy that the
// vocabulary does not allow. Prepare() begins with it.
absl::Status CheckPrepareOptions(const PrepareOptions& options);

// Makes a shard set of texts, in one pass over them, or in two where the
// vocabulary is made of UTF-8; on all threads of `pool`, in memory that does
// not depend on the texts' size. The set appears under its name when it is
// whole; on an error nothing is left, unless the message says that it is whole
// (UnfinishedFolder::Commit).
//
// Possible errors:
//   kInvalidArgument: ill-formed UTF-8, with file and offset; a character that
//     the vocabulary lacks and that may not be; a text that is empty, too small
//     to be split, or of one distinct symbol, or none of whose characters the
//     vocabulary has; those of CheckPrepareOptions; more shards than a
//     ShardWriter makes.
//   kFailedPrecondition: a text has changed between the passes.
//   kResourceExhausted: the disk is full, or will be.
//   kCancelled: stopped.
//   Those of UnfinishedFolder::Begin and FileSystem.
absl::StatusOr<PrepareResult> Prepare(FileSystem& files, ThreadPool& pool,
                                      const PrepareOptions& options);

}  // namespace charrnn

#endif  // CHARRNN_DATA_PREPARE_H_
