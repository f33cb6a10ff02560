#include "testing/status_matchers.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::Pointee;

template <typename M, typename T>
std::string Explain(const M& matcher, const T& value) {
  testing::StringMatchResultListener listener;
  testing::ExplainMatchResult(matcher, value, &listener);
  return listener.str();
}

TEST(StatusMatchersTest, IsOkTellsSuccessFromError) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(3), IsOk());
  EXPECT_THAT(absl::InternalError("x"), Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(absl::InternalError("x")), Not(IsOk()));
}

TEST(StatusMatchersTest, StatusIsComparesTheCode) {
  const absl::Status status = absl::NotFoundError("no a.txt");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(absl::StatusOr<int>(status),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(StatusMatchersTest, StatusIsComparesTheMessage) {
  const absl::Status status = absl::NotFoundError("no a.txt");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, "no a.txt"));
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("a.txt")));
  EXPECT_THAT(status,
              Not(StatusIs(absl::StatusCode::kNotFound, HasSubstr("b.txt"))));
}

TEST(StatusMatchersTest, IsOkAndHoldsComparesTheValue) {
  EXPECT_THAT(absl::StatusOr<int>(3), IsOkAndHolds(3));
  EXPECT_THAT(absl::StatusOr<int>(3), Not(IsOkAndHolds(4)));
  EXPECT_THAT(absl::StatusOr<int>(absl::InternalError("x")),
              Not(IsOkAndHolds(3)));
  EXPECT_THAT(absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(3)),
              IsOkAndHolds(Pointee(3)));
}

TEST(StatusMatchersTest, AMismatchShowsTheStatus) {
  const absl::Status status = absl::NotFoundError("no a.txt");
  EXPECT_THAT(Explain(IsOk(), status), HasSubstr("NOT_FOUND: no a.txt"));
  EXPECT_THAT(Explain(StatusIs(absl::StatusCode::kInternal), status),
              HasSubstr("NOT_FOUND: no a.txt"));
  EXPECT_THAT(Explain(IsOkAndHolds(3), absl::StatusOr<int>(status)),
              HasSubstr("NOT_FOUND: no a.txt"));
}

TEST(StatusMatchersTest, AssignTakesTheValue) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<int> number,
      absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(3)));
  EXPECT_EQ(*number, 3);
}

}  // namespace
}  // namespace charrnn
