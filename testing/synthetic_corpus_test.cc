#include "testing/synthetic_corpus.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using testing::StartsWith;

// Nats a group of `size` letters that follow one another, as counted in `text`.
double BlockEntropy(const std::string& text, size_t size) {
  std::map<std::string, int64_t> counts;
  const size_t blocks = text.size() - size + 1;
  for (size_t i = 0; i < blocks; ++i) ++counts[text.substr(i, size)];
  double nats = 0;
  for (const auto& [block, count] : counts) {
    const double share = static_cast<double>(count) / blocks;
    nats -= share * std::log(share);
  }
  return nats;
}

TEST(SyntheticCorpusTest, CountedEntropyApproachesTheExactOne) {
  const SyntheticCorpus source;
  const std::string text = source.Generate(1000000, /*seed=*/1);
  // A count's error is about 1 / sqrt(length).
  constexpr double kError = 3e-3;
  EXPECT_NEAR(BlockEntropy(text, 1), source.LetterEntropy(), kError);
  EXPECT_NEAR(BlockEntropy(text, 2) - BlockEntropy(text, 1),
              source.EntropyRate(), kError);
  // Two letters back tell nothing more.
  EXPECT_NEAR(BlockEntropy(text, 3) - BlockEntropy(text, 2),
              source.EntropyRate(), kError);
}

TEST(SyntheticCorpusTest, TheLetterBeforeTellsMuch) {
  const SyntheticCorpus source;
  EXPECT_GT(source.LetterEntropy() - source.EntropyRate(), 0.4);
}

TEST(SyntheticCorpusTest, HasEveryLetterAndNoOther) {
  const std::string text = SyntheticCorpus().Generate(1000, /*seed=*/1);
  EXPECT_EQ(text.size(), 1000);
  for (const char letter : SyntheticCorpus::kLetters) {
    EXPECT_NE(text.find(letter), std::string::npos) << letter;
  }
  EXPECT_EQ(text.find_first_not_of("abcdefghij"), std::string::npos);
}

TEST(SyntheticCorpusTest, ASeedMeansOneTextAndALongerOneGoesOn) {
  const SyntheticCorpus source;
  EXPECT_EQ(source.Generate(100, 7), SyntheticCorpus().Generate(100, 7));
  EXPECT_NE(source.Generate(100, 7), source.Generate(100, 8));
  EXPECT_THAT(source.Generate(200, 7), StartsWith(source.Generate(100, 7)));
}

}  // namespace
}  // namespace charrnn
