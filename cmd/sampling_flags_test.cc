#include "cmd/sampling_flags.h"

#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cmd/command_line.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::StartsWith;

class SamplingFlagsTest : public testing::Test {
 protected:
  static absl::StatusOr<SamplingConfig> Parse(
      const std::vector<const char*>& flags) {
    std::vector<const char*> arguments = {"sample"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto line = ParseCommandLine(static_cast<int>(arguments.size()),
                                       arguments.data(), {"sample", "", ""});
    if (!line.ok()) return line.status();
    return SamplingConfigFromFlags();
  }

  const absl::FlagSaver saver_;
};

TEST_F(SamplingFlagsTest, TheirDefaultsAreThoseOfTheConfiguration) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SamplingConfig config, Parse({}));
  EXPECT_EQ(ToJson(config), ToJson(SamplingConfig()));
}

TEST_F(SamplingFlagsTest, EveryFlagReachesItsField) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SamplingConfig config,
                               Parse({"--max_generate=1", "--temperature=0.25",
                                      "--top_k=2", "--top_p=0.5", "--seed=3"}));
  EXPECT_EQ(ToJson(config), R"({"max_generate":1,"temperature":0.25,"top_k":2,)"
                            R"("top_p":0.5,"seed":3})");
}

TEST_F(SamplingFlagsTest, AValueOutOfRangeIsRefusedByName) {
  EXPECT_THAT(
      Parse({"--top_p=nan"}),
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("--top_p=nan")));
}

}  // namespace
}  // namespace charrnn
