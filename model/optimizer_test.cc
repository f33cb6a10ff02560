#include "model/optimizer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

// Two blocks of the optimizer and a part of a third.
constexpr int64_t kSize = 40000;

TrainState State() {
  TrainState state;
  state.parameters = at::linspace(-1, 1, kSize);
  state.exp_avg = at::zeros({kSize});
  state.exp_avg_sq = at::zeros({kSize});
  return state;
}

at::Tensor Gradient() { return at::linspace(-3, 5, kSize).sin(); }

TEST(OptimizerTest, TheNormIsThatOfTheMeanGradientBeforeClipping) {
  ThreadPool pool(1);
  TrainState state = State();
  const at::Tensor gradient = at::full({kSize}, 3.0f);
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double norm, Optimizer(1, &pool).Update(gradient, 6, 0.1, state));
  EXPECT_NEAR(norm, 0.5 * std::sqrt(kSize), 1e-9);
}

TEST(OptimizerTest, ClippingScalesWhatAdamSees) {
  ThreadPool pool(1);
  TrainState state = State();
  const at::Tensor gradient = at::full({kSize}, 3.0f);
  ASSERT_THAT(Optimizer(1, &pool).Update(gradient, 6, 0.1, state), IsOk());
  // The first moment after one step is a tenth of the clipped gradient.
  const double clipped = 1 / std::sqrt(kSize);
  EXPECT_NEAR(state.exp_avg[7].item<double>(), 0.1 * clipped, 1e-8);
  // And Adam's first step has the size of the learning rate.
  EXPECT_NEAR(state.parameters[0].item<double>(), -1.1, 1e-3);
}

TEST(OptimizerTest, BitsDoNotDependOnTheNumberOfThreads) {
  TrainState expected = State();
  ThreadPool one(1);
  ASSERT_THAT(Optimizer(1, &one).Update(Gradient(), 10, 0.1, expected), IsOk());
  for (const int threads : {2, 3}) {
    ThreadPool pool(threads);
    TrainState state = State();
    ASSERT_THAT(Optimizer(1, &pool).Update(Gradient(), 10, 0.1, state), IsOk());
    EXPECT_TRUE(at::equal(state.parameters, expected.parameters));
    EXPECT_TRUE(at::equal(state.exp_avg, expected.exp_avg));
    EXPECT_TRUE(at::equal(state.exp_avg_sq, expected.exp_avg_sq));
  }
}

TEST(OptimizerTest, AGradientThatIsNotFiniteChangesNothing) {
  ThreadPool pool(2);
  TrainState state = State();
  at::Tensor gradient = Gradient();
  gradient[kSize - 1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Optimizer(1, &pool).Update(gradient, 10, 0.1, state),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(at::equal(state.parameters, State().parameters));
  EXPECT_TRUE(at::equal(state.exp_avg, State().exp_avg));
}

TEST(OptimizerTest, OperatorsDoTheSameWithoutWaiting) {
  ThreadPool pool(2);
  TrainState expected = State();
  TrainState state = State();
  for (int step = 0; step < 3; ++step) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const double norm,
        Optimizer(1, &pool).Update(Gradient(), 10, 0.1, expected));
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const at::Tensor outcome,
        Optimizer(1, &pool).Launch(Gradient(), 10, 0.1, state));
    EXPECT_NEAR(outcome[0].item<double>(), norm, 1e-6 * norm);
    const double squares =
        expected.parameters.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(outcome[1].item<double>(), squares, 1e-5 * squares);
    EXPECT_TRUE(
        at::allclose(state.parameters, expected.parameters, 1e-5, 1e-6));
    ++expected.progress.step;
    ++state.progress.step;
  }
}

TEST(OptimizerTest, WhatIsNotFiniteIsInTheOutcome) {
  ThreadPool pool(1);
  TrainState state = State();
  at::Tensor gradient = Gradient();
  gradient[kSize - 1] = std::numeric_limits<float>::quiet_NaN();
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const at::Tensor outcome,
      Optimizer(1, &pool).Launch(gradient, 10, 0.1, state));
  EXPECT_FALSE(std::isfinite(outcome[0].item<double>()));
}

}  // namespace
}  // namespace charrnn
