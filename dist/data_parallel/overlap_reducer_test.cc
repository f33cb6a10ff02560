#include "dist/data_parallel/overlap_reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "dist/collective/agreement.h"
#include "dist/collective/collective.h"
#include "dist/collective/thread_group.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/loss.h"
#include "model/parameter_layout.h"
#include "model/trainer.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

constexpr int64_t kRows = 7;
constexpr int64_t kSeqLen = 5;

ModelConfig Config() {
  ModelConfig config;
  config.vocab_size = 6;
  config.embedding_dim = 4;
  config.hidden_dim = 8;
  config.num_layers = 2;
  config.dropout = 0.1;
  return config;
}

at::Tensor Weights() {
  const ParameterLayout layout(Config());
  at::Tensor flat = at::empty({layout.flat_size()});
  InitializeParameters(layout, 3,
                       absl::MakeSpan(flat.mutable_data_ptr<float>(),
                                      static_cast<size_t>(flat.numel())));
  return flat;
}

std::vector<int32_t> Ids(int shift) {
  std::vector<int32_t> ids;
  for (int i = 0; i < kRows * kSeqLen; ++i) ids.push_back((3 * i + shift) % 6);
  return ids;
}

TEST(OverlapReducerTest, GivesTheGradientOfTheWholeBatchAtAnyWorldSize) {
  const std::vector<int32_t> inputs = Ids(0);
  const std::vector<int32_t> targets = Ids(1);
  const CharRnn whole(Config(), Weights());
  const at::Tensor expected = at::zeros({whole.layout().flat_size()});
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double loss,
      LossAndGradient(whole, {kRows, kSeqLen, inputs, targets}, {42, 9, 0.1, 0},
                      expected));
  for (const int world_size : {1, 2, 3}) {
    RunAsGroup(world_size, absl::Seconds(30), [&](Collective& group) {
      Agreement agreement(&group, Clock::Real(), [] { return Wish::kNone; });
      OverlapReducer reducer(&group, &agreement, nullptr);
      const CharRnn model(Config(), Weights());
      const IndexRange rows = reducer.LocalShare(kRows);
      const auto slice = [&](const std::vector<int32_t>& ids) {
        return absl::MakeConstSpan(ids).subspan(rows.begin * kSeqLen,
                                                rows.size() * kSeqLen);
      };
      for (int step = 0; step < 3; ++step) {
        CHARRNN_ASSERT_OK_AND_ASSIGN(
            const GradientSums sums,
            reducer.LossAndGradient(
                model, {rows.size(), kSeqLen, slice(inputs), slice(targets)},
                {42, 9, 0.1, rows.begin}, nullptr));
        EXPECT_TRUE(sums.is_mean);
        EXPECT_NEAR(sums.losses.front(), loss, 1e-4);
        EXPECT_TRUE(at::allclose(sums.gradients.front(),
                                 expected.div(kRows * kSeqLen), 1e-4, 1e-7));
      }
    });
  }
}

TEST(OverlapReducerTest, WhatIsNotFiniteInOneProcessIsSoInAll) {
  const std::vector<int32_t> ids = Ids(0);
  RunAsGroup(3, absl::Seconds(30), [&](Collective& group) {
    Agreement agreement(&group, Clock::Real(), [] { return Wish::kNone; });
    OverlapReducer reducer(&group, &agreement, nullptr);
    at::Tensor weights = Weights();
    const CharRnn model(Config(), weights);
    const IndexRange rows = reducer.LocalShare(kRows);
    const auto slice = absl::MakeConstSpan(ids).subspan(rows.begin * kSeqLen,
                                                        rows.size() * kSeqLen);
    for (const bool finite : {true, false}) {
      // Not before the first step, at which all are given the same weights.
      if (!finite && reducer.LocalShare(3).begin == 1) {
        weights.fill_(std::numeric_limits<float>::quiet_NaN());
      }
      CHARRNN_ASSERT_OK_AND_ASSIGN(
          const GradientSums sums,
          reducer.LossAndGradient(model, {rows.size(), kSeqLen, slice, slice},
                                  {42, 9, 0.1, rows.begin}, nullptr));
      EXPECT_EQ(std::isfinite(sums.losses.front()), finite);
      EXPECT_EQ(std::isfinite(sums.gradients.front().sum().item<float>()),
                finite);
    }
  });
}

}  // namespace
}  // namespace charrnn
