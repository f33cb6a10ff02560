// Which ids each step of a run reads.

#ifndef CHARRNN_DATA_BATCH_PLAN_H_
#define CHARRNN_DATA_BATCH_PLAN_H_

#include <cstdint>
#include <variant>

#include "absl/types/span.h"
#include "data/chunk_index.h"
#include "data/stream_index.h"

namespace charrnn {

// Ids [begin, end) of a corpus.
struct IdRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// The rows of every step's batch, as a function of the step: it takes no
// memory, every process computes the same one, and a resumed run enters it at
// any step. Steps are counted from 0 over all epochs. A copyable value.
//
//   const BatchPlan plan = BatchPlan::Shuffled(chunks, /*batch_size=*/128,
//                                              /*seed=*/42);
//   std::vector<int64_t> offsets(128);
//   plan.Offsets(step, /*first_row=*/0, absl::MakeSpan(offsets));
class BatchPlan {
 public:
  // Each epoch reads every chunk once, in the order of EpochPlan; the last,
  // partial batch is dropped.
  static BatchPlan Shuffled(const ChunkIndex& chunks, int batch_size,
                            uint64_t seed);

  // Row r of each batch is the next chunk of stream r; each epoch reads every
  // stream from its beginning to its end.
  static BatchPlan Streams(const StreamIndex& streams);

  // Rows of a batch.
  int batch_size() const { return batch_size_; }

  // 0 if there is not enough for one batch.
  int64_t batches_per_epoch() const { return batches_per_epoch_; }

  // Inputs in each row of a step, and the most that any step has.
  int seq_len(int64_t step) const;
  int max_seq_len() const;

  // Whether the rows of `step` go on in the text where those of the step before
  // it ended.
  bool Continues(int64_t step) const;

  // The corpus offsets of the first inputs of rows [first_row, first_row +
  // offsets.size()).
  void Offsets(int64_t step, int first_row, absl::Span<int64_t> offsets) const;

  // The ids that are read for rows [first_row, first_row + num_rows) of any
  // step.
  IdRange Reach(int first_row, int num_rows) const;

  // What is read, the one or the other; null if it is not that.
  const ChunkIndex* chunks() const { return std::get_if<ChunkIndex>(&parts_); }
  const StreamIndex* streams() const {
    return std::get_if<StreamIndex>(&parts_);
  }

 private:
  BatchPlan(std::variant<ChunkIndex, StreamIndex> parts, int batch_size,
            int64_t batches_per_epoch, uint64_t seed)
      : parts_(parts),
        batch_size_(batch_size),
        batches_per_epoch_(batches_per_epoch),
        seed_(seed) {}

  std::variant<ChunkIndex, StreamIndex> parts_;
  int batch_size_;
  int64_t batches_per_epoch_;
  uint64_t seed_;  // of the shuffle
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_BATCH_PLAN_H_
