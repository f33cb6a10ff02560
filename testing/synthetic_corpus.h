#ifndef CHARRNN_TESTING_SYNTHETIC_CORPUS_H_
#define CHARRNN_TESTING_SYNTHETIC_CORPUS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// A source of text whose entropy is known exactly: a Markov chain over ten
// letters, each of which says how likely its successors are. No model can be
// better than the entropy in the long run, and one that learns reaches it.
//
//   const SyntheticCorpus source;
//   const std::string text = source.Generate(100000, /*seed=*/1);
//   ... train on text ...
//   EXPECT_NEAR(validation_loss, source.EntropyRate(), 0.02);
//
// Immutable, and so thread safe.
class SyntheticCorpus {
 public:
  // The letters, in the order of the chain's states.
  static constexpr absl::string_view kLetters = "abcdefghij";
  static constexpr int kStates = 10;

  SyntheticCorpus();

  // The first `length` letters of the chain, begun in its stationary
  // distribution: letter t is a function of (seed, t) and the letter before.
  std::string Generate(int64_t length, uint64_t seed) const;

  // Nats a letter, given the one before: sum_i pi_i sum_j -p_ij ln p_ij over
  // the transition probabilities p and their stationary distribution pi
  // (Cover and Thomas, Elements of Information Theory, theorem 4.2.4).
  double EntropyRate() const;

  // Nats a letter for who does not look at the one before: sum_i -pi_i ln pi_i.
  double LetterEntropy() const;

 private:
  using Distribution = std::array<double, kStates>;

  std::array<Distribution, kStates> transitions_;  // from, to
  Distribution stationary_;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_SYNTHETIC_CORPUS_H_
