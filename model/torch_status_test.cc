#include "model/torch_status.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
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
  EXPECT_THAT(status.message(), HasSubstr("allocating: out of memory"));
}

TEST(CatchTorchTest, AWarningIsLoggedOnce) {
  std::vector<std::string> lines;
  SetLogSink(
      [&](LogSeverity, absl::string_view line) { lines.emplace_back(line); });
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(CatchTorch("warning", [] {
                  TORCH_WARN("weights are scattered");
                }).ok());
  }
  SetLogSink(nullptr);
  EXPECT_THAT(lines, ElementsAre("warning: LibTorch: weights are scattered"));
}

TEST(CatchTorchTest, AnyOtherExceptionIsCaughtToo) {
  const absl::Status status =
      CatchTorch("reading", [] { throw std::runtime_error("first\nsecond"); });
  EXPECT_EQ(status.message(), "reading: first");
}

TEST(CatchTorchTest, ThePlaceInTheLibrarysSourceIsLeftOut) {
  const auto message = [](const char* thrown) {
    return std::string(CatchTorch("summing", [&] {
                         throw std::runtime_error(thrown);
                       }).message());
  };
  EXPECT_EQ(message("[/a/gloo/pair.cc:538] Read error [::1]:214: reset"),
            "summing: Read error [::1]:214: reset");
  for (const char* other :
       {"[3] is too large", "[a/b:1]", "[", "a [b/c:1] d"}) {
    EXPECT_EQ(message(other), absl::StrCat("summing: ", other));
  }
}

}  // namespace
}  // namespace charrnn
