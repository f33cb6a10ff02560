#include "cmd/device_flags.h"

#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cmd/command_line.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::StartsWith;

class DeviceFlagsTest : public testing::Test {
 protected:
  static absl::StatusOr<Compute> Parse(const std::vector<const char*>& flags) {
    std::vector<const char*> arguments = {"train"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto line = ParseCommandLine(static_cast<int>(arguments.size()),
                                       arguments.data(), {"train", "", ""});
    if (!line.ok()) return line.status();
    return ComputeFromFlags();
  }

  const absl::FlagSaver saver_;
};

TEST_F(DeviceFlagsTest, SaysWhatItComputesWith) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute three,
                               Parse({"--device=cpu", "--threads=3"}));
  EXPECT_EQ(three.device, "cpu");
  EXPECT_EQ(three.pool->num_threads(), 3);
  EXPECT_EQ(three.description, "cpu, 3 threads");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute one, Parse({"--threads=1"}));
  EXPECT_EQ(one.description, "cpu, 1 thread");
}

TEST_F(DeviceFlagsTest, TheChoiceOfAutoIsExplained) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Compute compute,
                               Parse({"--device=auto", "--threads=2"}));
  if (compute.device == "cpu") {
    EXPECT_THAT(compute.description, StartsWith("cpu, 2 threads (auto: "));
  } else {
    EXPECT_THAT(compute.description, StartsWith(compute.device + " (auto: "));
  }
}

TEST_F(DeviceFlagsTest, RefusesWhatNoMachineHas) {
  for (const char* flag : {"--threads=-1", "--threads=4097", "--device=tpu"}) {
    const absl::FlagSaver saver;
    EXPECT_THAT(Parse({flag}),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(flag)));
  }
}

}  // namespace
}  // namespace charrnn
