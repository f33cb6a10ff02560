#include "data/batch_plan.h"

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/log.h"
#include "data/chunk_index.h"
#include "data/epoch_plan.h"
#include "data/stream_index.h"

namespace charrnn {

BatchPlan BatchPlan::Shuffled(const ChunkIndex& chunks, int batch_size,
                              uint64_t seed) {
  CHARRNN_CHECK(batch_size >= 1) << batch_size;
  return {chunks, batch_size, chunks.num_chunks() / batch_size, seed};
}

BatchPlan BatchPlan::Streams(const StreamIndex& streams) {
  return {streams, static_cast<int>(streams.num_streams()),
          streams.num_chunks(), /*seed=*/0};
}

int BatchPlan::seq_len(int64_t step) const {
  if (chunks() != nullptr) return chunks()->chunk_len();
  return streams()->chunk_len(step % batches_per_epoch_);
}

int BatchPlan::max_seq_len() const {
  return chunks() != nullptr ? chunks()->chunk_len()
                             : streams()->max_chunk_len();
}

bool BatchPlan::Continues(int64_t step) const {
  return streams() != nullptr && step % batches_per_epoch_ != 0;
}

IdRange BatchPlan::Reach(int first_row, int num_rows) const {
  if (chunks() != nullptr) return {chunks()->begin(), chunks()->end()};
  return {streams()->begin(first_row), streams()->end(first_row + num_rows)};
}

void BatchPlan::Offsets(int64_t step, int first_row,
                        absl::Span<int64_t> offsets) const {
  const int64_t epoch = step / batches_per_epoch_;
  const int64_t batch = step % batches_per_epoch_;
  if (const StreamIndex* const read = streams()) {
    for (size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] = read->offset(first_row + static_cast<int64_t>(i), batch);
    }
    return;
  }
  const EpochPlan order(chunks()->num_chunks(), seed_, epoch);
  const int64_t first = batch * batch_size_ + first_row;
  for (size_t i = 0; i < offsets.size(); ++i) {
    offsets[i] = chunks()->offset(order.Chunk(first + static_cast<int64_t>(i)));
  }
}

}  // namespace charrnn
