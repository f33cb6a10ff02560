#ifndef CHARRNN_TESTING_STATUS_MATCHERS_H_
#define CHARRNN_TESTING_STATUS_MATCHERS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

// GoogleTest matchers for absl::Status and absl::StatusOr, which abseil itself
// has only in later versions than Debian's.
//
//   EXPECT_THAT(files->Remove(path), IsOk());
//   EXPECT_THAT(ParseEncoding("utf9"),
//               StatusIs(absl::StatusCode::kInvalidArgument,
//                        HasSubstr("utf9")));
//   EXPECT_THAT(files->ReadFile(path), IsOkAndHolds("text"));
//   CHARRNN_ASSERT_OK_AND_ASSIGN(const Vocab vocab, Vocab::FromJson(json));

namespace charrnn {

namespace status_matchers_internal {

inline absl::Status StatusOf(const absl::Status& status) { return status; }

template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

}  // namespace status_matchers_internal

// Matches an OK Status, or a StatusOr that holds a value.
MATCHER(IsOk, negation ? "is an error" : "is OK") {
  const absl::Status status = status_matchers_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.ok();
}

// Matches a Status, or a StatusOr's status, of `code`.
MATCHER_P(StatusIs, code,
          (negation ? "is not " : "is ") + absl::StatusCodeToString(code)) {
  const absl::Status status = status_matchers_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code;
}

// Likewise, with a message that `message` (a string or a matcher) matches.
MATCHER_P2(StatusIs, code, message,
           (negation ? "is not " : "is ") + absl::StatusCodeToString(code) +
               " with a message that " +
               testing::DescribeMatcher<std::string>(message)) {
  const absl::Status status = status_matchers_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString() << " ";
  return status.code() == code &&
         testing::ExplainMatchResult(message, std::string(status.message()),
                                     result_listener);
}

// Matches a StatusOr that holds a value which `value` (a value or a matcher)
// matches.
MATCHER_P(IsOkAndHolds, value,
          negation ? "is an error or holds another value"
                   : "is OK and holds the value") {
  if (!arg.ok()) {
    *result_listener << "which is " << arg.status().ToString();
    return false;
  }
  return testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace charrnn

#define CHARRNN_STATUS_MATCHERS_CONCAT_INNER(a, b) a##b
#define CHARRNN_STATUS_MATCHERS_CONCAT(a, b) \
  CHARRNN_STATUS_MATCHERS_CONCAT_INNER(a, b)

#define CHARRNN_ASSERT_OK_AND_ASSIGN_IMPL(status_or, lhs, rexpr) \
  auto status_or = (rexpr);                                      \
  ASSERT_THAT(status_or, ::charrnn::IsOk());                     \
  lhs = std::move(status_or).value()

// Ends the test if `rexpr`, a StatusOr, is an error; else assigns its value to
// `lhs`, which may declare a variable.
#define CHARRNN_ASSERT_OK_AND_ASSIGN(lhs, rexpr) \
  CHARRNN_ASSERT_OK_AND_ASSIGN_IMPL(             \
      CHARRNN_STATUS_MATCHERS_CONCAT(status_or_, __LINE__), lhs, rexpr)

#endif  // CHARRNN_TESTING_STATUS_MATCHERS_H_
