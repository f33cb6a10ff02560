#ifndef CHARRNN_DATA_BLOCK_PIPELINE_H_
#define CHARRNN_DATA_BLOCK_PIPELINE_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "data/text_source.h"

namespace charrnn {

// What happens to each block of a text.
struct BlockStages {
  // Fetches the next block; false if there is none. One call at a time.
  absl::FunctionRef<absl::StatusOr<bool>(TextBlock*)> read;

  // Works on a block, beside other workers at other blocks. Worker numbers are
  // below the pool's num_threads(); what `work` leaves for `finish` under its
  // number is its own until then.
  absl::FunctionRef<void(int worker, const TextBlock&)> work;

  // Ends with the block that this worker has worked on. One call at a time, in
  // the order of the blocks.
  absl::FunctionRef<absl::Status(int worker, const TextBlock&)> finish;
};

// Takes a text through `stages`, on all threads of the pool: while one reads,
// another writes and the rest work, each in the memory of one block. The first
// error in the order of the blocks ends it; no later block is finished.
absl::Status RunBlockPipeline(ThreadPool& pool, const BlockStages& stages);

}  // namespace charrnn

#endif  // CHARRNN_DATA_BLOCK_PIPELINE_H_
