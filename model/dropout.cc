#include "model/dropout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/types/span.h"
#include "base/log.h"
#include "base/random.h"

namespace charrnn {

DropoutNumbers::DropoutNumbers(const DropoutKey& key, int layer)
    // The layer shares a counter word with the purpose, which uses low bits.
    : purpose(static_cast<uint32_t>(RandomPurpose::kDropout) |
              static_cast<uint32_t>(layer) << 8),
      philox_key(MixSeed(key.seed, static_cast<uint64_t>(key.step))),
      // The rate is below 1, so that this fits.
      threshold(static_cast<uint32_t>(std::ldexp(key.rate, 32))),
      kept(static_cast<float>(1 / (1 - key.rate))) {}

void FillDropoutMask(const DropoutKey& key, int layer, int64_t rows,
                     int64_t times, int64_t units, absl::Span<float> mask) {
  CHARRNN_CHECK(static_cast<int64_t>(mask.size()) == rows * times * units)
      << mask.size() << " elements for [" << rows << ", " << times << ", "
      << units << "]";
  const DropoutNumbers numbers(key, layer);
  float* out = mask.data();
  for (int64_t row = 0; row < rows; ++row) {
    const auto global_row = static_cast<uint32_t>(key.first_row + row);
    for (int64_t time = 0; time < times; ++time) {
      for (int64_t unit = 0; unit < units; unit += 4) {
        const PhiloxBlock random =
            Philox({static_cast<uint32_t>(unit / 4),
                    static_cast<uint32_t>(time), global_row, numbers.purpose},
                   numbers.philox_key);
        const int64_t count = std::min<int64_t>(4, units - unit);
        for (int64_t i = 0; i < count; ++i) {
          *out++ = random[i] < numbers.threshold ? 0.0f : numbers.kept;
        }
      }
    }
  }
}

}  // namespace charrnn
