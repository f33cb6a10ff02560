#include "model/metrics/tensorboard_log.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/metrics/tensorboard_format.h"
#include "model/train_observer.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

constexpr double kStart = 1700000000.25;  // seconds since 1970

class TensorBoardLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<TensorBoardLog> Open() {
    auto log = TensorBoardLog::Open(&files_, directory_.path(), &clock_);
    EXPECT_THAT(log, IsOk());
    return std::move(log).value();
  }

  std::vector<std::string> Names() {
    return files_.ListDirectory(directory_.path()).value();
  }

  // The only file's contents.
  std::string Contents() {
    EXPECT_EQ(Names().size(), 1);
    return files_.ReadFile(directory_.File(Names().front())).value();
  }

  FaultInjectingFileSystem files_{FileSystem::Real()};
  const TempDirectory directory_;
  FakeClock clock_{absl::UnixEpoch() + absl::Seconds(kStart)};
};

TEST_F(TensorBoardLogTest, NamesItsFileByTimeAndHost) {
  const auto log = Open();
  EXPECT_THAT(Names(),
              ElementsAre(StartsWith("events.out.tfevents.1700000000.")));
  EXPECT_EQ(Contents(), TfRecord(VersionEvent(kStart)));
}

TEST_F(TensorBoardLogTest, SharesNoFileWithARunStartedInTheSameSecond) {
  const auto one = Open();
  const auto two = Open();
  EXPECT_EQ(Names().size(), 2);
}

TEST_F(TensorBoardLogTest, WritesEachReportAsARecord) {
  const auto log = Open();
  log->OnStart({});
  clock_.Advance(absl::Seconds(2));
  TrainReport train;
  train.step = 100;
  train.loss = 2.0794415416798357;  // 3 ln 2
  train.chars_per_s = 1000;
  train.grad_norm = 0.5;
  train.learning_rate = 0.002;
  log->OnTrain(train);
  ValidationReport validation;
  validation.step = 128;
  validation.loss = 1.3862943611198906;  // 2 ln 2
  validation.chars = 300;
  validation.bytes = 400;
  log->OnValidation(validation);
  log->OnSample({128, 2, "a\nb\x1b"});
  EXPECT_EQ(Contents(),
            absl::StrCat(TfRecord(VersionEvent(kStart)),
                         TfRecord(ScalarsEvent(kStart + 2, 100,
                                               {{"loss/train", 2.0794415f},
                                                {"bpc/train", 3.0f},
                                                {"chars_per_s", 1000.0f},
                                                {"grad_norm", 0.5f},
                                                {"learning_rate", 0.002f}})),
                         TfRecord(ScalarsEvent(kStart + 2, 128,
                                               {{"loss/validation", 1.3862944f},
                                                {"bpc/validation", 2.0f},
                                                {"bpb/validation", 1.5f}})),
                         TfRecord(TextEvent(kStart + 2, 128, "sample",
                                            u8"    a\n    b\ufffd"))));
  EXPECT_THAT(log->status(), IsOk());
}

TEST_F(TensorBoardLogTest, ClaimsNoBitsPerByteWhereNobodyCountedBytes) {
  const auto log = Open();
  ValidationReport validation;
  validation.step = 128;
  validation.loss = 1.3862943611198906;  // 2 ln 2
  validation.chars = 300;
  log->OnValidation(validation);
  EXPECT_EQ(Contents(),
            absl::StrCat(TfRecord(VersionEvent(kStart)),
                         TfRecord(ScalarsEvent(kStart, 128,
                                               {{"loss/validation", 1.3862944f},
                                                {"bpc/validation", 2.0f}}))));
}

TEST_F(TensorBoardLogTest, TellsWhereAResumedRunGoesOn) {
  const auto log = Open();
  RunPlan plan;
  plan.start_step = 64;
  plan.first_report_step = 65;
  log->OnStart(plan);
  EXPECT_EQ(Contents(), absl::StrCat(TfRecord(VersionEvent(kStart)),
                                     TfRecord(RestartEvent(kStart, 65))));
}

TEST_F(TensorBoardLogTest, ReportsAFailureToWrite) {
  const auto log = Open();
  files_.Inject(Fault());
  log->OnSample({1, 1, "a"});
  EXPECT_THAT(log->status(), StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace charrnn
