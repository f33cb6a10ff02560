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

// Buckets divide the logits below the largest one, so that only the few that a
// draw looks at have to be put in order. In those of the most probable symbols
// there are one or two of them.
constexpr int kBuckets = 64;
constexpr float kBucketsPerNat = 4;

// Falls as `logit` rises, since rounding never changes an order.
int BucketOf(float logit, float largest) {
  return static_cast<int>(std::min((largest - logit) * kBucketsPerNat,
                                   static_cast<float>(kBuckets - 1)));
}

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

absl::StatusOr<float> TokenSampler::Largest(absl::Span<const float> logits) {
  float largest = -std::numeric_limits<float>::infinity();
  for (size_t id = 0; id < logits.size(); ++id) {
    // Not `>`: a NaN fails every comparison.
    if (!(logits[id] <= std::numeric_limits<float>::max())) {
      return absl::InternalError(
          absl::StrCat("cannot sample: the model's logit for symbol ", id,
                       " is ", logits[id], "; its weights are not usable"));
    }
    largest = std::max(largest, logits[id]);
  }
  if (largest < std::numeric_limits<float>::lowest()) {
    return absl::InternalError(
        "cannot sample: every logit of the model is minus infinity; its "
        "weights are not usable");
  }
  return largest;
}

void TokenSampler::FillBuckets(absl::Span<const float> logits, float largest) {
  std::array<int, kBuckets> next = {};
  for (size_t id = 0; id < logits.size(); ++id) {
    const int bucket = BucketOf(logits[id], largest);
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
  std::sort(keys_.begin() + begin, keys_.begin() + bucket_ends_[bucket],
            std::greater<Key>());
}

absl::StatusOr<int> TokenSampler::Sample(absl::Span<const float> logits,
                                         double u) {
  CHARRNN_CHECK(logits.size() == keys_.size())
      << logits.size() << " logits for " << keys_.size() << " symbols";
  CHARRNN_ASSIGN_OR_RETURN(const float largest, Largest(logits));
  if (temperature_ == 0) {
    return static_cast<int>(std::find(logits.begin(), logits.end(), largest) -
                            logits.begin());
  }
  FillBuckets(logits, largest);
  if (top_k_ < static_cast<int>(keys_.size())) {
    // The bucket that they end in is the only one whose order tells which.
    SortBucket(static_cast<int>(
        std::lower_bound(bucket_ends_.begin(), bucket_ends_.end(), top_k_) -
        bucket_ends_.begin()));
  }
  // Not yet divided by its sum; subtracting the largest logit keeps exp()
  // from overflowing.
  const double max_logit = largest;
  const auto weight = [&](Key key) {
    return std::exp((logits[IdOf(key)] - max_logit) / temperature_);
  };
  double mass = 0;
  for (int i = 0; i < top_k_; ++i) mass += weight(keys_[i]);

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
    weights_[taken] = weight(keys_[taken]);
    return weights_[taken++];
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
    const double w = i == taken ? take() : weights_[i];
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
