#include "model/metrics/samples_file.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_observer.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(SamplesFileTest, WritesEachSampleWithItsStepAndLoss) {
  const TempDirectory directory;
  FileSystem* const files = FileSystem::Real();
  const std::string path = directory.File("samples.txt");
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto samples,
                                 SamplesFile::Open(files, path));
    samples->OnSample({100, 2.1034, "ROMEO:\nWhe"});
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto samples,
                               SamplesFile::Open(files, path));
  samples->OnSample({200, 1.5, "\xff"});
  EXPECT_THAT(files->ReadFile(path),
              IsOkAndHolds("==== step 100, loss 2.1034 (3.035 bpc) ====\n"
                           "ROMEO:\nWhe\n\n"
                           "==== step 200, loss 1.5000 (2.164 bpc) ====\n"
                           "\xff\n\n"));
  EXPECT_THAT(samples->status(), IsOk());
}

TEST(SamplesFileTest, WhatWasWrittenIsToldAgain) {
  class Recorder : public TrainObserver {
   public:
    void OnSample(const SampleReport& report) override {
      samples.push_back(report);
    }
    std::vector<SampleReport> samples;
  } recorder;
  const TempDirectory directory;
  FileSystem* const files = FileSystem::Real();
  const std::string path = directory.File("samples.txt");
  const std::vector<std::string> texts = {"ROMEO:\n\nWhe\n", "", "a"};
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto samples,
                                 SamplesFile::Open(files, path));
    for (const std::string& text : texts) samples->OnSample({7, 2.5, text});
  }
  ReplaySamples(*files->ReadFile(path), &recorder);
  ASSERT_EQ(recorder.samples.size(), 3);
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(recorder.samples[i].step, 7);
    EXPECT_EQ(recorder.samples[i].loss, 2.5);
    EXPECT_EQ(recorder.samples[i].text, texts[i]);
  }
  for (const char* strange : {"", "x", "==== step ", "==== step 1, loss 2",
                              "==== step x, loss 2 (\n", "\n\n==== step 1"}) {
    ReplaySamples(strange, &recorder);
  }
  EXPECT_EQ(recorder.samples.size(), 3);
}

TEST(SamplesFileTest, TellsWhereEachSampleBegins) {
  const std::string one = "==== step 7, loss 2.5000 (3.607 bpc) ====\n\n\n\n";
  const std::string two = "==== step x, loss 1.0000 (1.443 bpc) ====\na\n\n";
  const std::string three = "==== step 9, loss 1.0000 (1.443 bpc) ====\nb";
  std::vector<std::pair<int64_t, int64_t>> places;
  ForEachSample(one + two + three,
                [&](int64_t begin, const SampleReport& report) {
                  places.emplace_back(begin, report.step);
                });
  EXPECT_THAT(places,
              ElementsAre(Pair(0, 7), Pair(one.size() + two.size(), 9)));
}

TEST(SamplesFileTest, WholeSamplesAreThoseWithTheirEnd) {
  std::vector<std::string> samples = {
      "==== step 7, loss 2.5000 (3.607 bpc) ====\nROMEO:\nWhe\n\n",
      "==== step 8, loss 1.0000 (1.443 bpc) ====\n==== step\n\n",
      "==== step 9, loss 1.0000 (1.443 bpc) ====\n\xff\n\n"};
  std::string text;
  for (const std::string& sample : samples) {
    for (size_t i = 0; i < sample.size(); ++i) {
      EXPECT_EQ(WholeSamples(text + sample.substr(0, i)), text.size()) << i;
    }
    text += sample;
    EXPECT_EQ(WholeSamples(text), text.size());
  }
  // With empty lines of its own.
  text += "==== step 10, loss 1.0000 (1.443 bpc) ====\na\n\nb\n\n\n\n";
  EXPECT_EQ(WholeSamples(text), text.size());
  EXPECT_EQ(WholeSamples(text + "==== step 11, loss 1.0000 (1\na\n\nb"),
            text.size());
  for (const char* strange : {"", "x", "\n", "x\n\ny", "\n\ny"}) {
    EXPECT_EQ(WholeSamples(strange), 0) << strange;
  }
}

TEST(SamplesFileTest, ReportsAFailureToWrite) {
  const TempDirectory directory;
  FaultInjectingFileSystem files(FileSystem::Real());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const auto samples,
      SamplesFile::Open(&files, directory.File("samples.txt")));
  files.Inject(Fault());
  samples->OnSample({1, 1, "a"});
  EXPECT_THAT(samples->status(),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace charrnn
