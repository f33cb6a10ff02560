#include "cmd/preset.h"

#include <string>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/arithmetic.h"
#include "testing/status_matchers.h"

// Those of training, in place of them.
ABSL_FLAG(std::string, data_order, "shuffled", "");
ABSL_FLAG(int, batch_size, 128, "");
ABSL_FLAG(double, dropout, 0.1, "");
ABSL_FLAG(double, learning_rate, 2e-3, "");
ABSL_FLAG(std::string, lr_schedule, "constant", "");
ABSL_FLAG(int, warmup_steps, 0, "");
ABSL_FLAG(int, num_epochs, 5, "");
ABSL_FLAG(int, grains, 8, "");
ABSL_FLAG(int, hidden_dim, 256, "");
ABSL_FLAG(int, num_layers, 1, "");
ABSL_FLAG(std::string, precision, "fp32", "");

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class PresetTest : public testing::Test {
 protected:
  static void Set(absl::string_view flag, absl::string_view value) {
    std::string error;
    ASSERT_TRUE(absl::FindCommandLineFlag(flag)->ParseFrom(value, &error));
  }

  const absl::FlagSaver saver_;
};

TEST_F(PresetTest, WithoutOneFlagsAreWhatTheyWere) {
  EXPECT_THAT(ApplyPreset({}), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(absl::GetFlag(FLAGS_batch_size), 128);
}

TEST_F(PresetTest, GivesFlagsThatWereNotTypedItsValues) {
  Set("preset", "quick");
  Set("num_epochs", "7");
  EXPECT_THAT(
      ApplyPreset({"preset", "num_epochs"}),
      IsOkAndHolds(AllOf(Contains("data_order"), Not(Contains("num_epochs")))));
  EXPECT_EQ(absl::GetFlag(FLAGS_num_epochs), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_data_order), "streams");
  EXPECT_EQ(absl::GetFlag(FLAGS_lr_schedule), "cosine");
  EXPECT_LT(absl::GetFlag(FLAGS_batch_size), 128);
}

TEST_F(PresetTest, TheBestIsLargeAndInTheFastestPrecisionThatThereIs) {
  Set("preset", "best");
  ASSERT_THAT(ApplyPreset({"preset"}), IsOk());
  EXPECT_GT(absl::GetFlag(FLAGS_hidden_dim), 256);
  EXPECT_GT(absl::GetFlag(FLAGS_dropout), 0.1);
  const bool has_bf16 = CheckSupported({BestIsa(), Precision::kBf16}).ok();
  EXPECT_EQ(absl::GetFlag(FLAGS_precision), has_bf16 ? "bf16" : "fp32");
}

TEST_F(PresetTest, WhoSaysHowToComputeIsNotGivenAnotherPrecision) {
  for (const char* typed : {"isa", "kernels", "precision"}) {
    const absl::FlagSaver saver;
    Set("preset", "best");
    ASSERT_THAT(ApplyPreset({"preset", typed}), IsOk());
    EXPECT_EQ(absl::GetFlag(FLAGS_precision), "fp32") << typed;
  }
}

TEST_F(PresetTest, OneThatDoesNotExistIsRefused) {
  Set("preset", "magic");
  EXPECT_THAT(ApplyPreset({}), StatusIs(absl::StatusCode::kInvalidArgument,
                                        StartsWith("--preset=magic: ")));
}

}  // namespace
}  // namespace charrnn
