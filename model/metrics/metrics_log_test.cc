#include "model/metrics/metrics_log.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/metrics/append_log.h"
#include "model/train_observer.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TrainReport Train(int64_t step, double loss) {
  TrainReport report;
  report.step = step;
  report.epoch = 2;
  report.loss = loss;
  report.chars_per_s = 310000.5;
  report.grad_norm = 0.25;
  report.learning_rate = 2e-3;
  report.wall_s = 12.5;
  return report;
}

ValidationReport Validation(int64_t step, double loss) {
  ValidationReport report;
  report.step = step;
  report.epoch = 1;
  report.loss = loss;
  report.chars = 55680;
  report.bytes = 111360;
  return report;
}

// Remembers what it is told.
class Recorder : public TrainObserver {
 public:
  void OnTrain(const TrainReport& report) override { train.push_back(report); }
  void OnValidation(const ValidationReport& report) override {
    validation.push_back(report);
  }

  std::vector<TrainReport> train;
  std::vector<ValidationReport> validation;
};

TEST(MetricsLineTest, HasTheseFieldsInThisOrder) {
  const double one_bit = std::log(2.0);
  EXPECT_EQ(MetricsLine(Train(100, one_bit)),
            "{\"event\":\"train\",\"step\":100,\"epoch\":2,"
            "\"loss\":0.6931471805599453,\"bpc\":1.0,\"chars_per_s\":310000.5,"
            "\"grad_norm\":0.25,\"lr\":0.002,\"wall_s\":12.5}\n");
  EXPECT_EQ(MetricsLine(Validation(64, one_bit)),
            "{\"event\":\"validation\",\"step\":64,\"epoch\":1,"
            "\"loss\":0.6931471805599453,\"bpc\":1.0,\"bpb\":0.5,"
            "\"chars\":55680,\"bytes\":111360}\n");
  EXPECT_EQ(MetricsLine(CheckpointReport{64, "a \"b\"/step-64", true}),
            "{\"event\":\"checkpoint\",\"step\":64,"
            "\"path\":\"a \\\"b\\\"/step-64\",\"best\":true}\n");
  EXPECT_EQ(MetricsLine(EndReport{320, 1.5, "finished"}),
            "{\"event\":\"end\",\"step\":320,\"wall_s\":1.5,"
            "\"reason\":\"finished\"}\n");
}

TEST(MetricsLineTest, HasNullForWhatIsNotFinite) {
  TrainReport report = Train(1, std::numeric_limits<double>::quiet_NaN());
  report.grad_norm = std::numeric_limits<double>::infinity();
  EXPECT_THAT(MetricsLine(report), HasSubstr("\"loss\":null,\"bpc\":null,"));
  EXPECT_THAT(MetricsLine(report), HasSubstr("\"grad_norm\":null,"));
}

TEST(MetricsLineTest, StaysOneLineOfUtf8WhateverTheTextIs) {
  EXPECT_THAT(MetricsLine(EndReport{1, 0, "a\nb\xff"}),
              EndsWith(u8"\"reason\":\"a\\nb\ufffd\"}\n"));
}

TEST(ReplayMetricsTest, TellsWhatWasWritten) {
  TrainReport strange = Train(300, 1.25);
  strange.grad_norm = std::numeric_limits<double>::quiet_NaN();
  const std::string lines = absl::StrCat(
      MetricsLine(Train(100, 2.5)), MetricsLine(Validation(128, 1.5)),
      MetricsLine(CheckpointReport{128, "x", true}),
      "{\"event\":\"generation\",\"members\":[{\"host\":\"a\"}]}\n",
      MetricsLine(strange), MetricsLine(EndReport{320, 1, "finished"}));
  Recorder recorder;
  EXPECT_THAT(ReplayMetrics(lines, &recorder), IsOk());
  ASSERT_EQ(recorder.train.size(), 2);
  ASSERT_EQ(recorder.validation.size(), 1);
  EXPECT_EQ(MetricsLine(recorder.train[0]), MetricsLine(Train(100, 2.5)));
  EXPECT_EQ(MetricsLine(recorder.train[1]), MetricsLine(strange));
  EXPECT_EQ(MetricsLine(recorder.validation[0]),
            MetricsLine(Validation(128, 1.5)));
}

TEST(ReplayMetricsTest, ReadsValidationsOfVersionsThatCountedNoBytes) {
  Recorder recorder;
  EXPECT_THAT(ReplayMetrics("{\"event\":\"validation\",\"step\":64,\"epoch\":1,"
                            "\"loss\":2.5,\"bpc\":3.6,\"chars\":55680}\n",
                            &recorder),
              IsOk());
  ASSERT_EQ(recorder.validation.size(), 1);
  EXPECT_EQ(recorder.validation[0].chars, 55680);
  EXPECT_EQ(recorder.validation[0].bytes, 0);
  EXPECT_THAT(MetricsLine(recorder.validation[0]), HasSubstr("\"bpb\":null,"));
}

TEST(ReplayMetricsTest, ReadsBytesThatAreNotKnown) {
  ValidationReport report = Validation(128, 1.5);
  report.bytes = 0;
  const std::string line = MetricsLine(report);
  EXPECT_THAT(line, HasSubstr("\"bpb\":null,"));
  EXPECT_THAT(line, HasSubstr("\"bytes\":null}"));
  Recorder recorder;
  EXPECT_THAT(ReplayMetrics(line, &recorder), IsOk());
  ASSERT_EQ(recorder.validation.size(), 1);
  EXPECT_EQ(recorder.validation[0].bytes, 0);
}

TEST(ReplayMetricsTest, FindsOutWhichValidationsWereBest) {
  std::string lines;
  for (const double loss : {2.0, 1.5, 1.7, 1.5, 1.4}) {
    lines += MetricsLine(Validation(1, loss));
  }
  Recorder recorder;
  EXPECT_THAT(ReplayMetrics(lines, &recorder), IsOk());
  std::vector<bool> best;
  for (const auto& report : recorder.validation) best.push_back(report.best);
  EXPECT_EQ(best, std::vector<bool>({true, true, false, false, true}));
}

TEST(ReplayMetricsTest, NamesTheLineThatIsNoEvent) {
  const std::string good = MetricsLine(Train(1, 2));
  for (const char* bad :
       {"x", "[]", "{}", "{\"event\":\"train\"}",
        "{\"event\":\"validation\",\"step\":\"1\",\"epoch\":1,\"loss\":1,"
        "\"chars\":1}",
        "{\"event\":\"validation\",\"step\":1,\"epoch\":1,\"loss\":true,"
        "\"chars\":1}",
        "{\"event\":\"validation\",\"step\":1,\"epoch\":1,\"loss\":1,"
        "\"chars\":1,\"bytes\":1.5}"}) {
    Recorder recorder;
    EXPECT_THAT(
        ReplayMetrics(absl::StrCat(good, "\n", bad, "\n", good), &recorder),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 3")))
        << bad;
    EXPECT_EQ(recorder.train.size(), 1);
    EXPECT_THAT(recorder.validation, IsEmpty());
  }
}

TEST(TellsTheEndTest, TheLastLineDecides) {
  const std::string train = MetricsLine(Train(1, 2));
  const std::string end = MetricsLine(EndReport{1, 1, "finished"});
  EXPECT_TRUE(TellsTheEnd(end));
  EXPECT_TRUE(TellsTheEnd(train + end));
  EXPECT_FALSE(TellsTheEnd(end + train));
  EXPECT_FALSE(TellsTheEnd(train + end.substr(0, end.size() / 2)));
  EXPECT_FALSE(TellsTheEnd(""));
}

class MetricsLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<MetricsLog> Open(int64_t keep = AppendLog::kAll) {
    auto log = MetricsLog::Open(&files_, path_, keep);
    EXPECT_THAT(log, IsOk());
    return std::move(log).value();
  }
  std::string Contents() { return files_.ReadFile(path_).value_or("missing"); }

  FaultInjectingFileSystem files_{FileSystem::Real()};
  const TempDirectory directory_;
  const std::string path_ = directory_.File("metrics.jsonl");
};

TEST_F(MetricsLogTest, WritesEachEventWhenItHappens) {
  const auto log = Open();
  EXPECT_EQ(log->size(), 0);
  log->OnTrain(Train(100, 2));
  EXPECT_EQ(Contents(), MetricsLine(Train(100, 2)));
  log->OnValidation(Validation(128, 1));
  log->OnCheckpoint({128, "x", true});
  log->OnEnd({128, 1, "finished"});
  EXPECT_EQ(
      Contents(),
      absl::StrCat(MetricsLine(Train(100, 2)), MetricsLine(Validation(128, 1)),
                   MetricsLine(CheckpointReport{128, "x", true}),
                   MetricsLine(EndReport{128, 1, "finished"})));
  EXPECT_EQ(log->size(), static_cast<int64_t>(Contents().size()));
  EXPECT_THAT(log->Sync(), IsOk());
}

TEST_F(MetricsLogTest, GoesOnBehindWhatIsKept) {
  Open()->Append("one\ntwo\nthree\n");
  const auto log = Open(/*keep=*/8);
  EXPECT_EQ(log->size(), 8);
  EXPECT_EQ(Contents(), "one\ntwo\n");
  log->Append("four\n");
  EXPECT_EQ(Contents(), "one\ntwo\nfour\n");
  EXPECT_EQ(log->size(), 13);
}

TEST_F(MetricsLogTest, KeepsAllByDefault) {
  Open()->Append("one\n");
  const auto log = Open();
  EXPECT_EQ(log->size(), 4);
  log->Append("two\n");
  EXPECT_EQ(Contents(), "one\ntwo\n");
}

TEST_F(MetricsLogTest, DropsALineThatACrashHasCut) {
  Open()->Append("one\ntw");
  EXPECT_EQ(Open()->size(), 4);
  EXPECT_EQ(Contents(), "one\n");
  Open()->Append("thr");
  EXPECT_EQ(Open(/*keep=*/6)->size(), 4);
  EXPECT_EQ(Contents(), "one\n");
}

TEST_F(MetricsLogTest, ReportsAFailureAndMakesUpForIt) {
  const auto log = Open();
  log->Append("one\n");
  files_.Inject(Fault());
  log->Append("two\n");
  EXPECT_THAT(log->status(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(Contents(), "one\n");
  log->Append("three\n");
  EXPECT_THAT(log->status(), IsOk());
  EXPECT_EQ(Contents(), "one\ntwo\nthree\n");
  EXPECT_EQ(log->size(), 14);
}

TEST_F(MetricsLogTest, CannotBeOpenedInAFolderThatIsMissing) {
  EXPECT_THAT(MetricsLog::Open(&files_, directory_.File("no/metrics.jsonl")),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace charrnn
