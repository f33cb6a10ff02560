// What of a corpus is trained on, and what is held back.

#ifndef CHARRNN_DATA_SPLIT_H_
#define CHARRNN_DATA_SPLIT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace charrnn {

// The shares of a corpus, at its end, that training never reads.
struct SplitFractions {
  double validation = 0;  // in [0, 1)
  double test = 0;        // in [0, 1); behind the validation part
};

// kInvalidArgument, naming the flag, if a fraction is outside [0, 1), or if
// they leave nothing to train on.
absl::Status CheckSplitFractions(const SplitFractions& fractions);

// A corpus in three: training is ids [0, train_size), then comes validation,
// then test, which may be empty.
struct Split {
  int64_t train_size = 0;
  int64_t validation_size = 0;
  int64_t test_size = 0;
};

// Splits `n` ids; validation gets max(1, (int64_t)(n * fraction)), test
// (int64_t)(n * fraction).
//
// Possible errors:
//   kInvalidArgument: those of CheckSplitFractions; or fewer than two ids are
//     left to train on, the least that make an input and its target.
absl::StatusOr<Split> SplitCorpus(int64_t n, const SplitFractions& fractions);

}  // namespace charrnn

#endif  // CHARRNN_DATA_SPLIT_H_
