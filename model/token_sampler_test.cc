#include "model/token_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "testing/allocations.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingConfig Config(double temperature, int top_k, double top_p) {
  SamplingConfig config;
  config.temperature = temperature;
  config.top_k = top_k;
  config.top_p = top_p;
  return config;
}

int Sample(const SamplingConfig& config, const std::vector<float>& logits,
           double u) {
  TokenSampler sampler(config, static_cast<int>(logits.size()));
  const absl::StatusOr<int> id = sampler.Sample(logits, u);
  EXPECT_THAT(id, IsOk());
  return id.value_or(-1);
}

// The probability of each id that can be picked, from evenly spaced u.
std::map<int, double> Shares(const SamplingConfig& config,
                             const std::vector<float>& logits) {
  constexpr int kDraws = 10'000;
  TokenSampler sampler(config, static_cast<int>(logits.size()));
  std::map<int, double> shares;
  for (int i = 0; i < kDraws; ++i) {
    shares[*sampler.Sample(logits, (i + 0.5) / kDraws)] += 1.0 / kDraws;
  }
  return shares;
}

auto Near(double value) { return ::testing::DoubleNear(value, 2e-4); }

// Logits whose softmax is {0.1, 0.4, 0.2, 0.3}.
const std::vector<float> kLogits = {std::log(0.1f), std::log(0.4f),
                                    std::log(0.2f), std::log(0.3f)};

TEST(TokenSamplerTest, DrawsFromTheSoftmaxWhenNothingIsCutOff) {
  EXPECT_THAT(Shares(Config(1, 0, 1), kLogits),
              ElementsAre(Pair(0, Near(0.1)), Pair(1, Near(0.4)),
                          Pair(2, Near(0.2)), Pair(3, Near(0.3))));
}

TEST(TokenSamplerTest, SharpensAtLowTemperature) {
  // Squared and rescaled: 0.01, 0.16, 0.04, 0.09 of 0.30.
  EXPECT_THAT(Shares(Config(0.5, 0, 1), kLogits),
              ElementsAre(Pair(0, Near(0.01 / 0.3)), Pair(1, Near(0.16 / 0.3)),
                          Pair(2, Near(0.04 / 0.3)), Pair(3, Near(0.3))));
}

TEST(TokenSamplerTest, KeepsTheTopKAndRescales) {
  EXPECT_THAT(Shares(Config(1, 2, 1), kLogits),
              ElementsAre(Pair(1, Near(4.0 / 7)), Pair(3, Near(3.0 / 7))));
}

TEST(TokenSamplerTest, KeepsTheFewestThatReachTopP) {
  EXPECT_THAT(Shares(Config(1, 0, 0.35), kLogits),
              ElementsAre(Pair(1, Near(1))));
  EXPECT_THAT(Shares(Config(1, 0, 0.65), kLogits),
              ElementsAre(Pair(1, Near(4.0 / 7)), Pair(3, Near(3.0 / 7))));
  EXPECT_THAT(Shares(Config(1, 0, 0.75), kLogits),
              ElementsAre(Pair(1, Near(4.0 / 9)), Pair(2, Near(2.0 / 9)),
                          Pair(3, Near(3.0 / 9))));
}

TEST(TokenSamplerTest, KeepsOneSymbolHoweverSmallTopPIs) {
  EXPECT_THAT(Shares(Config(1, 0, 1e-300), kLogits),
              ElementsAre(Pair(1, Near(1))));
}

TEST(TokenSamplerTest, AppliesTopPToWhatTopKHasLeft) {
  // Of 4/7 and 3/7 the first reaches 0.5; of the whole softmax it would not.
  EXPECT_THAT(Shares(Config(1, 2, 0.5), kLogits),
              ElementsAre(Pair(1, Near(1))));
  EXPECT_THAT(Shares(Config(1, 0, 0.5), kLogits),
              ElementsAre(Pair(1, Near(4.0 / 7)), Pair(3, Near(3.0 / 7))));
}

TEST(TokenSamplerTest, TakesTheLargestLogitAtTemperatureZero) {
  for (const double u : {0.0, 0.5, 0.999}) {
    EXPECT_EQ(Sample(Config(0, 0, 1), kLogits, u), 1);
  }
}

TEST(TokenSamplerTest, BreaksTiesByTheLowerId) {
  const std::vector<float> equal = {1, 1, 1, 1};
  EXPECT_EQ(Sample(Config(0, 0, 1), equal, 0.9), 0);
  EXPECT_THAT(Shares(Config(1, 2, 1), equal),
              ElementsAre(Pair(0, Near(0.5)), Pair(1, Near(0.5))));
  EXPECT_THAT(Shares(Config(1, 0, 0.3), equal),
              ElementsAre(Pair(0, Near(0.5)), Pair(1, Near(0.5))));
  EXPECT_EQ(Sample(Config(0, 0, 1), {-0.0f, 0.0f}, 0), 0);
}

TEST(TokenSamplerTest, OrdersNegativeAndPositiveLogits) {
  EXPECT_EQ(Sample(Config(0, 0, 1), {-3, -1, -2}, 0), 1);
  EXPECT_EQ(Sample(Config(0, 0, 1), {-3, 1e-40f, 0}, 0), 1);
  EXPECT_EQ(Sample(Config(0, 0, 1), {2, -5, 3}, 0), 2);
}

TEST(TokenSamplerTest, LaysTheMostProbableSymbolsFirst) {
  const SamplingConfig config = Config(1, 0, 1);
  EXPECT_EQ(Sample(config, kLogits, 0), 1);
  EXPECT_EQ(Sample(config, kLogits, 0.39), 1);
  EXPECT_EQ(Sample(config, kLogits, 0.41), 3);
  EXPECT_EQ(Sample(config, kLogits, 0.71), 2);
  EXPECT_EQ(Sample(config, kLogits, 0.91), 0);
}

TEST(TokenSamplerTest, NeverLeavesTheKeptSymbolsAtTheEdge) {
  const double last = std::nextafter(1.0, 0.0);
  EXPECT_EQ(Sample(Config(1, 0, 0.65), kLogits, last), 3);
  EXPECT_EQ(Sample(Config(1, 2, 1), kLogits, last), 3);
  EXPECT_EQ(Sample(Config(1, 0, 1), {0, -kInfinity, -1e30f}, last), 0);
}

TEST(TokenSamplerTest, SurvivesExtremeTemperaturesAndLogits) {
  const float huge = std::numeric_limits<float>::max();
  EXPECT_EQ(Sample(Config(1e-300, 0, 1), kLogits, 0.99), 1);
  EXPECT_EQ(Sample(Config(1, 0, 1), {-huge, huge, -huge}, 0.99), 1);
  EXPECT_THAT(Shares(Config(1e6, 0, 1), {0, 1}),
              ElementsAre(Pair(0, Near(0.5)), Pair(1, Near(0.5))));
  EXPECT_EQ(Sample(Config(1, 40, 0.9), {7}, 0.5), 0);
}

TEST(TokenSamplerTest, RefusesLogitsThatAreNotNumbers) {
  TokenSampler sampler(Config(1, 0, 1), 2);
  for (const float bad : {kNan, -kNan, kInfinity}) {
    EXPECT_THAT(sampler.Sample({0, bad}, 0.5),
                StatusIs(absl::StatusCode::kInternal, HasSubstr("symbol 1")));
  }
  EXPECT_THAT(sampler.Sample({-kInfinity, -kInfinity}, 0.5),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("every logit")));
  // The work space is as good as new.
  EXPECT_THAT(sampler.Sample({-kInfinity, 0}, 0.5), IsOkAndHolds(1));
}

// The same rule, written as it is told: sort everything, cut, rescale.
int SlowSample(const SamplingConfig& config, const std::vector<float>& logits,
               double u) {
  std::vector<int> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int a, int b) { return logits[a] > logits[b]; });
  if (config.top_k > 0 && config.top_k < static_cast<int>(ids.size())) {
    ids.resize(config.top_k);
  }
  std::vector<double> p;
  for (const int id : ids) {
    p.push_back(std::exp((logits[id] - logits[ids[0]]) / config.temperature));
  }
  const auto rescale = [&] {
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
  };
  rescale();
  size_t kept = 1;
  for (double mass = p[0]; mass < config.top_p && kept < p.size(); ++kept) {
    mass += p[kept];
  }
  p.resize(kept);
  rescale();
  size_t i = 0;
  for (double sum = p[0]; sum <= u && i + 1 < kept; sum += p[i]) ++i;
  return ids[i];
}

TEST(TokenSamplerTest, AgreesWithTheRuleWrittenPlainly) {
  std::mt19937 random(17);
  std::normal_distribution<float> normal(0, 3);
  std::uniform_real_distribution<double> uniform;
  for (int round = 0; round < 5'000; ++round) {
    std::vector<float> logits(1 + random() % 70);
    // Rounded, so that there are ties.
    for (float& logit : logits) logit = std::round(4 * normal(random)) / 4;
    const SamplingConfig config =
        Config(0.3 + uniform(random), random() % 50,
               random() % 3 == 0 ? 1 : 0.05 + 0.9 * uniform(random));
    const double u = uniform(random);
    ASSERT_EQ(Sample(config, logits, u), SlowSample(config, logits, u))
        << "round " << round;
  }
}

TEST(TokenSamplerTest, AllocatesNothingPerDraw) {
  std::vector<float> logits(65);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(i);
  TokenSampler sampler(Config(0.9, 40, 0.9), 65);
  const int64_t before = NumAllocations();
  int64_t sum = 0;
  for (int i = 0; i < 100; ++i) sum += *sampler.Sample(logits, i / 100.0);
  EXPECT_EQ(NumAllocations(), before);
  EXPECT_GT(sum, 0);
}

}  // namespace
}  // namespace charrnn
