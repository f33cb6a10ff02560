#ifndef CHARRNN_MODEL_GRAINS_H_
#define CHARRNN_MODEL_GRAINS_H_

#include <algorithm>
#include <cstdint>

#include "absl/types/span.h"

namespace charrnn {

// A grain is the unit of summation: a run of rows of the global batch whose
// loss and gradient one thread computes from start to end. What grains add up
// to does not depend on who computed them, because they are summed by a fixed
// tree; so weights come out the same, bit for bit, at every number of threads
// and processes.

// A half-open range of rows, or of grains.
struct IndexRange {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

// How many grains a batch of `rows` rows is cut into: a grain has a row.
inline int64_t NumGrains(int64_t rows, int64_t grains) {
  return std::min(rows, grains);
}

// Rows of grain `grain` of `num_grains`: [grain*rows/G, (grain+1)*rows/G).
inline IndexRange GrainRows(int64_t rows, int64_t num_grains, int64_t grain) {
  return {grain * rows / num_grains, (grain + 1) * rows / num_grains};
}

// Sums `terms` into terms[0] by the fixed tree over their indices, the others
// being used up: round k adds term i + 2^k to term i for each i that is a
// multiple of 2^(k+1). A process that owns a run of grains can so compute each
// partial sum that lies within its run, and another one the rest.
template <typename T>
void TreeSum(absl::Span<T> terms) {
  const size_t n = terms.size();
  for (size_t stride = 1; stride < n; stride *= 2) {
    for (size_t i = 0; i + stride < n; i += 2 * stride) {
      terms[i] += terms[i + stride];
    }
  }
}

// The part of TreeSum(n terms) that lies within the run `own` of them: adds
// what can be added without another one's term. Calls add(i, j) for term i +=
// term j.
template <typename Add>
void TreeSumWithin(int64_t n, IndexRange own, const Add& add) {
  for (int64_t stride = 1; stride < n; stride *= 2) {
    const int64_t pair = 2 * stride;
    for (int64_t i = (own.begin + pair - 1) / pair * pair; i + stride < own.end;
         i += pair) {
      if (std::min(i + pair, n) <= own.end) add(i, i + stride);
    }
  }
}

// What is then left of the tree, once all of `shares`, which are neighbours and
// make up [0, n), have done their parts.
template <typename Add>
void TreeSumAcross(int64_t n, absl::Span<const IndexRange> shares,
                   const Add& add) {
  for (int64_t stride = 1; stride < n; stride *= 2) {
    size_t share = 0;
    for (int64_t i = 0; i + stride < n; i += 2 * stride) {
      while (i >= shares[share].end) ++share;
      if (std::min(i + 2 * stride, n) > shares[share].end) add(i, i + stride);
    }
  }
}

// sum[k] += term[k] for k in [begin, end).
void AddArray(const float* term, int64_t begin, int64_t end, float* sum);

// TreeSum, element by element over the arrays that `terms` point to, for the
// elements [begin, end): terms[0] holds the sums afterwards.
void TreeSumArrays(absl::Span<float* const> terms, int64_t begin, int64_t end);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_GRAINS_H_
