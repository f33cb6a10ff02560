#include "testing/long_memory_source.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/random.h"

namespace charrnn {
namespace {

constexpr double kMarkRate = 1.0 / 12;
constexpr double kChangeRate = 1.0 / 50;

// Nats, of a choice between two.
double Entropy(double p) {
  return -p * std::log(p) - (1 - p) * std::log(1 - p);
}

}  // namespace

std::string LongMemorySource::Generate(int64_t length, uint64_t seed) const {
  std::string text;
  text.reserve(length);
  char last = 'a';
  for (int64_t t = 0; t < length; ++t) {
    const auto low = static_cast<uint32_t>(t);
    const auto high = static_cast<uint32_t>(t >> 32);
    const PhiloxBlock mark = Philox({low, high, 0, 0}, seed);
    const PhiloxBlock change = Philox({low, high, 1, 0}, seed);
    if (ToUnitDouble(mark[0], mark[1]) >= kMarkRate) {
      text.push_back('x');
      continue;
    }
    if (ToUnitDouble(change[0], change[1]) < kChangeRate) {
      last = last == 'a' ? 'b' : 'a';
    }
    text.push_back(last);
  }
  return text;
}

double LongMemorySource::EntropyRate() const {
  return Entropy(kMarkRate) + kMarkRate * Entropy(kChangeRate);
}

double LongMemorySource::ForgetfulLoss(absl::string_view text,
                                       int seq_len) const {
  double nats = 0;
  size_t num_letters = 0;
  // A chunk's first letter is only an input, or its knowledge of the last mark.
  for (size_t begin = 0; begin + seq_len < text.size(); begin += seq_len) {
    bool knows = text[begin] != 'x';
    for (size_t i = begin + 1; i <= begin + seq_len; ++i) {
      nats += Entropy(kMarkRate);
      if (text[i] != 'x') {
        nats += knows ? Entropy(kChangeRate) : std::log(2);
        knows = true;
      }
      ++num_letters;
    }
  }
  return nats / static_cast<double>(num_letters);
}

}  // namespace charrnn
