#include "testing/allocations.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

struct alignas(64) Line {
  char bytes[64];
};

TEST(AllocationsTest, AreCountedWhateverAllocates) {
  const int64_t before = NumAllocations();
  const auto number = std::make_unique<int>(1);
  EXPECT_EQ(NumAllocations(), before + 1);
  const std::vector<int> numbers(10, *number);
  EXPECT_EQ(NumAllocations(), before + 2);
  const std::vector<Line> lines(numbers.size());
  EXPECT_EQ(NumAllocations(), before + 3);
  const std::unique_ptr<char[]> unchecked(new (std::nothrow) char[1]);
  EXPECT_EQ(NumAllocations(), before + 4);
  int64_t of_another_thread = 0;
  std::thread([&] {
    const int64_t first = NumAllocations();
    const std::vector<int> own(10);
    of_another_thread = NumAllocations() - first;
  }).join();
  EXPECT_EQ(of_another_thread, 1);
}

TEST(AllocationsTest, TheLargestIsKnownUntilItIsForgotten) {
  {
    const std::vector<char> large(100'000);
  }
  EXPECT_GE(LargestAllocation(), 100'000u);
  ForgetLargestAllocation();
  {
    const std::vector<Line> smaller(10);
  }
  EXPECT_EQ(LargestAllocation(), size_t{640});
}

}  // namespace
}  // namespace charrnn
