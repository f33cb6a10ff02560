#include "model/grains.h"

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace charrnn {

void AddArray(const float* term, int64_t begin, int64_t end, float* sum) {
  for (int64_t k = begin; k < end; ++k) sum[k] += term[k];
}

void TreeSumArrays(absl::Span<float* const> terms, int64_t begin, int64_t end) {
  const size_t n = terms.size();
  for (size_t stride = 1; stride < n; stride *= 2) {
    for (size_t i = 0; i + stride < n; i += 2 * stride) {
      AddArray(terms[i + stride], begin, end, terms[i]);
    }
  }
}

}  // namespace charrnn
