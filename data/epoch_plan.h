// Which chunk is read when.

#ifndef CHARRNN_DATA_EPOCH_PLAN_H_
#define CHARRNN_DATA_EPOCH_PLAN_H_

#include <cstdint>

#include "base/permutation.h"

namespace charrnn {

// The shuffled order of one epoch's chunks, as a function of (seed, epoch): it
// takes no memory, every process computes the same one, and a resumed run
// enters it at any position. Each chunk comes exactly once. A copyable value.
//
//   EpochPlan plan(chunks.num_chunks(), seed, epoch);
//   int64_t first = plan.Chunk(0);
class EpochPlan {
 public:
  EpochPlan(int64_t num_chunks, uint64_t seed, int64_t epoch);

  // The chunk at `position`, which is in [0, num_chunks).
  int64_t Chunk(int64_t position) const;

 private:
  int64_t num_chunks_;
  FeistelPermutation order_;
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_EPOCH_PLAN_H_
