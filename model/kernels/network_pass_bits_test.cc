// What NetworkPass computes is the same, bit for bit, however it is asked.

#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/reference_pass.h"

namespace charrnn {
namespace {

ModelConfig Config(RnnType type, int hidden_dim, int num_layers,
                   double dropout) {
  ModelConfig config = MakeConfig(type, hidden_dim, num_layers,
                                  /*vocab_size=*/37, /*embedding_dim=*/21);
  config.dropout = dropout;
  return config;
}

// Networks with everything that there is: both types, widths that need padding
// and others, one layer and several, with dropout and without.
std::vector<ModelConfig> Configs() {
  return {Config(RnnType::kGru, 48, 1, 0), Config(RnnType::kGru, 50, 3, 0.3),
          Config(RnnType::kLstm, 33, 1, 0), Config(RnnType::kLstm, 80, 2, 0.1)};
}

void ExpectSame(const PassResult& a, const PassResult& b) {
  EXPECT_EQ(a.losses, b.losses);
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    EXPECT_TRUE(SameBits(a.gradients[i], b.gradients[i])) << "gradient " << i;
  }
  EXPECT_TRUE(SameBits(a.hidden, b.hidden));
  EXPECT_TRUE(SameBits(a.cell, b.cell));
}

class NetworkPassBitsTest : public EachArithmeticTest {
 protected:
  // A pass and its weights, an example's.
  struct Network {
    Network(const PassExample& example, const Arithmetic& arithmetic)
        : weights(example.config, arithmetic), pass(&weights) {
      ThreadPool pool(1);
      weights.Take(example.flat.data(), /*backward=*/true, pool);
    }

    NetworkWeights weights;
    NetworkPass pass;
  };
};

TEST_P(NetworkPassBitsTest, WideVectorsComputeTheBitsOfAvx2) {
  if (!HasAvx2Bits()) GTEST_SKIP() << "for what is wider, in fp32";
  for (const ModelConfig& config : Configs()) {
    const PassExample example = MakeExample(config, 9, 35, true);
    ExpectSame(RunPass(arithmetic(), example, {4, 9}),
               RunPass(kAvx2Fp32, example, {4, 9}));
    EXPECT_EQ(RunLoss(arithmetic(), example), RunLoss(kAvx2Fp32, example));
  }
}

TEST_P(NetworkPassBitsTest, AGrainIsTheSameWhicheverGrainsGoAlong) {
  for (const ModelConfig& config : Configs()) {
    // Odd numbers of rows and times: in bf16 several products are added at
    // once, which must not reach beyond a grain.
    for (const int64_t times : {1, 7, 20}) {
      const PassExample example = MakeExample(config, 12, times, true);
      const std::vector<int64_t> ends = {1, 4, 9, 12};
      const PassResult together = RunPass(arithmetic(), example, ends);
      int64_t begin = 0;
      for (size_t i = 0; i < ends.size(); ++i) {
        SCOPED_TRACE(absl::StrCat("rows from ", begin, ", times ", times));
        const PassResult alone = RunPass(
            arithmetic(), RowsOf(example, begin, ends[i]), {ends[i] - begin});
        EXPECT_EQ(alone.losses[0], together.losses[i]);
        EXPECT_TRUE(SameBits(alone.gradients[0], together.gradients[i]));
        begin = ends[i];
      }
    }
  }
}

TEST_P(NetworkPassBitsTest, AGrainIsTheSameWhereItsTimesGoBackInMoreBlocks) {
  // By itself a grain goes back in fewer, larger blocks.
  const PassExample example =
      MakeExample(Config(RnnType::kGru, 17, 1, 0.1), 100, 67, false);
  const std::vector<int64_t> ends = {1, 7, 20, 53, 100};
  const PassResult together = RunPass(arithmetic(), example, ends);
  int64_t begin = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    const PassResult alone = RunPass(
        arithmetic(), RowsOf(example, begin, ends[i]), {ends[i] - begin});
    EXPECT_EQ(alone.losses[0], together.losses[i]) << begin;
    EXPECT_TRUE(SameBits(alone.gradients[0], together.gradients[i])) << begin;
    begin = ends[i];
  }
}

TEST_P(NetworkPassBitsTest, ARowEndsTheSameWhicheverRowsGoAlong) {
  for (const ModelConfig& config : Configs()) {
    const PassExample example = MakeExample(config, 13, 6, true);
    const PassResult together = RunPass(arithmetic(), example, {13});
    PassExample after = example;
    after.hidden = together.hidden;
    after.cell = together.cell;
    for (int64_t row = 0; row < example.rows; ++row) {
      const PassResult alone =
          RunPass(arithmetic(), RowsOf(example, row, row + 1), {1});
      const PassExample expected = RowsOf(after, row, row + 1);
      EXPECT_TRUE(SameBits(alone.hidden, expected.hidden)) << row;
      EXPECT_TRUE(SameBits(alone.cell, expected.cell)) << row;
    }
  }
}

TEST_P(NetworkPassBitsTest, WhatWasComputedBeforeLeavesNoTrace) {
  for (const ModelConfig& config : Configs()) {
    const PassExample big = MakeExample(config, 20, 15, true);
    PassExample small = MakeExample(config, 3, 5, false);
    Network used(big, arithmetic());
    RunPass(used.pass, big, {5, 15, 20});
    ExpectSame(RunPass(used.pass, small, {1, 3}),
               RunPass(arithmetic(), small, {1, 3}));
    EXPECT_EQ(RunLoss(used.pass, small), RunLoss(arithmetic(), small));
    ExpectSame(RunPass(used.pass, big, {20}), RunPass(arithmetic(), big, {20}));
    // Nor whether there was dropout.
    small.dropout.rate = 0;
    ExpectSame(RunPass(used.pass, small, {3}),
               RunPass(arithmetic(), small, {3}));
  }
}

TEST_P(NetworkPassBitsTest, EvenNanLeavesNoTrace) {
  for (const ModelConfig& config : Configs()) {
    const PassExample example = MakeExample(config, 10, 9, true);
    PassExample broken = MakeExample(config, 20, 10, true);
    for (float& number : broken.hidden) number = std::nanf("");
    for (float& number : broken.cell) number = std::nanf("");
    Network used(example, arithmetic());
    RunPass(used.pass, broken, {20});
    ExpectSame(RunPass(used.pass, example, {5, 10}),
               RunPass(arithmetic(), example, {5, 10}));
  }
}

TEST_P(NetworkPassBitsTest, AStateCarriesOnWhereTextWasCut) {
  for (const ModelConfig& config : Configs()) {
    PassExample whole = MakeExample(config, 3, 12, true);
    whole.dropout.rate = 0;  // which is drawn by time
    const PassResult expected = RunPass(arithmetic(), whole, {3});
    PassExample part = whole;
    part.seq_len = 6;
    for (const int64_t begin : {0, 6}) {
      part.inputs.clear();
      part.targets.clear();
      for (int64_t i = 0; i < int64_t{3} * 12; ++i) {
        if (i % 12 / 6 * 6 != begin) continue;
        part.inputs.push_back(whole.inputs[i]);
        part.targets.push_back(whole.targets[i]);
      }
      const PassResult result = RunPass(arithmetic(), part, {3});
      part.hidden = result.hidden;
      part.cell = result.cell;
    }
    EXPECT_TRUE(SameBits(part.hidden, expected.hidden));
    EXPECT_TRUE(SameBits(part.cell, expected.cell));
  }
}

TEST_P(NetworkPassBitsTest, ThreadsShareWeightsAndDoNotDisturbEachOther) {
  const ModelConfig config = Config(RnnType::kGru, 33, 2, 0.2);
  const PassExample example = MakeExample(config, 12, 10, true);
  const PassResult expected = RunPass(arithmetic(), example, {3, 6, 9, 12});
  ThreadPool pool(2);
  NetworkWeights weights(config, arithmetic());
  weights.Take(example.flat.data(), /*backward=*/true, pool);
  constexpr int64_t kGrains = 4;
  std::vector<NetworkPass> passes;
  for (int64_t i = 0; i < kGrains; ++i) passes.emplace_back(&weights);
  std::vector<PassResult> results(kGrains);
  for (int repetition = 0; repetition < 3; ++repetition) {
    pool.ParallelFor(kGrains, [&](int64_t i) {
      results[i] = RunPass(passes[i], RowsOf(example, 3 * i, 3 * i + 3), {3});
    });
    for (int64_t i = 0; i < kGrains; ++i) {
      EXPECT_EQ(results[i].losses[0], expected.losses[i]);
      EXPECT_TRUE(SameBits(results[i].gradients[0], expected.gradients[i]));
    }
    weights.Take(example.flat.data(), /*backward=*/true, pool);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, NetworkPassBitsTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
