#include "model/gradient_reducer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>

#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/grains.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

// Terms of very different sizes, so that every order of sums has bits of its
// own.
GradientSums FiveGrains() {
  GradientSums sums;
  for (int grain = 0; grain < 5; ++grain) {
    const double scale = grain % 2 == 0 ? 1e6 : 1e-2;
    sums.gradients.push_back(at::linspace(-1 - grain, 2, 50000).mul(scale));
    sums.losses.push_back(scale + grain);
  }
  return sums;
}

TEST(LocalReducerTest, OwnsAllGrains) {
  ThreadPool pool(1);
  const IndexRange grains = LocalReducer(&pool).LocalShare(8);
  EXPECT_EQ(grains.begin, 0);
  EXPECT_EQ(grains.end, 8);
}

TEST(LocalReducerTest, SumsByTheFixedTreeAtAnyNumberOfThreads) {
  const GradientSums terms = FiveGrains();
  const at::Tensor expected = ((terms.gradients[0] + terms.gradients[1]) +
                               (terms.gradients[2] + terms.gradients[3])) +
                              terms.gradients[4];
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    GradientSums sums = FiveGrains();
    ASSERT_THAT(LocalReducer(&pool).Reduce(5, sums), IsOk());
    EXPECT_TRUE(at::equal(sums.gradients.front(), expected));
    EXPECT_EQ(sums.losses.front(), ((terms.losses[0] + terms.losses[1]) +
                                    (terms.losses[2] + terms.losses[3])) +
                                       terms.losses[4]);
  }
}

}  // namespace
}  // namespace charrnn
