#include "dist/coordinator/record_index.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/metrics/metrics_log.h"
#include "model/metrics/samples_file.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Field;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

constexpr char kGeneration[] =
    "{\"event\":\"generation\",\"generation\":2,\"step\":999,"
    "\"reason\":\"alpha/1 died\"}\n";

auto Sizes(int64_t metrics, int64_t samples) {
  return AllOf(Field("metrics", &RecordSizes::metrics, Eq(metrics)),
               Field("samples", &RecordSizes::samples, Eq(samples)));
}
auto Sizes(const RecordSizes& sizes) {
  return Sizes(sizes.metrics, sizes.samples);
}

TrainReport Train(int64_t step) {
  TrainReport report;
  report.step = step;
  report.epoch = 1;
  report.loss = 2.5;
  return report;
}

ValidationReport Validation(int64_t step) {
  return {step, 1, 1.5, 100, 100, true};
}

std::string Cut(const std::string& text, int64_t size) {
  return text.substr(0, static_cast<size_t>(size));
}

// A run's files, and an index that is told of what is written into them.
class RecordIndexTest : public ::testing::Test {
 protected:
  // Opens the files, keeping what the index knows of.
  void Open() {
    auto metrics =
        MetricsLog::Open(files_, metrics_path_, index_.sizes().metrics);
    ASSERT_THAT(metrics, IsOk());
    metrics_ = *std::move(metrics);
    auto samples =
        SamplesFile::Open(files_, samples_path_, index_.sizes().samples);
    ASSERT_THAT(samples, IsOk());
    samples_ = *std::move(samples);
    EXPECT_THAT(index_.sizes(), Sizes(metrics_->size(), samples_->size()));
  }

  RecordSizes Now() const { return {metrics_->size(), samples_->size()}; }

  void AddTrain(int64_t step) {
    metrics_->OnTrain(Train(step));
    index_.Added(RecordKind::kTrain, step, Now());
  }
  void AddValidation(int64_t step) {
    metrics_->OnValidation(Validation(step));
    index_.Added(RecordKind::kValidation, step, Now());
  }
  void AddSample(int64_t step, const std::string& text = "ROMEO:\nWhe") {
    samples_->OnSample({step, 2.5, text});
    index_.Added(RecordKind::kSample, step, Now());
  }
  void AddCheckpoint(int64_t step) {
    metrics_->OnCheckpoint({step, "checkpoints/step", true});
    index_.Added(RecordKind::kOther, step, Now());
  }
  void AddGeneration() {
    metrics_->Append(kGeneration);
    index_.Added(RecordKind::kOther, 999, Now());
  }

  // The records of some steps with other lines between, and how long the files
  // have to be as of each step.
  std::vector<std::pair<int64_t, RecordSizes>> WriteRun() {
    std::vector<std::pair<int64_t, RecordSizes>> sizes;
    AddGeneration();
    for (const int64_t step : {10, 20, 30, 40}) {
      if (step == 30) AddCheckpoint(20);
      sizes.emplace_back(step - 1, Now());
      AddTrain(step);
      if (step != 30) AddSample(step, "a\n\nb\n");
      if (step % 20 == 0) AddValidation(step);
      AddGeneration();
      AddCheckpoint(step - 10);
    }
    sizes.emplace_back(40, Now());
    return sizes;
  }

  std::string Metrics() const { return *files_->ReadFile(metrics_path_); }
  std::string Samples() const { return *files_->ReadFile(samples_path_); }

  // An index of what is on the disk.
  RecordIndex FromDisk() const {
    RecordIndex index;
    index.Begin(Metrics(), Samples());
    return index;
  }

  FileSystem* const files_ = FileSystem::Real();
  const TempDirectory directory_;
  const std::string metrics_path_ = directory_.File("metrics.jsonl");
  const std::string samples_path_ = directory_.File("samples.txt");
  RecordIndex index_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<SamplesFile> samples_;
};

TEST_F(RecordIndexTest, EverythingIsNewToAnEmptyRun) {
  index_.Begin("", "");
  for (const RecordKind kind : {RecordKind::kTrain, RecordKind::kValidation,
                                RecordKind::kSample, RecordKind::kOther}) {
    EXPECT_TRUE(index_.IsNew(kind, 0));
    EXPECT_TRUE(index_.IsNew(kind, 1));
  }
  EXPECT_THAT(index_.sizes(), Sizes(0, 0));
  EXPECT_THAT(index_.SizesAsOf(kMin), Sizes(0, 0));
  EXPECT_THAT(index_.SizesAsOf(kMax), Sizes(0, 0));
}

TEST_F(RecordIndexTest, WhatIsThereForAStepOrALaterOneIsNotNew) {
  Open();
  AddTrain(20);
  AddValidation(10);
  AddSample(15);
  for (const RecordIndex& index : {index_, FromDisk()}) {
    const std::pair<RecordKind, int64_t> newest[] = {
        {RecordKind::kTrain, 20},
        {RecordKind::kValidation, 10},
        {RecordKind::kSample, 15}};
    for (const auto& [kind, step] : newest) {
      EXPECT_FALSE(index.IsNew(kind, kMin));
      EXPECT_FALSE(index.IsNew(kind, step - 1));
      EXPECT_FALSE(index.IsNew(kind, step));
      EXPECT_TRUE(index.IsNew(kind, step + 1));
      EXPECT_TRUE(index.IsNew(kind, kMax));
    }
  }
}

TEST_F(RecordIndexTest, OtherLinesCountAsNothingButTheirLength) {
  Open();
  AddTrain(10);
  const RecordSizes train = Now();
  AddGeneration();
  AddCheckpoint(50);
  metrics_->OnEnd({50, 1, "finished"});
  index_.Added(RecordKind::kOther, 50, Now());
  const RecordSizes before = Now();
  ASSERT_GT(before.metrics, train.metrics);
  AddTrain(20);
  for (const RecordIndex& index : {index_, FromDisk()}) {
    EXPECT_THAT(index.SizesAsOf(10), Sizes(before));
    EXPECT_THAT(index.SizesAsOf(19), Sizes(before));
    EXPECT_THAT(index.SizesAsOf(20), Sizes(Now()));
    EXPECT_TRUE(index.IsNew(RecordKind::kTrain, 21));
    EXPECT_TRUE(index.IsNew(RecordKind::kValidation, 1));
    EXPECT_TRUE(index.IsNew(RecordKind::kOther, 1));
  }
}

TEST_F(RecordIndexTest, SizesReachToTheFirstRecordOfAGreaterStep) {
  Open();
  const auto sizes = WriteRun();
  for (const RecordIndex& index : {index_, FromDisk()}) {
    EXPECT_THAT(index.sizes(), Sizes(Now()));
    size_t i = 0;
    for (int64_t step = 0; step <= 45; ++step) {
      if (step > sizes[i].first && i + 1 < sizes.size()) ++i;
      EXPECT_THAT(index.SizesAsOf(step), Sizes(sizes[i].second)) << step;
    }
    EXPECT_THAT(index.SizesAsOf(kMin), Sizes(sizes[0].second));
    EXPECT_THAT(index.SizesAsOf(kMax), Sizes(Now()));
  }
}

TEST_F(RecordIndexTest, TheFirstRecordOfAGreaterStepMayBeOfAnyKind) {
  Open();
  AddTrain(10);
  const RecordSizes ten = Now();
  AddValidation(15);
  AddSample(16);
  AddTrain(20);
  for (const RecordIndex& index : {index_, FromDisk()}) {
    EXPECT_THAT(index.SizesAsOf(10), Sizes(ten));
    EXPECT_THAT(index.SizesAsOf(14), Sizes(ten));
    EXPECT_EQ(index.SizesAsOf(15).samples, 0);
    EXPECT_EQ(index.SizesAsOf(16).samples, Now().samples);
    EXPECT_LT(index.SizesAsOf(15).metrics, Now().metrics);
    EXPECT_GT(index.SizesAsOf(15).metrics, ten.metrics);
  }
}

TEST_F(RecordIndexTest, FilesThatAreCutAsOfAStepGoOnAsIfNothingHadFollowed) {
  Open();
  WriteRun();
  const std::string metrics = Metrics();
  const std::string samples = Samples();
  for (int64_t step = 0; step < 50; ++step) {
    index_.Begin(metrics, samples);
    const RecordSizes sizes = index_.SizesAsOf(step);
    index_.Begin(Cut(metrics, sizes.metrics), Cut(samples, sizes.samples));
    EXPECT_THAT(index_.sizes(), Sizes(sizes));
    ASSERT_THAT(WriteFile(*files_, metrics_path_, metrics), IsOk());
    ASSERT_THAT(WriteFile(*files_, samples_path_, samples), IsOk());
    Open();
    for (const RecordKind kind :
         {RecordKind::kTrain, RecordKind::kValidation, RecordKind::kSample}) {
      EXPECT_TRUE(index_.IsNew(kind, step + 1)) << step;
    }
    AddTrain(step + 1);
    AddSample(step + 1);
    EXPECT_THAT(FromDisk().SizesAsOf(step), Sizes(sizes));
    EXPECT_THAT(index_.SizesAsOf(step), Sizes(sizes));
    EXPECT_FALSE(FromDisk().IsNew(RecordKind::kTrain, step + 1));
    EXPECT_FALSE(FromDisk().IsNew(RecordKind::kSample, step + 1));
  }
}

TEST_F(RecordIndexTest, WhatAPowerCutHasLeftOfARecordIsNone) {
  Open();
  AddTrain(10);
  AddSample(10);
  const RecordSizes one = Now();
  AddTrain(20);
  AddSample(20);
  const RecordSizes two = Now();
  const std::string metrics = Metrics();
  const std::string samples = Samples();
  for (int64_t end = one.metrics; end < two.metrics; ++end) {
    index_.Begin(Cut(metrics, end), samples);
    EXPECT_THAT(index_.sizes(), Sizes(one.metrics, two.samples));
    EXPECT_TRUE(index_.IsNew(RecordKind::kTrain, 20));
    EXPECT_FALSE(index_.IsNew(RecordKind::kTrain, 10));
  }
  for (int64_t end = one.samples; end < two.samples; ++end) {
    index_.Begin(metrics, Cut(samples, end));
    EXPECT_THAT(index_.sizes(), Sizes(two.metrics, one.samples)) << end;
    EXPECT_TRUE(index_.IsNew(RecordKind::kSample, 20));
    EXPECT_FALSE(index_.IsNew(RecordKind::kSample, 10));
  }
  // Both files go on, with the record once and nothing of its first attempt.
  ASSERT_THAT(WriteFile(*files_, metrics_path_, Cut(metrics, two.metrics - 1)),
              IsOk());
  ASSERT_THAT(WriteFile(*files_, samples_path_, Cut(samples, two.samples - 1)),
              IsOk());
  index_ = FromDisk();
  Open();
  AddTrain(20);
  AddSample(20);
  EXPECT_EQ(Metrics(), metrics);
  EXPECT_EQ(Samples(), samples);
}

TEST_F(RecordIndexTest, WhatIsNoRecordCountsAsNothing) {
  Open();
  AddTrain(10);
  for (const char* line :
       {"x", "", "[]", "{\"event\":\"train\"}",
        "{\"event\":\"train\",\"step\":\"99\"}", "{\"step\":99}", "\xff\xfe",
        "{\"event\":\"validation\",\"step\":99}"}) {
    metrics_->Append(std::string(line) + "\n");
  }
  const int64_t strange = metrics_->size();
  metrics_->OnTrain(Train(20));
  const RecordIndex index = FromDisk();
  EXPECT_THAT(index.sizes(), Sizes(metrics_->size(), 0));
  EXPECT_THAT(index.SizesAsOf(10), Sizes(strange, 0));
  EXPECT_FALSE(index.IsNew(RecordKind::kTrain, 20));
  EXPECT_TRUE(index.IsNew(RecordKind::kTrain, 21));
  EXPECT_TRUE(index.IsNew(RecordKind::kValidation, 1));
}

TEST_F(RecordIndexTest, AHeadingOfAnEarlierStepWithinASampleMovesNothing) {
  Open();
  AddSample(10);
  const int64_t ten = Now().samples;
  std::string text = "a";
  for (int step = 5; step < 9; ++step) {
    absl::StrAppend(&text, "\n\n==== step ", step, ", loss 1 (1 bpc) ====\nb");
  }
  AddSample(20, text);
  const int64_t twenty = Now().samples;
  AddSample(30);
  for (const RecordIndex& index : {index_, FromDisk()}) {
    EXPECT_EQ(index.SizesAsOf(9).samples, 0);
    EXPECT_EQ(index.SizesAsOf(10).samples, ten);
    EXPECT_EQ(index.SizesAsOf(19).samples, ten);
    EXPECT_EQ(index.SizesAsOf(20).samples, twenty);
    EXPECT_EQ(index.SizesAsOf(30).samples, Now().samples);
    EXPECT_FALSE(index.IsNew(RecordKind::kSample, 30));
  }
  index_.Begin(Metrics(), Cut(Samples(), twenty));
  EXPECT_FALSE(index_.IsNew(RecordKind::kSample, 20));
}

TEST_F(RecordIndexTest, RecordsThatAreComputedAgainAreKeptOnce) {
  Open();
  std::vector<int64_t> written;
  // From step 1; again from 21 after a failure, by a new coordinator.
  for (const int64_t start : {1, 21}) {
    if (start > 1) index_ = FromDisk();
    for (int64_t step = start; step <= start + 39; ++step) {
      if (step % 10 != 0 || !index_.IsNew(RecordKind::kTrain, step)) continue;
      AddTrain(step);
      written.push_back(step);
    }
  }
  EXPECT_THAT(written, ElementsAre(10, 20, 30, 40, 50, 60));
}

TEST_F(RecordIndexTest, BeginForgetsWhatWasBefore) {
  Open();
  WriteRun();
  index_.Begin("", "");
  EXPECT_THAT(index_.sizes(), Sizes(0, 0));
  EXPECT_THAT(index_.SizesAsOf(kMax), Sizes(0, 0));
  EXPECT_THAT(index_.SizesAsOf(15), Sizes(0, 0));
  EXPECT_TRUE(index_.IsNew(RecordKind::kTrain, 1));
}

}  // namespace
}  // namespace charrnn
