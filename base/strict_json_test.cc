#include "base/strict_json.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

auto IsInvalid(absl::string_view why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(why)));
}

TEST(StrictJsonTest, ReadsWhatIsWellFormed) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const nlohmann::json value,
      ParseStrictJson(R"( {"a": [1, {"b": null}], "c": "d"} )", 3));
  EXPECT_EQ(value["a"][0], 1);
  EXPECT_TRUE(value["a"][1]["b"].is_null());
  EXPECT_EQ(value["c"], "d");
}

TEST(StrictJsonTest, RefusesWhatIsNotJson) {
  for (const absl::string_view text :
       {"", " ", "{", "{}x", "{} {}", "[1,]", "{\"a\":1,}", "nan", "'a'",
        "\"\xff\"", "{\"a\" 1}"}) {
    EXPECT_THAT(ParseStrictJson(text, 9), IsInvalid("not JSON")) << text;
  }
}

TEST(StrictJsonTest, RefusesDuplicateKeysAtAnyDepth) {
  for (const absl::string_view text :
       {R"({"a":1,"a":1})", R"([{"x":{"a":1,"b":2,"a":3}}])",
        // The same key, written differently.
        R"({"a":1,"\u0061":2})"}) {
    EXPECT_THAT(ParseStrictJson(text, 9), IsInvalid("duplicate key: \"a\""))
        << text;
  }
}

TEST(StrictJsonTest, AcceptsEqualKeysOfDifferentObjects) {
  EXPECT_THAT(ParseStrictJson(R"([{"a":{"a":1}},{"a":2}])", 9), IsOk());
}

TEST(StrictJsonTest, BoundsTheDepth) {
  EXPECT_THAT(ParseStrictJson("1", 0), IsOk());
  EXPECT_THAT(ParseStrictJson("[]", 0), IsInvalid("more than 0 deep"));
  EXPECT_THAT(ParseStrictJson("[{}]", 2), IsOk());
  EXPECT_THAT(ParseStrictJson("[[1,[]]]", 2), IsInvalid("more than 2 deep"));
  EXPECT_THAT(ParseStrictJson(R"({"a":{"b":{}}})", 2),
              IsInvalid("more than 2 deep"));
}

TEST(StrictJsonTest, SurvivesAMillionBrackets) {
  const std::string open(1'000'000, '[');
  EXPECT_THAT(ParseStrictJson(open, 3), IsInvalid("deep"));
  EXPECT_THAT(ParseStrictJson(open + std::string(1'000'000, ']'), 3),
              IsInvalid("deep"));
}

}  // namespace
}  // namespace charrnn
