#include "dist/coordinator/run_book.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "dist/coordinator/job_harness.h"
#include "dist/coordinator/record_index.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/manifest.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;
using Session = RunBook::Session;

absl::Status Agree() { return absl::OkStatus(); }

TrainReport Train(int64_t step) {
  TrainReport report;
  report.step = step;
  report.epoch = 1;
  report.loss = 2.5;
  return report;
}

class RunBookTest : public testing::Test {
 protected:
  std::unique_ptr<RunBook> Open(Session session = Session::kNew) {
    auto book = RunBook::Open(&files_, &clock_, directory_.path(), session);
    EXPECT_THAT(book, IsOk());
    return book.ok() ? *std::move(book) : nullptr;
  }

  std::unique_ptr<RunBook> Begin() {
    auto book = Open();
    EXPECT_THAT(book->Begin(RunConfig()), IsOk());
    return book;
  }

  // Records of a step, one of each kind.
  void RecordAll(RunBook& book, int64_t step) {
    EXPECT_THAT(book.Train(Train(step)), IsOk());
    EXPECT_THAT(book.Validation({step, 1, 2.25, 100, 100, false}), IsOk());
    EXPECT_THAT(book.Sample({step, 2.5, "ROMEO:\nWhe"}), IsOk());
  }

  // A checkpoint of `step` as its worker makes it.
  std::vector<CheckpointFile> Files(RunBook& book, int64_t step) {
    TrainProgress progress;
    progress.step = step;
    progress.best_step = step;
    progress.records = book.SizesAsOf(step);
    return CheckpointFiles(progress);
  }

  std::string Read(const std::string& name) {
    return files_.ReadFile(directory_.File(name)).value_or("");
  }

  // The steps of what is recorded: "train 10, validation 10, ...".
  std::string Recorded() {
    std::string recorded;
    std::string text = Read("metrics.jsonl");
    for (const std::string kind : {"train", "validation"}) {
      for (int64_t step = 0; step < 100; ++step) {
        const int times = Count(text, absl::StrCat("{\"event\":\"", kind,
                                                   "\",\"step\":", step, ","));
        for (int i = 0; i < times; ++i) {
          absl::StrAppend(&recorded, kind, " ", step, ", ");
        }
      }
    }
    text = Read("samples.txt");
    for (int64_t step = 0; step < 100; ++step) {
      const int times = Count(text, absl::StrCat("==== step ", step, ","));
      for (int i = 0; i < times; ++i) {
        absl::StrAppend(&recorded, "sample ", step, ", ");
      }
    }
    return recorded;
  }

  std::vector<std::string> Checkpoints() {
    return files_.ListDirectory(directory_.File("checkpoints"))
        .value_or(std::vector<std::string>());
  }

  // From now on the disk is full, until it Empties().
  void Fill() {
    Fault fault;
    fault.crash = true;
    files_.Inject(fault);
  }
  void Empty() {
    Fault none;
    none.operation = int64_t{1} << 40;
    files_.Inject(none);
  }

  const TempDirectory directory_;
  FaultInjectingFileSystem files_{FileSystem::Real()};
  FakeClock clock_;
};

TEST_F(RunBookTest, ANewRunHasNothingUntilItBegins) {
  const auto book = Open();
  EXPECT_EQ(book->config_json(), "");
  EXPECT_EQ(book->max_workers(), 1);
  EXPECT_EQ(book->committed_step(), 0);
  EXPECT_EQ(book->best_step(), 0);
  EXPECT_THAT(book->Read(1), StatusIs(kNotFound));
  // What has no place yet is dropped, and does no harm.
  book->Generation(1, 2, 0, "the first");
  book->End({0, 0, "nobody came", true});
  EXPECT_THAT(*files_.ListDirectory(directory_.path()), IsEmpty());
}

TEST_F(RunBookTest, BeforeItBeginsNothingCanBeRecordedOrSaved) {
  const auto book = Open();
  EXPECT_THAT(book->Train(Train(1)), StatusIs(kFailedPrecondition));
  EXPECT_THAT(book->Validation({1, 1, 2, 3, 3, false}),
              StatusIs(kFailedPrecondition));
  EXPECT_THAT(book->Sample({1, 2, "x"}), StatusIs(kFailedPrecondition));
  book->Plan({0, 10, 5, 1});
  book->Step({1, 1, 2.5, 100});
  EXPECT_THAT(book->Save(1, CheckpointFilesOf(1), Agree),
              StatusIs(kFailedPrecondition));
}

TEST_F(RunBookTest, BeginWritesTheConfiguration) {
  TrainingConfig training;
  training.batch_size = 6;
  training.grains = 8;
  const std::string config = RunConfig(training);
  const auto book = Open();
  ASSERT_THAT(book->Begin(config), IsOk());
  EXPECT_EQ(Read("config.json"), config);
  EXPECT_EQ(book->config_json(), config);
  EXPECT_EQ(book->max_workers(), 6);
  EXPECT_EQ(Open()->config_json(), config);
}

TEST_F(RunBookTest, WhatIsNoConfigurationIsRefusedAndWritesNothing) {
  const auto book = Open();
  for (const char* text : {"", "{}", "[]", "nonsense", "{\"training\": 1}",
                           "{\"training\": {\"seq_len\": 1}}"}) {
    EXPECT_THAT(book->Begin(text), StatusIs(kInvalidArgument)) << text;
  }
  EXPECT_EQ(book->config_json(), "");
  EXPECT_THAT(*files_.ListDirectory(directory_.path()), IsEmpty());
}

TEST_F(RunBookTest, AConfigJsonThatMakesNoSenseIsNamed) {
  ASSERT_THAT(WriteFileAtomically(files_, directory_.File("config.json"), "{"),
              IsOk());
  EXPECT_THAT(RunBook::Open(&files_, &clock_, directory_.path(), Session::kNew),
              StatusIs(kInvalidArgument, HasSubstr("config.json")));
}

// Whatever fails, a second try begins the run.
TEST_F(RunBookTest, BeginOnAFullDiskCanBeRepeated) {
  const auto probe = Open();
  Empty();
  ASSERT_THAT(probe->Begin(RunConfig()), IsOk());
  const int64_t operations = files_.num_operations();
  for (int64_t i = 0; i < operations; ++i) {
    const TempDirectory directory;
    auto book =
        RunBook::Open(&files_, &clock_, directory.path(), Session::kNew);
    ASSERT_THAT(book, IsOk());
    Fault fault;
    fault.operation = i;
    fault.crash = true;
    files_.Inject(fault);
    const absl::Status begun = (*book)->Begin(RunConfig());
    Empty();
    if (!begun.ok()) {
      EXPECT_EQ((*book)->config_json(), "") << i;
      EXPECT_THAT((*book)->Begin(RunConfig()), IsOk()) << i;
    }
    EXPECT_THAT((*book)->Train(Train(1)), IsOk()) << i;
    EXPECT_THAT((*book)->Save(1, CheckpointFilesOf(1), Agree), IsOk()) << i;
  }
}

TEST_F(RunBookTest, EachRecordIsKeptOnce) {
  const auto book = Begin();
  for (const int64_t step : {10, 20, 10, 20, 15}) RecordAll(*book, step);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, validation 10, validation 20, sample 10, "
            "sample 20, ");
  for (const RecordKind kind :
       {RecordKind::kTrain, RecordKind::kValidation, RecordKind::kSample}) {
    EXPECT_EQ(book->Recorded(kind), 20);
  }
}

TEST_F(RunBookTest, GenerationsAndTheEndAreLinesOfTheMetrics) {
  const auto book = Begin();
  book->Generation(3, 2, 40, "alpha/1 died: \"signal\" 9\n\xff");
  book->End({50, 1.5, "finished", false});
  const std::string metrics = Read("metrics.jsonl");
  EXPECT_THAT(metrics, HasSubstr("{\"event\":\"generation\",\"generation\":3,"
                                 "\"world_size\":2,\"step\":40,\"reason\":"
                                 "\"alpha/1 died: \\\"signal\\\" 9\\n"));
  EXPECT_THAT(metrics, HasSubstr("{\"event\":\"end\",\"step\":50,"));
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 2);
}

TEST_F(RunBookTest, ARunGoesOnFromItsNewestCheckpointAndLosesWhatCameAfter) {
  {
    const auto book = Begin();
    RecordAll(*book, 10);
    ASSERT_THAT(book->Save(10, Files(*book, 10), Agree), IsOk());
    RecordAll(*book, 20);
    RecordAll(*book, 30);
  }
  const auto book = Open(Session::kNew);
  EXPECT_EQ(book->committed_step(), 10);
  EXPECT_EQ(book->best_step(), 10);
  EXPECT_EQ(Recorded(), "train 10, validation 10, sample 10, ");
  EXPECT_EQ(book->Recorded(RecordKind::kTrain), 10);
  RecordAll(*book, 20);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, validation 10, validation 20, sample 10, "
            "sample 20, ");
}

TEST_F(RunBookTest, ARunWithoutACheckpointBeginsAnew) {
  {
    const auto book = Begin();
    RecordAll(*book, 10);
  }
  const auto book = Open(Session::kNew);
  EXPECT_EQ(Recorded(), "");
  EXPECT_EQ(book->Recorded(RecordKind::kTrain), 0);
}

TEST_F(RunBookTest, AnInterruptedCoordinatorLosesNoRecordAndDoublesNone) {
  {
    const auto book = Begin();
    RecordAll(*book, 10);
    ASSERT_THAT(book->Save(10, Files(*book, 10), Agree), IsOk());
    RecordAll(*book, 20);
  }
  // What a power cut has left of a record.
  auto file =
      files_.OpenForWrite(directory_.File("metrics.jsonl"), WriteMode::kAppend);
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT((*file)->Append("{\"event\":\"train\",\"step\":30"), IsOk());
  ASSERT_THAT((*file)->Close(), IsOk());

  const auto book = Open(Session::kSame);
  EXPECT_EQ(book->committed_step(), 10);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, validation 10, validation 20, sample 10, "
            "sample 20, ");
  EXPECT_EQ(book->Recorded(RecordKind::kTrain), 20);
  for (const int64_t step : {20, 30}) RecordAll(*book, step);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, train 30, validation 10, validation 20, "
            "validation 30, sample 10, sample 20, sample 30, ");
}

TEST_F(RunBookTest, WhatAnInterruptedUploadHasLeftIsSwept) {
  ASSERT_THAT(Begin()->Save(10, CheckpointFilesOf(10), Agree), IsOk());
  const std::string unfinished =
      directory_.File("checkpoints/step-00000020.unfinished");
  ASSERT_THAT(files_.CreateDirectories(unfinished), IsOk());
  ASSERT_THAT(WriteFile(files_, JoinPath(unfinished, "model.safetensors"), "x"),
              IsOk());
  Open(Session::kSame);
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
}

TEST_F(RunBookTest, ARecordOnAFullDiskIsNotAcknowledgedUntilItIsThere) {
  const auto book = Begin();
  RecordAll(*book, 10);
  Fill();
  EXPECT_THAT(book->Train(Train(20)), StatusIs(kResourceExhausted));
  EXPECT_THAT(book->Train(Train(20)), StatusIs(kResourceExhausted));
  EXPECT_THAT(book->Sample({20, 2.5, "text"}), StatusIs(kResourceExhausted));
  // Whoever asks is told of what is safe only.
  EXPECT_EQ(book->Recorded(RecordKind::kTrain), 10);
  EXPECT_EQ(book->Recorded(RecordKind::kSample), 10);
  EXPECT_EQ(Recorded(), "train 10, validation 10, sample 10, ");
  Empty();
  EXPECT_THAT(book->Train(Train(20)), IsOk());
  EXPECT_THAT(book->Sample({20, 2.5, "text"}), IsOk());
  EXPECT_EQ(book->Recorded(RecordKind::kTrain), 20);
  EXPECT_EQ(book->Recorded(RecordKind::kSample), 20);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, validation 10, sample 10, sample 20, ");
}

TEST_F(RunBookTest, HalfARecordIsMadeUpForByItsRepeat) {
  const auto book = Begin();
  const std::string before = Read("metrics.jsonl");
  Fault fault;
  fault.crash = true;
  fault.bytes_appended = 7;
  files_.Inject(fault);
  EXPECT_THAT(book->Train(Train(10)), Not(IsOk()));
  EXPECT_EQ(Read("metrics.jsonl").size(), before.size() + 7);
  Empty();
  EXPECT_THAT(book->Train(Train(10)), IsOk());
  EXPECT_EQ(Recorded(), "train 10, ");
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\n"), Count(before, "\n") + 1);
}

// Whichever operation fails, the earlier checkpoint stays whole, and the same
// one is committed by a second try.
TEST_F(RunBookTest, SavingOnAFullDiskKeepsTheEarlierCheckpoint) {
  const auto book = Begin();
  ASSERT_THAT(book->Save(1, CheckpointFilesOf(1), Agree), IsOk());
  Empty();
  ASSERT_THAT(book->Save(2, CheckpointFilesOf(2), Agree), IsOk());
  const int64_t operations = files_.num_operations();
  int64_t step = 2;
  for (int64_t i = 0; i < operations; ++i) {
    const int64_t earlier = book->committed_step();
    ++step;
    Fault fault;
    fault.operation = i;
    fault.crash = true;
    files_.Inject(fault);
    const absl::Status saved = book->Save(step, CheckpointFilesOf(step), Agree);
    Empty();
    EXPECT_EQ(book->committed_step(), saved.ok() ? step : earlier) << i;
    EXPECT_THAT(book->Read(earlier), IsOk()) << i;
    EXPECT_EQ(ByName(*book->Read(earlier)), ByName(CheckpointFilesOf(earlier)))
        << i;
    EXPECT_THAT(book->Save(step, CheckpointFilesOf(step), Agree), IsOk()) << i;
    EXPECT_EQ(book->committed_step(), step);
    EXPECT_EQ(*files_.ReadSymlink(directory_.File("latest")),
              absl::StrCat("checkpoints/step-",
                           step < 10 ? "0000000" : "000000", step))
        << i;
  }
}

TEST_F(RunBookTest,
       ConfirmIsAskedOnceAllIsOnTheDiskAndItsRefusalLeavesNothing) {
  const auto book = Begin();
  ASSERT_THAT(book->Save(10, CheckpointFilesOf(10), Agree), IsOk());
  std::vector<std::string> seen;
  EXPECT_THAT(book->Save(20, CheckpointFilesOf(20),
                         [&] {
                           seen = Checkpoints();
                           return absl::AbortedError("over");
                         }),
              StatusIs(absl::StatusCode::kAborted, "over"));
  EXPECT_THAT(seen, ElementsAre("step-00000010", "step-00000020.unfinished"));
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
  EXPECT_EQ(book->committed_step(), 10);
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\"checkpoint\""), 1);
}

TEST_F(RunBookTest, AStepThatIsCommittedStaysAsItIs) {
  const auto book = Begin();
  const auto files = CheckpointFilesOf(10);
  ASSERT_THAT(book->Save(10, files, Agree), IsOk());
  const auto never = [] { return absl::InternalError("asked"); };
  EXPECT_THAT(book->Save(10, CheckpointFilesOf(10, 2), never), IsOk());
  EXPECT_THAT(book->Save(5, CheckpointFilesOf(5), never), IsOk());
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000010"));
  EXPECT_EQ(ByName(*book->Read(10)), ByName(files));
  EXPECT_THAT(book->Read(5), StatusIs(kNotFound));
  EXPECT_THAT(book->Read(-5), StatusIs(kNotFound));
}

TEST_F(RunBookTest, ACheckpointOfAnotherStepIsRefused) {
  const auto book = Begin();
  EXPECT_THAT(book->Save(20, CheckpointFilesOf(10), Agree),
              StatusIs(kDataLoss, HasSubstr("10")));
  EXPECT_THAT(Checkpoints(), IsEmpty());
}

TEST_F(RunBookTest, ADamagedCheckpointIsRefused) {
  const auto book = Begin();
  const auto good = CheckpointFilesOf(10);
  for (size_t i = 0; i < good.size(); ++i) {
    auto files = good;
    files[i].bytes[files[i].bytes.size() / 2] ^= 1;
    EXPECT_THAT(book->Save(10, files, Agree), StatusIs(kDataLoss))
        << good[i].name;
    files = good;
    files[i].bytes.pop_back();
    EXPECT_THAT(book->Save(10, files, Agree), StatusIs(kDataLoss))
        << good[i].name;
    files = good;
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(book->Save(10, files, Agree), StatusIs(kDataLoss))
        << good[i].name;
  }
  EXPECT_THAT(book->Save(10, {}, Agree), StatusIs(kDataLoss));
  EXPECT_THAT(Checkpoints(), IsEmpty());
  EXPECT_EQ(book->committed_step(), 0);
}

TEST_F(RunBookTest, OldCheckpointsAreDeletedAndTheBestIsKept) {
  TrainingConfig training;
  training.keep_checkpoints = 2;
  const auto book = Open();
  ASSERT_THAT(book->Begin(RunConfig(training)), IsOk());
  for (int64_t step = 1; step <= 5; ++step) {
    TrainProgress progress;
    progress.step = step;
    progress.best_step = 2 <= step ? 2 : 1;
    ASSERT_THAT(book->Save(step, CheckpointFiles(progress), Agree), IsOk());
  }
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000002", "step-00000004", "step-00000005"));
  EXPECT_EQ(book->best_step(), 2);
}

// Records of later steps may come before a checkpoint: a run that goes on from
// there keeps those up to its step, and each of the others is made again.
TEST_F(RunBookTest, ACheckpointNamesTheRecordsUpToItsStep) {
  {
    const auto book = Begin();
    book->Generation(1, 2, 0, "the first");
    RecordAll(*book, 10);
    RecordAll(*book, 20);
    RecordAll(*book, 30);
    ASSERT_THAT(book->Save(20, Files(*book, 20), Agree), IsOk());
    RecordAll(*book, 40);
  }
  const auto book = Open(Session::kNew);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, validation 10, validation 20, sample 10, "
            "sample 20, ");
  // As `train --resume` would: from 20 on everything once more.
  for (const int64_t step : {30, 40}) RecordAll(*book, step);
  EXPECT_EQ(Recorded(),
            "train 10, train 20, train 30, train 40, validation 10, "
            "validation 20, validation 30, validation 40, sample 10, "
            "sample 20, sample 30, sample 40, ");
  EXPECT_EQ(Count(Read("metrics.jsonl"), "\"event\":\"generation\""), 1);
}

TEST_F(RunBookTest, TheSizesOfACheckpointAreWhereTheNextStepsRecordsBegin) {
  const auto book = Begin();
  RecordAll(*book, 10);
  const RecordSizes ten = {static_cast<int64_t>(Read("metrics.jsonl").size()),
                           static_cast<int64_t>(Read("samples.txt").size())};
  RecordAll(*book, 20);
  for (const int64_t step : {10, 15, 19}) {
    EXPECT_EQ(book->SizesAsOf(step).metrics, ten.metrics) << step;
    EXPECT_EQ(book->SizesAsOf(step).samples, ten.samples) << step;
  }
  EXPECT_EQ(book->SizesAsOf(20).metrics, Read("metrics.jsonl").size());
  EXPECT_EQ(book->SizesAsOf(9).metrics, 0);
}

}  // namespace
}  // namespace charrnn
