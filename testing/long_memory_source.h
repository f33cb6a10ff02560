#ifndef CHARRNN_TESTING_LONG_MEMORY_SOURCE_H_
#define CHARRNN_TESTING_LONG_MEMORY_SOURCE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// A source of text that only memory predicts: long runs of "x", and now and
// then, one place in twelve, an "a" or a "b", which is mostly, 49 times in 50,
// the one that came last. Who does not know the last one, because it lies
// further back than he has read, can only guess.
//
//   const LongMemorySource source;
//   const std::string text = source.Generate(100000, /*seed=*/1);
//
// Immutable, and so thread safe.
class LongMemorySource {
 public:
  // The first `length` letters: letter t is a function of (seed, t) and the
  // last "a" or "b" before.
  std::string Generate(int64_t length, uint64_t seed) const;

  // Nats a letter for who remembers all of the text before.
  double EntropyRate() const;

  // The least loss on `text`, nats a letter, that is to be expected of who
  // reads it in chunks of `seq_len` and remembers nothing of the chunk before:
  // each chunk's first "a" or "b" is a guess.
  double ForgetfulLoss(absl::string_view text, int seq_len) const;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_LONG_MEMORY_SOURCE_H_
