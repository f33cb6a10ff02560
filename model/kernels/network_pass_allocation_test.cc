// NetworkPass and NetworkWeights have their memory after the first step.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/reference_pass.h"

namespace {
// Counts the allocations of all threads.
std::atomic<int64_t> num_allocations{0};
}  // namespace

// Not inlined: gcc would see malloc() and `delete` side by side, and warn.
__attribute__((noinline)) void* operator new(size_t size) {
  ++num_allocations;
  return std::malloc(size);
}
__attribute__((noinline)) void* operator new(size_t size,
                                             std::align_val_t alignment) {
  ++num_allocations;
  const auto multiple = static_cast<size_t>(alignment);
  return std::aligned_alloc(multiple,
                            (size + multiple - 1) / multiple * multiple);
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory,
                                               std::align_val_t) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t,
                                               std::align_val_t) noexcept {
  std::free(memory);
}

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
    const int64_t first = num_allocations;
    ASSERT_GT(first, 0);

    input.inputs = example.inputs.data();
    weights.Take(example.flat.data(), /*backward=*/true, pool);
    EXPECT_EQ(num_allocations - first, 0) << "for weights";
    pass.LossAndGradient(input, absl::MakeSpan(grains));
    EXPECT_EQ(num_allocations - first, 0) << "for gradients";
    pass.Loss(input);
    weights.Take(example.flat.data(), /*backward=*/false, pool);
    EXPECT_EQ(num_allocations - first, 0) << "for the loss";
  }
}

INSTANTIATE_TEST_SUITE_P(Each, NetworkPassAllocationTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
