#include "data/chunk_index.h"

#include <algorithm>
#include <cstdint>

#include "base/log.h"

namespace charrnn {

ChunkIndex::ChunkIndex(int64_t begin, int64_t length, int chunk_len, int step)
    : begin_(begin),
      num_chunks_(length <= chunk_len ? 0
                                      : (length - 1 - chunk_len) / step + 1),
      chunk_len_(chunk_len),
      step_(step) {
  CHARRNN_CHECK(begin >= 0 && length >= 0) << begin << ", " << length;
}

ChunkIndex ChunkIndex::Training(int64_t begin, int64_t length, int seq_len,
                                int step) {
  CHARRNN_CHECK(seq_len >= 1 && step >= 0) << seq_len << ", " << step;
  return ChunkIndex(begin, length, seq_len, step == 0 ? seq_len : step);
}

ChunkIndex ChunkIndex::Validation(int64_t begin, int64_t length, int seq_len) {
  CHARRNN_CHECK(seq_len >= 1) << seq_len;
  const int chunk_len = static_cast<int>(
      std::max<int64_t>(1, std::min<int64_t>(seq_len, length - 1)));
  return ChunkIndex(begin, length, chunk_len, chunk_len);
}

int64_t ChunkIndex::offset(int64_t chunk) const {
  CHARRNN_CHECK(chunk >= 0 && chunk < num_chunks_)
      << "chunk " << chunk << " of " << num_chunks_;
  return begin_ + chunk * step_;
}

}  // namespace charrnn
