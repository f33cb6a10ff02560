#include "dist/data_parallel/data_parallel.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dist/collective/collective.h"
#include "dist/collective/thread_group.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);
constexpr int64_t kRows = 11;

// A line through points, and how far it is from them, summed.
std::vector<at::Tensor> Parameters(double start) {
  return {at::full({4, 1}, start, at::kFloat).requires_grad_(true),
          at::full({1}, start, at::kFloat).requires_grad_(true)};
}

at::Tensor Loss(const std::vector<at::Tensor>& parameters, int64_t begin,
                int64_t end) {
  const at::Tensor x =
      at::linspace(-1, 2, 4 * kRows).reshape({kRows, 4}).slice(0, begin, end);
  const at::Tensor error = at::matmul(x, parameters[0]) + parameters[1] - 3;
  return (error * error).sum();
}

class DataParallelTest : public testing::TestWithParam<int> {};

TEST_P(DataParallelTest, UnevenSlicesGiveTheGradientOfTheWholeBatch) {
  const std::vector<at::Tensor> whole = Parameters(0.5);
  (Loss(whole, 0, kRows) / kRows).backward();
  const double expected = Loss(whole, 0, kRows).item<double>() / kRows;
  RunAsGroup(GetParam(), kLong, [&](Collective& group) {
    // Nobody but rank 0 begins with the right ones.
    const std::vector<at::Tensor> own = Parameters(0.5 + group.rank());
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<DataParallel> parallel,
                                 DataParallel::Create(&group, own));
    for (int step = 0; step < 3; ++step) {
      // The first has few rows, the last one most.
      const int64_t begin = group.rank();
      const int64_t end =
          group.rank() + 1 == group.world_size() ? kRows : begin + 1;
      CHARRNN_ASSERT_OK_AND_ASSIGN(
          const double mean,
          parallel->Backward(Loss(own, begin, end), end - begin));
      EXPECT_NEAR(mean, expected, 1e-5);
      for (size_t i = 0; i < own.size(); ++i) {
        EXPECT_TRUE(at::equal(own[i], whole[i]));
        EXPECT_TRUE(at::allclose(own[i].grad(), whole[i].grad(), 1e-5, 1e-6));
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Worlds, DataParallelTest, testing::Values(1, 2, 3));

TEST(DataParallelTest, ProcessesThatWaitForOneThatIsGoneAreTold) {
  RunAsGroup(2, kLong, [&](Collective& group) {
    const std::vector<at::Tensor> own = Parameters(0.5);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<DataParallel> parallel,
                                 DataParallel::Create(&group, own));
    if (group.rank() == 1) return;
    EXPECT_THAT(parallel->Backward(Loss(own, 0, 3), 3),
                StatusIs(absl::StatusCode::kUnavailable));
  });
}

}  // namespace
}  // namespace charrnn
