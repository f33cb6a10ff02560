#include "base/status_macros.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

absl::Status ReturnUnlessOk(const absl::Status& status, bool* went_on) {
  CHARRNN_RETURN_IF_ERROR(status);
  *went_on = true;
  return absl::OkStatus();
}

TEST(ReturnIfErrorTest, ErrorLeavesTheFunction) {
  bool went_on = false;
  EXPECT_EQ(ReturnUnlessOk(absl::DataLossError("torn"), &went_on),
            absl::DataLossError("torn"));
  EXPECT_FALSE(went_on);
}

TEST(ReturnIfErrorTest, OkGoesOn) {
  bool went_on = false;
  EXPECT_EQ(ReturnUnlessOk(absl::OkStatus(), &went_on), absl::OkStatus());
  EXPECT_TRUE(went_on);
}

TEST(ReturnIfErrorTest, EvaluatesItsExpressionOnceAlsoInABranch) {
  int calls = 0;
  const auto call = [&calls](bool really) {
    // Without braces on purpose.
    // NOLINTBEGIN(google-readability-braces-around-statements)
    if (really)
      CHARRNN_RETURN_IF_ERROR((++calls, absl::OkStatus()));
    else
      return absl::AbortedError("not called");
    // NOLINTEND(google-readability-braces-around-statements)
    return absl::OkStatus();
  };
  EXPECT_EQ(call(true), absl::OkStatus());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(call(false), absl::AbortedError("not called"));
}

using Text = std::unique_ptr<std::string>;  // can be moved only

absl::StatusOr<Text> Join(absl::StatusOr<Text> a, absl::StatusOr<Text> b) {
  CHARRNN_ASSIGN_OR_RETURN(const Text first, std::move(a));
  Text second;
  CHARRNN_ASSIGN_OR_RETURN(second, std::move(b));
  return std::make_unique<std::string>(*first + *second);
}

TEST(AssignOrReturnTest, MovesTheValueToADeclarationOrAVariable) {
  const absl::StatusOr<Text> joined = Join(std::make_unique<std::string>("a"),
                                           std::make_unique<std::string>("b"));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(**joined, "ab");
}

TEST(AssignOrReturnTest, ErrorLeavesTheFunction) {
  EXPECT_EQ(Join(absl::NotFoundError("a"), absl::NotFoundError("b")).status(),
            absl::NotFoundError("a"));
  EXPECT_EQ(
      Join(std::make_unique<std::string>(), absl::NotFoundError("b")).status(),
      absl::NotFoundError("b"));
}

TEST(AnnotateTest, PutsThePrefixBeforeTheMessageAndKeepsTheCode) {
  EXPECT_EQ(Annotate(absl::NotFoundError("no such file"), "--data_path"),
            absl::NotFoundError("--data_path: no such file"));
}

TEST(AnnotateTest, KeepsPayloads) {
  absl::Status status = absl::InternalError("lost");
  status.SetPayload("rank", absl::Cord("3"));
  EXPECT_EQ(Annotate(status, "step 7").GetPayload("rank"), absl::Cord("3"));
}

TEST(AnnotateTest, LeavesOkAlone) {
  EXPECT_EQ(Annotate(absl::OkStatus(), "step 7"), absl::OkStatus());
}

}  // namespace
}  // namespace charrnn
