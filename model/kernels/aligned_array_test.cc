#include "model/kernels/aligned_array.h"

#include <cstdint>
#include <utility>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(AlignedArrayTest, IsEmptyAtFirst) {
  AlignedArray<float> array;
  EXPECT_EQ(array.size(), 0);
  array.Resize(0);
  EXPECT_EQ(array.size(), 0);
}

TEST(AlignedArrayTest, BeginsAtACacheLineWhateverItsSize) {
  for (const int64_t size : {1, 3, 16, 17, 1000}) {
    AlignedArray<float> floats;
    floats.Resize(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(floats.data()) % 64, 0u) << size;
    AlignedArray<double> doubles;
    doubles.Resize(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(doubles.data()) % 64, 0u) << size;
  }
}

TEST(AlignedArrayTest, IsZeroWhenItHasGrown) {
  AlignedArray<double> array;
  for (const int64_t size : {10, 11, 1000}) {
    array.Resize(size);
    ASSERT_EQ(array.size(), size);
    for (int64_t i = 0; i < size; ++i) {
      ASSERT_EQ(array[i], 0) << i << " of " << size;
      array[i] = 1;
    }
  }
}

TEST(AlignedArrayTest, KeepsItsMemoryWhereItHasEnough) {
  AlignedArray<float> array;
  array.Resize(100);
  const float* const data = array.data();
  array[0] = 1;
  array.Resize(10);
  EXPECT_EQ(array.size(), 10);
  EXPECT_EQ(array.data(), data);
  array.Resize(100);
  EXPECT_EQ(array.size(), 100);
  EXPECT_EQ(array.data(), data);
  EXPECT_EQ(array[0], 1);
}

TEST(AlignedArrayTest, MovesWithoutACopy) {
  AlignedArray<float> array;
  array.Resize(5);
  const float* const data = array.data();
  const AlignedArray<float> moved = std::move(array);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(moved.size(), 5);
}

}  // namespace
}  // namespace charrnn
