// NetworkPass and NetworkWeights have their memory after the first step.

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/reference_pass.h"
#include "testing/allocations.h"

namespace charrnn {
namespace {

class NetworkPassAllocationTest : public EachArithmeticTest {
 protected:
  static std::vector<PassExample> Examples() {
    std::vector<PassExample> examples;
    for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
      for (const int layers : {1, 2}) {
        for (const double dropout : {0.0, 0.1}) {
          ModelConfig config = MakeConfig(type, 20, layers);
          config.dropout = dropout;
          // More characters than a block of times has.
          examples.push_back(MakeExample(config, 10, 40, true));
        }
      }
    }
    return examples;
  }
};

TEST_P(NetworkPassAllocationTest, TheSecondStepAllocatesNothing) {
  for (PassExample example : Examples()) {
    // The first text has but one symbol, the second one has all.
    std::vector<int32_t> few(example.inputs.size(), 1);
    std::vector<float> hidden = example.hidden;
    std::vector<float> cell = example.cell;
    PassInput input;
    input.rows = example.rows;
    input.seq_len = example.seq_len;
    input.inputs = few.data();
    input.targets = example.targets.data();
    input.dropout = &example.dropout;
    input.hidden = hidden.data();
    input.cell = cell.empty() ? nullptr : cell.data();
    std::vector<std::vector<float>> gradients(
        2, std::vector<float>(example.flat.size()));
    std::vector<PassGrain> grains = {{0, 3, gradients[0].data(), 0},
                                     {3, 10, gradients[1].data(), 0}};
    ThreadPool pool(2);
    NetworkWeights weights(example.config, arithmetic());
    NetworkPass pass(&weights);
    weights.Take(example.flat.data(), /*backward=*/true, pool);
    pass.LossAndGradient(input, absl::MakeSpan(grains));
    const int64_t first = NumAllocations();
    ASSERT_GT(first, 0);

    input.inputs = example.inputs.data();
    weights.Take(example.flat.data(), /*backward=*/true, pool);
    EXPECT_EQ(NumAllocations() - first, 0) << "for weights";
    pass.LossAndGradient(input, absl::MakeSpan(grains));
    EXPECT_EQ(NumAllocations() - first, 0) << "for gradients";
    pass.Loss(input);
    weights.Take(example.flat.data(), /*backward=*/false, pool);
    EXPECT_EQ(NumAllocations() - first, 0) << "for the loss";
  }
}

INSTANTIATE_TEST_SUITE_P(Each, NetworkPassAllocationTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
