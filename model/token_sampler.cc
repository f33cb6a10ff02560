#include "model/token_sampler.h"

#include <algorithm>
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

}  // namespace

TokenSampler::TokenSampler(const SamplingConfig& config, int vocab_size)
    : temperature_(config.temperature),
      top_k_(config.top_k == 0 ? vocab_size
                               : std::min(config.top_k, vocab_size)),
      top_p_(config.top_p),
      keys_(vocab_size) {
  CHARRNN_CHECK(vocab_size > 0) << "vocab_size " << vocab_size;
}

absl::StatusOr<TokenSampler::Key> TokenSampler::MakeKeys(
    absl::Span<const float> logits) {
  CHARRNN_CHECK(logits.size() == keys_.size())
      << logits.size() << " logits for " << keys_.size() << " symbols";
  Key largest = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    // Not `>`: a NaN fails every comparison.
    if (!(logits[id] <= std::numeric_limits<float>::max())) {
      return absl::InternalError(
          absl::StrCat("cannot sample: the model's logit for symbol ", id,
                       " is ", logits[id], "; its weights are not usable"));
    }
    keys_[id] = ToKey(logits[id], static_cast<uint32_t>(id));
    largest = std::max(largest, keys_[id]);
  }
  if (logits[IdOf(largest)] < std::numeric_limits<float>::lowest()) {
    return absl::InternalError(
        "cannot sample: every logit of the model is minus infinity; its "
        "weights are not usable");
  }
  return largest;
}

absl::StatusOr<int> TokenSampler::Sample(absl::Span<const float> logits,
                                         double u) {
  CHARRNN_ASSIGN_OR_RETURN(const Key largest, MakeKeys(logits));
  if (temperature_ == 0) return IdOf(largest);

  const auto begin = keys_.begin();
  const auto end = begin + top_k_;
  if (end != keys_.end()) {
    std::nth_element(begin, end, keys_.end(), std::greater<Key>());
  }
  // Not yet divided by its sum; subtracting the largest logit keeps exp()
  // from overflowing.
  const double max_logit = logits[IdOf(largest)];
  const auto weight = [&](Key key) {
    return std::exp((logits[IdOf(key)] - max_logit) / temperature_);
  };
  double mass = 0;
  for (auto key = begin; key != end; ++key) mass += weight(*key);

  // A heap gives up its most probable symbols one by one, and few are needed:
  // cheaper than sorting. Those taken end up behind `rest`, backwards.
  std::make_heap(begin, end);
  auto rest = end;
  const auto take = [&] {
    std::pop_heap(begin, rest);
    return weight(*--rest);
  };
  if (top_p_ < 1) {
    const double enough = top_p_ * mass;
    mass = take();
    while (mass < enough && rest != begin) mass += take();
  }

  const double target = u * mass;
  double sum = 0;
  Key picked = largest;
  for (auto key = end; key != begin;) {
    const double w = key == rest ? take() : weight(*(key - 1));
    --key;
    // Without top_p, `mass` was summed in another order, and rounding may leave
    // `sum` short of `target`: then it is the last symbol of any probability.
    // With it, the order was this one and `sum` reaches `mass`.
    if (w == 0) break;
    picked = *key;
    sum += w;
    if (sum > target) break;
  }
  return IdOf(picked);
}

}  // namespace charrnn
