// Where the chunks lie that a model is trained or validated on.

#ifndef CHARRNN_DATA_CHUNK_INDEX_H_
#define CHARRNN_DATA_CHUNK_INDEX_H_

#include <cstdint>

namespace charrnn {

// Cuts ids [begin, begin + length) into chunks of `chunk_len()` inputs. The
// targets are the inputs shifted by one, so a chunk spans chunk_len() + 1 ids.
// A function of a few numbers, not a list; a copyable value.
//
//   ChunkIndex chunks = ChunkIndex::Training(0, split.train_size, 128, 0);
//   corpus.Read(chunks.offset(7), inputs);       // [chunk_len()]
//   corpus.Read(chunks.offset(7) + 1, targets);  // [chunk_len()]
class ChunkIndex {
 public:
  // Chunks of `seq_len` >= 1 inputs, their beginnings `step` ids apart; 0
  // stands for seq_len, which neither overlaps nor leaves gaps. None if
  // `length` <= seq_len, else (length - 1 - seq_len) / step + 1.
  static ChunkIndex Training(int64_t begin, int64_t length, int seq_len,
                             int step);

  // Chunks that never overlap, so that each target counts once. A part that is
  // shorter than one chunk is one short chunk of length - 1 inputs; a part of
  // fewer than two ids has none.
  static ChunkIndex Validation(int64_t begin, int64_t length, int seq_len);

  int64_t num_chunks() const { return num_chunks_; }

  // The corpus offset of the first input of `chunk`, in [0, num_chunks()).
  int64_t offset(int64_t chunk) const;

  // All chunks lie within ids [begin(), end()).
  int64_t begin() const { return begin_; }
  int64_t end() const { return num_chunks_ == 0 ? begin_ : Last() + 1; }

  // Inputs, and so targets, in a chunk.
  int chunk_len() const { return chunk_len_; }

 private:
  ChunkIndex(int64_t begin, int64_t length, int chunk_len, int step);

  // The last target of the last chunk.
  int64_t Last() const {
    return begin_ + (num_chunks_ - 1) * step_ + chunk_len_;
  }

  int64_t begin_;
  int64_t num_chunks_;
  int chunk_len_;
  int step_;
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_CHUNK_INDEX_H_
