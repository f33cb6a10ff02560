#include "testing/synthetic_corpus.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/random.h"

namespace charrnn {
namespace {

double Entropy(const std::array<double, SyntheticCorpus::kStates>& p) {
  double nats = 0;
  for (const double share : p) nats -= share * std::log(share);
  return nats;
}

// The outcome whose share of [0, 1) holds `unit`.
int Draw(const std::array<double, SyntheticCorpus::kStates>& p, double unit) {
  for (int i = 0; i < SyntheticCorpus::kStates - 1; ++i) {
    unit -= p[i];
    if (unit < 0) return i;
  }
  return SyntheticCorpus::kStates - 1;
}

}  // namespace

SyntheticCorpus::SyntheticCorpus() {
  // Each letter is followed mostly by one of three, at 12 : 6 : 3 to 1 for any
  // other; the three lie at other distances for each letter, so that a letter
  // alone tells little and the one before it much. The total is 12 + 6 + 3 + 7.
  for (int from = 0; from < kStates; ++from) {
    Distribution& next = transitions_[from];
    next.fill(1.0 / 28);
    next[(3 * from + 1) % kStates] = 12.0 / 28;
    next[(3 * from + 2 + from % 3) % kStates] = 6.0 / 28;
    next[(3 * from + 6 + from % 4) % kStates] = 3.0 / 28;
  }
  // Every letter can follow every other, so powers of the transitions converge,
  // by at least 1 - 10/28 each: 100 steps leave less than 1e-19.
  stationary_.fill(1.0 / kStates);
  for (int step = 0; step < 100; ++step) {
    Distribution next = {};
    for (int from = 0; from < kStates; ++from) {
      for (int to = 0; to < kStates; ++to) {
        next[to] += stationary_[from] * transitions_[from][to];
      }
    }
    stationary_ = next;
  }
}

std::string SyntheticCorpus::Generate(int64_t length, uint64_t seed) const {
  std::string text;
  text.reserve(length);
  int state = 0;
  for (int64_t t = 0; t < length; ++t) {
    const PhiloxBlock bits = Philox(
        {static_cast<uint32_t>(t), static_cast<uint32_t>(t >> 32), 0, 0}, seed);
    const Distribution& next = t == 0 ? stationary_ : transitions_[state];
    state = Draw(next, ToUnitDouble(bits[0], bits[1]));
    text.push_back(kLetters[state]);
  }
  return text;
}

double SyntheticCorpus::EntropyRate() const {
  double nats = 0;
  for (int i = 0; i < kStates; ++i) {
    nats += stationary_[i] * Entropy(transitions_[i]);
  }
  return nats;
}

double SyntheticCorpus::LetterEntropy() const { return Entropy(stationary_); }

}  // namespace charrnn
