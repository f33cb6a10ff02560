#include "testing/long_memory_source.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

constexpr int64_t kLength = 200'000;

TEST(LongMemorySourceTest, MarksAreRareAndSeldomChange) {
  const std::string text = LongMemorySource().Generate(kLength, 1);
  int64_t marks = 0;
  int64_t changes = 0;
  char last = 'a';
  for (const char letter : text) {
    if (letter == 'x') continue;
    ++marks;
    changes += letter != last;
    last = letter;
  }
  EXPECT_NEAR(static_cast<double>(marks) / kLength, 1.0 / 12, 0.003);
  EXPECT_NEAR(static_cast<double>(changes) / marks, 1.0 / 50, 0.005);
}

TEST(LongMemorySourceTest, SeedsHaveTextsOfTheirOwn) {
  const LongMemorySource source;
  EXPECT_EQ(source.Generate(1000, 1), source.Generate(1000, 1));
  EXPECT_NE(source.Generate(1000, 1), source.Generate(1000, 2));
}

TEST(LongMemorySourceTest, ForgettingCostsTheMoreTheShorterTheChunks) {
  const LongMemorySource source;
  const std::string text = source.Generate(kLength, 1);
  EXPECT_NEAR(source.EntropyRate(), 0.2950, 1e-4);
  EXPECT_GT(source.ForgetfulLoss(text, 8), source.EntropyRate() + 0.03);
  EXPECT_GT(source.ForgetfulLoss(text, 8), source.ForgetfulLoss(text, 64));
  EXPECT_NEAR(source.ForgetfulLoss(text, kLength / 2), source.EntropyRate(),
              0.003);
}

}  // namespace
}  // namespace charrnn
