#include "dist/coordinator/credentials.h"

#include <cstddef>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::MatchesRegex;

TEST(RandomTokenTest, IsThirtyTwoHexadecimalDigits) {
  for (int i = 0; i < 100; ++i) {
    const std::string token = RandomToken();
    EXPECT_EQ(token.size(), 32);
    EXPECT_THAT(token, MatchesRegex("[0-9a-f]+"));
  }
}

TEST(RandomTokenTest, IsAnotherOneEachTimeAndSoAreItsQuarters) {
  std::set<std::string> quarters;
  for (int i = 0; i < 100; ++i) {
    const std::string token = RandomToken();
    for (size_t at = 0; at < token.size(); at += 8) {
      quarters.insert(token.substr(at, 8));
    }
  }
  // Of 400 numbers of 32 bits one pair is equal once in 50,000 runs.
  EXPECT_GE(quarters.size(), 399);
}

TEST(SameSecretTest, HoldsForEqualOnesOnly) {
  const std::string token = RandomToken();
  EXPECT_TRUE(SameSecret("", ""));
  EXPECT_TRUE(SameSecret(token, std::string(token)));
  EXPECT_FALSE(SameSecret(token, ""));
  EXPECT_FALSE(SameSecret("", token));
  EXPECT_FALSE(SameSecret(token, token + "0"));
  EXPECT_FALSE(SameSecret(token, token.substr(1)));
  EXPECT_TRUE(SameSecret(std::string("a\0b", 3), std::string("a\0b", 3)));
  EXPECT_FALSE(SameSecret(std::string("a\0b", 3), std::string("a\0c", 3)));
}

TEST(SameSecretTest, EachBitCounts) {
  const std::string token = RandomToken();
  for (size_t i = 0; i < token.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = token;
      other[i] = static_cast<char>(other[i] ^ 1 << bit);
      EXPECT_FALSE(SameSecret(token, other)) << i << " " << bit;
    }
  }
}

}  // namespace
}  // namespace charrnn
