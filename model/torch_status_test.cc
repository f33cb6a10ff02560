#include "model/torch_status.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <cstdint>
#include <stdexcept>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CatchTorchTest, SuccessIsOk) {
  bool called = false;
  EXPECT_TRUE(CatchTorch("adding", [&] { called = true; }).ok());
  EXPECT_TRUE(called);
}

TEST(CatchTorchTest, AnErrorOfLibTorchBecomesOneLineThatSaysWhatWasTried) {
  const absl::Status status = CatchTorch(
      "multiplying", [] { at::mm(at::ones({2, 3}), at::ones({2, 3})); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("multiplying: "));
  EXPECT_THAT(status.message(), HasSubstr("2x3"));
  EXPECT_THAT(status.message(), Not(HasSubstr("\n")));
}

TEST(CatchTorchTest, TooLittleMemoryIsToldApart) {
  const absl::Status status =
      CatchTorch("allocating", [] { at::empty({int64_t{1} << 50}); });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("--batch_size"));
}

TEST(CatchTorchTest, AnyOtherExceptionIsCaughtToo) {
  const absl::Status status =
      CatchTorch("reading", [] { throw std::runtime_error("first\nsecond"); });
  EXPECT_EQ(status.message(), "reading: first");
}

}  // namespace
}  // namespace charrnn
