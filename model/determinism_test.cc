#include "model/determinism.h"

#include <ATen/Context.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(DeterminismTest, AllLibrariesAreToldToRepeatThemselves) {
  ComputeDeterministically();
  const at::Context& context = at::globalContext();
  EXPECT_TRUE(context.deterministicAlgorithms());
  EXPECT_TRUE(context.deterministicCuDNN());
  EXPECT_FALSE(context.benchmarkCuDNN());
  EXPECT_STREQ(getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:8");
}

TEST(DeterminismTest, ItCostsNoMemoryToBeWritten) {
  ComputeDeterministically();
  EXPECT_FALSE(at::globalContext().deterministicFillUninitializedMemory());
}

}  // namespace
}  // namespace charrnn
