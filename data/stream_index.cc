#include "data/stream_index.h"

#include <algorithm>
#include <cstdint>

#include "base/log.h"

namespace charrnn {
namespace {

// Ids of `length` that have one before them in the same range.
int64_t NumTargets(int64_t length) { return std::max<int64_t>(0, length - 1); }

}  // namespace

StreamIndex::StreamIndex(int64_t begin, int64_t length, int64_t num_streams,
                         int seq_len)
    : begin_(begin),
      num_streams_(num_streams),
      stream_len_(NumTargets(length) / num_streams),
      num_unread_(NumTargets(length) % num_streams),
      seq_len_(seq_len) {
  CHARRNN_CHECK(begin >= 0 && length >= 0 && num_streams >= 1 && seq_len >= 1)
      << begin << ", " << length << ", " << num_streams << ", " << seq_len;
}

int64_t StreamIndex::num_chunks() const {
  return (stream_len_ + seq_len_ - 1) / seq_len_;
}

int StreamIndex::chunk_len(int64_t chunk) const {
  CHARRNN_CHECK(chunk >= 0 && chunk < num_chunks())
      << "chunk " << chunk << " of " << num_chunks();
  return static_cast<int>(
      std::min<int64_t>(seq_len_, stream_len_ - chunk * seq_len_));
}

int StreamIndex::max_chunk_len() const {
  return static_cast<int>(std::min<int64_t>(seq_len_, stream_len_));
}

int64_t StreamIndex::offset(int64_t stream, int64_t chunk) const {
  CHARRNN_CHECK(stream >= 0 && stream < num_streams_)
      << "stream " << stream << " of " << num_streams_;
  CHARRNN_CHECK(chunk >= 0 && chunk < num_chunks())
      << "chunk " << chunk << " of " << num_chunks();
  return begin_ + stream * stream_len_ + chunk * seq_len_;
}

}  // namespace charrnn
