#ifndef CHARRNN_MODEL_TOKEN_SAMPLER_H_
#define CHARRNN_MODEL_TOKEN_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/config.h"

namespace charrnn {

// Draws the next symbol from one row of logits.
//
// The rule, in this order: logits divided by the temperature (0: the largest
// one is taken); softmax; only the `top_k` most probable symbols, rescaled to
// sum 1; of these the fewest most probable ones whose probabilities reach
// `top_p`, at least one, rescaled again. Equal logits count as ordered by id,
// lower first, so that the result is a function of its arguments.
//
// The work space is kept, so that a draw allocates nothing; hence not safe
// for use by several threads at once.
//
//   TokenSampler sampler(config, vocab.size());
//   CHARRNN_ASSIGN_OR_RETURN(int id, sampler.Sample(logits, uniform));
class TokenSampler {
 public:
  // `config` has passed Validate().
  TokenSampler(const SamplingConfig& config, int vocab_size);

  // The id that `u`, in [0, 1), picks: the kept symbols lie side by side on
  // [0, 1), most probable first, each as wide as its probability.
  // `logits` is [vocab_size]. Internal if one is NaN or plus infinity or if
  // all are minus infinity; minus infinity alone means probability 0.
  absl::StatusOr<int> Sample(absl::Span<const float> logits, double u);

 private:
  // A logit and its id in one number that orders symbols.
  using Key = uint64_t;

  struct Range {
    float smallest;
    float largest;
  };

  // The range of `logits`, or what is wrong with them.
  static absl::StatusOr<Range> RangeOf(absl::Span<const float> logits);

  // Fills keys_ by buckets, those of the largest logits first.
  void FillBuckets(absl::Span<const float> logits, const Range& range);
  // Puts the keys of `bucket` in order.
  void SortBucket(int bucket);

  const double temperature_;
  const int top_k_;  // at most vocab_size
  const double top_p_;
  std::vector<Key> keys_;         // [vocab_size]
  std::vector<uint8_t> buckets_;  // [vocab_size]: that of each id
  std::vector<int> bucket_ends_;  // in keys_
  std::vector<double> weights_;   // [vocab_size]: of those ids that top_k keeps
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_TOKEN_SAMPLER_H_
