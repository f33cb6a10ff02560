// Where the streams lie that are read side by side.

#ifndef CHARRNN_DATA_STREAM_INDEX_H_
#define CHARRNN_DATA_STREAM_INDEX_H_

#include <cstdint>

namespace charrnn {

// Cuts ids [begin, begin + length) into streams of equal length that follow one
// another, and each of them into chunks of `seq_len` inputs, the last of which
// may be shorter. The targets are the inputs shifted by one; that of a stream's
// last input is the first input of the next stream. So each id but the first is
// a target once, apart from the num_unread() at the end. A copyable value.
//
//   StreamIndex streams(0, split.train_size, /*num_streams=*/128, 128);
//   corpus.Read(streams.offset(5, 7), inputs);       // [chunk_len(7)]
//   corpus.Read(streams.offset(5, 7) + 1, targets);  // [chunk_len(7)]
class StreamIndex {
 public:
  StreamIndex(int64_t begin, int64_t length, int64_t num_streams, int seq_len);

  int64_t num_streams() const { return num_streams_; }

  // Inputs, and so targets, in a stream: (length - 1) / num_streams.
  int64_t stream_len() const { return stream_len_; }

  // Ids at the end that are no target: (length - 1) mod num_streams.
  int64_t num_unread() const { return num_unread_; }

  // Chunks in a stream; none if a stream has nothing to predict.
  int64_t num_chunks() const;

  // Inputs in chunk `chunk`, in [0, num_chunks()), of each stream.
  int chunk_len(int64_t chunk) const;

  // The most inputs that a chunk has.
  int max_chunk_len() const;

  // Streams [first, last) lie within ids [begin(first), end(last)): the targets
  // of the last one included.
  int64_t begin(int64_t first = 0) const {
    return begin_ + first * stream_len_;
  }
  int64_t end(int64_t last) const {
    return begin(last) + (stream_len_ > 0 ? 1 : 0);
  }
  int64_t end() const { return end(num_streams_); }

  // The corpus offset of the first input of a stream's chunk.
  int64_t offset(int64_t stream, int64_t chunk) const;

 private:
  int64_t begin_;
  int64_t num_streams_;
  int64_t stream_len_;
  int64_t num_unread_;
  int seq_len_;
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_STREAM_INDEX_H_
