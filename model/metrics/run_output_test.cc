#include "model/metrics/run_output.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RunOutputTest : public testing::Test {
 protected:
  RunOutputTest() : files_(FileSystem::Real()) {
    WriteConfig(R"({"corpus":{"name":"a.txt"},"training":{"seq_len":77},)"
                R"("precision":"bf16"})");
  }

  void WriteConfig(absl::string_view text) {
    EXPECT_THAT(WriteFileAtomically(files_, folder_.File("config.json"), text),
                IsOk());
  }

  absl::StatusOr<std::unique_ptr<RunOutput>> Open(
      const RecordSizes& keep = {}) {
    return RunOutput::Open(&files_, &clock_, folder_.path(), keep);
  }

  static TrainReport At(int64_t step) {
    TrainReport report;
    report.step = step;
    return report;
  }

  // Tells one of each event.
  static void TellAll(RunOutput& output) {
    output.OnStart({0, 10, 10, 1});
    output.OnStep({1, 1, 2.5, 345});
    output.OnTrain(At(1));
    output.OnValidation({1, 1, 2.25, 17, 17, true});
    output.OnSample({1, 2.5, "But soft"});
    output.OnCheckpoint({1, "checkpoints/step-00000001", true});
    output.OnEnd({1, 0.5, "finished", false});
  }

  std::string Read(const std::string& name) {
    return files_.ReadFile(folder_.File(name)).value_or("");
  }

  const TempDirectory folder_;
  FaultInjectingFileSystem files_;
  FakeClock clock_;
};

TEST_F(RunOutputTest, EveryRecordOfTheRunIsWritten) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RunOutput> output, Open());
  TellAll(*output);
  EXPECT_THAT(output->status(), IsOk());
  EXPECT_THAT(Read("metrics.jsonl"), AllOf(HasSubstr(R"("event":"train")"),
                                           HasSubstr(R"("event":"validation")"),
                                           HasSubstr(R"("event":"checkpoint")"),
                                           HasSubstr(R"("event":"end")")));
  EXPECT_THAT(Read("samples.txt"), HasSubstr("But soft"));
  EXPECT_THAT(
      Read("report.html"),
      AllOf(HasSubstr("But soft"), HasSubstr("a.txt"), HasSubstr("seq_len"),
            HasSubstr("77"), HasSubstr("precision"), HasSubstr("bf16")));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names,
                               files_.ListDirectory(folder_.path()));
  EXPECT_THAT(names, Contains(StartsWith("events.out.tfevents.")));
}

TEST_F(RunOutputTest, ARunThatGoesOnKeepsWhatItsCheckpointKnows) {
  RecordSizes keep;
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto output, Open());
    output->OnTrain(At(1));
    output->OnSample({1, 2.5, "But soft"});
    keep = output->Records();
    output->OnTrain(At(2));
    output->OnSample({2, 2.5, "what light"});
    output->SyncRecords();
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto output, Open(keep));
  EXPECT_EQ(output->Records().metrics, keep.metrics);
  EXPECT_EQ(output->Records().samples, keep.samples);
  output->OnStart({1, 10, 10, 2});
  output->OnTrain(At(3));
  EXPECT_THAT(Read("metrics.jsonl"),
              AllOf(HasSubstr(R"("step":1,)"), Not(HasSubstr(R"("step":2,)")),
                    HasSubstr(R"("step":3,)")));
  EXPECT_THAT(Read("samples.txt"),
              AllOf(HasSubstr("But soft"), Not(HasSubstr("what light"))));
  // The report tells of the earlier session too.
  output->OnEnd({3, 0.5, "finished", false});
  EXPECT_THAT(Read("report.html"), HasSubstr("But soft"));
}

TEST_F(RunOutputTest, ARunThatBeginsAnewKeepsNothing) {
  TellAll(**Open());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto output, Open());
  EXPECT_EQ(Read("metrics.jsonl"), "");
  EXPECT_EQ(Read("samples.txt"), "");
}

TEST_F(RunOutputTest, SettingsThatCannotBeReadAreNoObstacle) {
  for (const absl::string_view config : {"", "{", "[]", R"({"model":7})"}) {
    WriteConfig(config);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RunOutput> output,
                                 Open());
    TellAll(*output);
    EXPECT_THAT(output->status(), IsOk()) << config;
    EXPECT_THAT(Read("report.html"), HasSubstr("But soft")) << config;
  }
}

TEST_F(RunOutputTest, AFullDiskIsReportedAndMadeUpFor) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RunOutput> output, Open());
  Fault fault;  // the very next write
  fault.status = absl::ResourceExhaustedError("no space");
  files_.Inject(fault);
  output->OnTrain(At(1));
  EXPECT_THAT(output->status(), StatusIs(absl::StatusCode::kResourceExhausted));
  TellAll(*output);
  EXPECT_THAT(output->status(), IsOk());
  EXPECT_THAT(Read("metrics.jsonl"), AllOf(HasSubstr(R"("event":"train")"),
                                           HasSubstr(R"("event":"end")")));
  EXPECT_THAT(Read("samples.txt"), HasSubstr("But soft"));
}

}  // namespace
}  // namespace charrnn
