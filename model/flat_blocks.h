#ifndef CHARRNN_MODEL_FLAT_BLOCKS_H_
#define CHARRNN_MODEL_FLAT_BLOCKS_H_

#include <algorithm>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "base/thread_pool.h"

namespace charrnn {

// Passes over flat arrays are cut into blocks of this many elements: 64 KiB,
// which leaves room in a core's L2 cache for the few arrays that a pass reads.
// Part of the definition of every blocked sum: another size, other bits.
inline constexpr int64_t kFlatBlock = 16384;

inline int64_t NumFlatBlocks(int64_t size) {
  return (size + kFlatBlock - 1) / kFlatBlock;
}

// Calls f(begin, end) for each block of [0, size), on the pool's threads.
inline void ForEachBlock(ThreadPool& pool, int64_t size,
                         absl::FunctionRef<void(int64_t, int64_t)> f) {
  pool.ParallelFor(NumFlatBlocks(size), [&](int64_t block) {
    const int64_t begin = block * kFlatBlock;
    f(begin, std::min(begin + kFlatBlock, size));
  });
}

}  // namespace charrnn

#endif  // CHARRNN_MODEL_FLAT_BLOCKS_H_
