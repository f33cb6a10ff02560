#include "model/token_sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "model/config.h"

namespace charrnn {
namespace {

constexpr uint32_t kSignBit = 0x80000000u;

// The larger key is the more probable symbol: above, the logit's bits, mapped
// so that they order as unsigned numbers (IEEE 754 magnitudes already do;
// negative numbers are reversed and put below); underneath, the id's
// complement. Ranking by one integer comparison is several times as fast as
// by pairs, and ties need no thought.
uint64_t ToKey(float logit, uint32_t id) {
  logit += 0.0f;  // minus zero equals zero, so it must not order below it
  uint32_t bits;
  std::memcpy(&bits, &logit, sizeof bits);
  bits ^= (bits & kSignBit) != 0 ? ~0u : kSignBit;
  return uint64_t{bits} << 32 | static_cast<uint32_t>(~id);
}

int IdOf(uint64_t key) { return static_cast<int>(~static_cast<uint32_t>(key)); }

// Buckets divide the range of logits, so that only the few that a draw looks at
// have to be put in order, and seldom more than two or three at a time. What is
// far below the largest logit goes into the last one.
constexpr int kBuckets = 64;
constexpr float kMaxRange = 16;

}  // namespace

TokenSampler::TokenSampler(const SamplingConfig& config, int vocab_size)
    : temperature_(config.temperature),
      top_k_(config.top_k == 0 ? vocab_size
                               : std::min(config.top_k, vocab_size)),
      top_p_(config.top_p),
      keys_(vocab_size),
      buckets_(vocab_size),
      bucket_ends_(kBuckets),
      weights_(vocab_size) {
  CHARRNN_CHECK(vocab_size > 0) << "vocab_size " << vocab_size;
}

absl::StatusOr<TokenSampler::Range> TokenSampler::RangeOf(
    absl::Span<const float> logits) {
  Range range = {std::numeric_limits<float>::infinity(),
                 -std::numeric_limits<float>::infinity()};
  for (size_t id = 0; id < logits.size(); ++id) {
    // Not `>`: a NaN fails every comparison.
    if (!(logits[id] <= std::numeric_limits<float>::max())) {
      return absl::InternalError(
          absl::StrCat("cannot sample: the model's logit for symbol ", id,
                       " is ", logits[id], "; its weights are not usable"));
    }
    range.smallest = std::min(range.smallest, logits[id]);
    range.largest = std::max(range.largest, logits[id]);
  }
  if (range.largest < std::numeric_limits<float>::lowest()) {
    return absl::InternalError(
        "cannot sample: every logit of the model is minus infinity; its "
        "weights are not usable");
  }
  return range;
}

void TokenSampler::FillBuckets(absl::Span<const float> logits,
                               const Range& range) {
  constexpr float kLast = kBuckets - 1;
  // At least a normal number, so that what is multiplied with is finite.
  const float width =
      std::clamp(range.largest - range.smallest,
                 kLast * std::numeric_limits<float>::min(), kMaxRange);
  const float scale = kLast / width;
  std::array<int, kBuckets> next = {};
  for (size_t id = 0; id < logits.size(); ++id) {
    // Never falls as the logit falls, since rounding changes no order.
    const float place = (range.largest - logits[id]) * scale;
    const int bucket = static_cast<int>(std::min(place, kLast));
    buckets_[id] = static_cast<uint8_t>(bucket);
    ++next[bucket];
  }
  int end = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    const int size = next[bucket];
    next[bucket] = end;
    end += size;
    bucket_ends_[bucket] = end;
  }
  for (size_t id = 0; id < logits.size(); ++id) {
    keys_[next[buckets_[id]]++] = ToKey(logits[id], static_cast<uint32_t>(id));
  }
}

void TokenSampler::SortBucket(int bucket) {
  const int begin = bucket == 0 ? 0 : bucket_ends_[bucket - 1];
  if (bucket_ends_[bucket] - begin < 2) return;
  std::sort(keys_.begin() + begin, keys_.begin() + bucket_ends_[bucket],
            std::greater<Key>());
}

absl::StatusOr<int> TokenSampler::Sample(absl::Span<const float> logits,
                                         double u) {
  CHARRNN_CHECK(logits.size() == keys_.size())
      << logits.size() << " logits for " << keys_.size() << " symbols";
  CHARRNN_ASSIGN_OR_RETURN(const Range range, RangeOf(logits));
  if (temperature_ == 0) {
    return static_cast<int>(
        std::find(logits.begin(), logits.end(), range.largest) -
        logits.begin());
  }
  FillBuckets(logits, range);
  if (top_k_ < static_cast<int>(keys_.size())) {
    // The bucket that they end in is the only one whose order tells which.
    SortBucket(static_cast<int>(
        std::lower_bound(bucket_ends_.begin(), bucket_ends_.end(), top_k_) -
        bucket_ends_.begin()));
  }
  // Not yet divided by their sum; subtracting the largest logit keeps exp()
  // from overflowing.
  const double largest = range.largest;
  double mass = 0;
  for (int i = 0; i < top_k_; ++i) {
    const int id = IdOf(keys_[i]);
    weights_[id] = std::exp((logits[id] - largest) / temperature_);
    mass += weights_[id];
  }

  // Gives up the most probable symbols one by one, and few are needed: cheaper
  // than putting all in order.
  int taken = 0;
  int bucket = 0;
  int sorted = 0;
  const auto take = [&] {
    while (taken == sorted) {
      SortBucket(bucket);
      sorted = bucket_ends_[bucket++];
    }
    return weights_[IdOf(keys_[taken++])];
  };
  if (top_p_ < 1) {
    const double enough = top_p_ * mass;
    mass = take();
    while (mass < enough && taken < top_k_) mass += take();
  }
  const int kept = top_p_ < 1 ? taken : top_k_;

  const double target = u * mass;
  double sum = 0;
  int picked = 0;
  for (int i = 0; i < kept; ++i) {
    const double w = i == taken ? take() : weights_[IdOf(keys_[i])];
    // Without top_p, `mass` was summed in another order, and rounding may leave
    // `sum` short of `target`: then it is the last symbol of any probability.
    // With it, the order was this one and `sum` reaches `mass`.
    if (w == 0) break;
    picked = i;
    sum += w;
    if (sum > target) break;
  }
  return IdOf(keys_[picked]);
}

}  // namespace charrnn
