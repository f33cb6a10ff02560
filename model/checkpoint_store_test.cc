#include "model/checkpoint_store.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The checkpoint of a step whose weights are all `step`.
Checkpoint At(int64_t step, int64_t best_step) {
  ModelConfig config;
  config.vocab_size = 2;
  config.embedding_dim = 1;
  config.hidden_dim = 1;
  const std::vector<float> values(ParameterLayout(config).flat_size());
  Checkpoint checkpoint = {
      {config, {}, *Vocab::FromText("ab", Encoding::kUtf8), values},
      values,
      values,
      {}};
  checkpoint.progress.step = step;
  checkpoint.progress.best_step = best_step;
  return checkpoint;
}

class CheckpointStoreTest : public testing::Test {
 protected:
  LocalCheckpointStore Store(int keep = 3) {
    return {&files_, directory_.path(), keep};
  }

  std::vector<std::string> Checkpoints() {
    return *files_.ListDirectory(directory_.File("checkpoints"));
  }

  std::string Link(const std::string& name) {
    return files_.ReadSymlink(directory_.File(name)).value_or("none");
  }

  // The newest step that a run would go on from; -1 if there is none. Puts the
  // folder in order as a run would.
  int64_t Recover() {
    LocalCheckpointStore store = Store();
    const auto found = store.Find();
    EXPECT_THAT(found, IsOk());
    if (!found.ok()) return -1;
    EXPECT_THAT(store.TidyUp(*found), IsOk());
    return found->newest.has_value() ? found->newest->progress.step : -1;
  }

  void Flip(const std::string& path) {
    std::string bytes = *files_.ReadFile(path);
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_THAT(WriteFileAtomically(files_, path, bytes), IsOk());
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
};

TEST_F(CheckpointStoreTest, LinksLeadToTheLatestAndTheBest) {
  LocalCheckpointStore store = Store();
  EXPECT_THAT(store.Save(At(5, 5)),
              IsOkAndHolds(EndsWith("checkpoints/step-00000005")));
  EXPECT_THAT(store.Save(At(10, 5)), IsOk());
  EXPECT_EQ(Link("latest"), "checkpoints/step-00000010");
  EXPECT_EQ(Link("best"), "checkpoints/step-00000005");
  EXPECT_THAT(*files_.ListDirectory(directory_.File("best")),
              ElementsAre("MANIFEST.json", "model.safetensors",
                          "optimizer.safetensors", "trainer.json"));
}

TEST_F(CheckpointStoreTest, TheNewestAndTheBestAreKept) {
  LocalCheckpointStore store = Store(/*keep=*/2);
  for (int64_t step = 1; step <= 6; ++step) {
    ASSERT_THAT(store.Save(At(step, step < 2 ? 0 : 2)), IsOk());
  }
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000002", "step-00000005", "step-00000006"));
}

TEST_F(CheckpointStoreTest, StepsAreOrderedAsNumbersAndOtherNamesAreLeftAlone) {
  const std::string other =
      directory_.File("checkpoints/step-00000001.corrupt");
  ASSERT_THAT(files_.CreateDirectories(other), IsOk());
  LocalCheckpointStore store = Store(/*keep=*/1);
  for (const int64_t step : {99'999'999, 100'000'000}) {
    ASSERT_THAT(store.Save(At(step, step)), IsOk());
  }
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000001.corrupt", "step-100000000"));
  EXPECT_EQ(Recover(), 100'000'000);
}

TEST_F(CheckpointStoreTest, AStepSavedAgainMayBecomeTheBest) {
  LocalCheckpointStore store = Store();
  ASSERT_THAT(store.Save(At(1, 1)), IsOk());
  ASSERT_THAT(store.Save(At(2, 1)), IsOk());
  ASSERT_THAT(store.Save(At(2, 2)), IsOk());
  EXPECT_THAT(Checkpoints(), SizeIs(2));
  EXPECT_EQ(Link("best"), "checkpoints/step-00000002");
}

TEST_F(CheckpointStoreTest, AFolderWithoutCheckpointsHasNone) {
  EXPECT_EQ(Recover(), -1);
  EXPECT_THAT(*files_.ListDirectory(directory_.path()), IsEmpty());
}

TEST_F(CheckpointStoreTest, ABrokenCheckpointIsSetAsideForTheOneBefore) {
  for (const std::string name : {"MANIFEST.json", "model.safetensors",
                                 "optimizer.safetensors", "trainer.json"}) {
    for (const bool flipped : {true, false}) {
      const std::string folder = directory_.File("checkpoints");
      ASSERT_THAT(RemoveRecursively(files_, folder), IsOk());
      ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
      ASSERT_THAT(Store().Save(At(2, 2)), IsOk());
      const std::string file = absl::StrCat(folder, "/step-00000002/", name);
      if (flipped) {
        Flip(file);
      } else {
        ASSERT_THAT(files_.Remove(file), IsOk());
      }
      EXPECT_EQ(Recover(), 1) << name;
      EXPECT_THAT(Checkpoints(),
                  ElementsAre("step-00000001", "step-00000002.corrupt"));
      EXPECT_EQ(Link("latest"), "checkpoints/step-00000001");
      EXPECT_EQ(Link("best"), "checkpoints/step-00000001");
    }
  }
}

TEST_F(CheckpointStoreTest, ACheckpointUnderAnotherStepsNameIsBroken) {
  ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
  ASSERT_THAT(Store().Save(At(3, 3)), IsOk());
  ASSERT_THAT(files_.Rename(directory_.File("checkpoints/step-00000003"),
                            directory_.File("checkpoints/step-00000002")),
              IsOk());
  EXPECT_EQ(Recover(), 1);
}

TEST_F(CheckpointStoreTest, WhatIsBrokenIsNeverOverwrittenByWhatIsToo) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
    ASSERT_THAT(Store().Save(At(2, 1)), IsOk());
    Flip(directory_.File("checkpoints/step-00000002/trainer.json"));
    EXPECT_EQ(Recover(), 1);
  }
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000001", "step-00000002.corrupt",
                          "step-00000002.corrupt.1"));
}

TEST_F(CheckpointStoreTest, WhereNothingIsWholeNothingIsTouched) {
  ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
  Flip(directory_.File("checkpoints/step-00000001/model.safetensors"));
  EXPECT_THAT(Store().Find(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("none of its checkpoints is whole: "
                                 "step-00000001: model.safetensors: ")));
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000001"));
}

TEST_F(CheckpointStoreTest, ALaterVersionsCheckpointIsNotSetAside) {
  ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
  ASSERT_THAT(Store().Save(At(2, 2)), IsOk());
  const std::string manifest =
      directory_.File("checkpoints/step-00000002/MANIFEST.json");
  // With the CRC32C of what stands before it.
  ASSERT_THAT(WriteFileAtomically(files_, manifest,
                                  "{\"format\":\"charrnn.checkpoint.2\""
                                  ",\"crc32c\":\"7922f8f7\"}\n"),
              IsOk());
  EXPECT_THAT(Store().Find(), StatusIs(absl::StatusCode::kUnimplemented,
                                       HasSubstr("step-00000002")));
}

TEST_F(CheckpointStoreTest, LinksAreMadeAnewFromWhatTheNewestKnows) {
  ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
  ASSERT_THAT(Store().Save(At(2, 1)), IsOk());
  for (const char* link : {"latest", "best"}) {
    ASSERT_THAT(files_.Remove(directory_.File(link)), IsOk());
  }
  EXPECT_EQ(Recover(), 2);
  EXPECT_EQ(Link("latest"), "checkpoints/step-00000002");
  EXPECT_EQ(Link("best"), "checkpoints/step-00000001");
}

TEST_F(CheckpointStoreTest, AStepSavedAgainTakesTheOldOnesPlace) {
  ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
  Checkpoint due = At(2, 1);
  due.progress.due = true;
  ASSERT_THAT(Store().Save(due), IsOk());
  ASSERT_THAT(Store().Save(At(2, 2)), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto found, Store().Find());
  EXPECT_FALSE(found.newest->progress.due);
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000001", "step-00000002"));
}

TEST_F(CheckpointStoreTest, ACrashWhileAStepIsSavedAgainLosesNeither) {
  constexpr int64_t kOperations = 40;  // of a save that replaces, about
  for (int64_t failing = 0; failing < kOperations; ++failing) {
    for (const bool crash : {true, false}) {
      const TempDirectory directory;
      FaultInjectingFileSystem faulty(&files_);
      LocalCheckpointStore store(&faulty, directory.path(), 1);
      ASSERT_THAT(store.Save(At(2, 0)), IsOk());
      Fault fault;
      fault.operation = failing;
      fault.crash = crash;
      faulty.Inject(fault);
      store.Save(At(2, 2)).status().IgnoreError();
      LocalCheckpointStore again(&files_, directory.path(), 1);
      CHARRNN_ASSERT_OK_AND_ASSIGN(const auto found, again.Find());
      EXPECT_EQ(found.newest->progress.step, 2) << failing;
      EXPECT_THAT(found.broken, IsEmpty());
      ASSERT_THAT(again.TidyUp(found), IsOk());
      EXPECT_THAT(*files_.ListDirectory(directory.File("checkpoints")),
                  ElementsAre("step-00000002"));
    }
  }
}

TEST_F(CheckpointStoreTest, ABrokenBestIsSetAsideAndTheNextOneTakesItsPlace) {
  for (const bool gone : {false, true}) {
    ASSERT_THAT(RemoveRecursively(files_, directory_.File("checkpoints")),
                IsOk());
    Checkpoint best = At(1, 1);
    best.progress.best_loss = 1.5;
    ASSERT_THAT(Store().Save(best), IsOk());
    Checkpoint newest = At(2, 1);
    newest.progress.best_loss = 1.5;
    ASSERT_THAT(Store().Save(newest), IsOk());
    const std::string folder = directory_.File("checkpoints/step-00000001");
    if (gone) {
      ASSERT_THAT(RemoveRecursively(files_, folder), IsOk());
    } else {
      Flip(JoinPath(folder, "model.safetensors"));
    }
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto found, Store().Find());
    EXPECT_EQ(found.newest->progress.step, 2);
    EXPECT_EQ(found.newest->progress.best_step, 0);
    EXPECT_GT(found.newest->progress.best_loss, 1e300);
    ASSERT_THAT(Store().TidyUp(found), IsOk());
    EXPECT_EQ(Link("best"), "none");
    EXPECT_EQ(files_.Exists(folder + ".corrupt"), !gone);
  }
}

TEST_F(CheckpointStoreTest, CheckpointsThatAreOutOfReachAreMissed) {
  ASSERT_THAT(Store().Save(At(1, 1)), IsOk());
  ASSERT_THAT(files_.Rename(directory_.File("checkpoints"),
                            directory_.File("elsewhere")),
              IsOk());
  EXPECT_THAT(Store().Find(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("checkpoints/step-00000001, are not there")));
}

TEST_F(CheckpointStoreTest, WhatAnInterruptedRunDidNotDeleteIsDeleted) {
  for (int64_t step = 1; step <= 4; ++step) {
    ASSERT_THAT(Store(/*keep=*/9).Save(At(step, 1)), IsOk());
  }
  LocalCheckpointStore store = Store(/*keep=*/2);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto found, store.Find());
  ASSERT_THAT(store.TidyUp(found), IsOk());
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000001", "step-00000003", "step-00000004"));
}

TEST_F(CheckpointStoreTest, ADiskThatIsTooSmallIsRefused) {
  EXPECT_THAT(Store().CheckSpace(/*checkpoint_bytes=*/1000, /*saves=*/10),
              IsOk());
  EXPECT_THAT(Store().CheckSpace(int64_t{1} << 61, /*saves=*/2),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("2 x 2305843009213.7 MB")));
  EXPECT_THAT(
      Store(/*keep=*/7).CheckSpace(int64_t{1} << 60, /*saves=*/100),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("9 x ")));
}

// What a run finds that comes after one that ended at any operation of a save
// with its retention: the checkpoint before it, or the new one.
TEST_F(CheckpointStoreTest, ACrashAtAnyOperationLeavesTheNewestWhole) {
  int64_t operations = 0;
  for (int64_t failing = -1; failing < operations || failing < 0; ++failing) {
    for (const size_t bytes : {0, 5}) {
      const TempDirectory directory;
      FaultInjectingFileSystem faulty(&files_);
      LocalCheckpointStore store(&faulty, directory.path(), 1);
      ASSERT_THAT(store.Save(At(1, 0)), IsOk());
      ASSERT_THAT(store.Save(At(2, 2)), IsOk());
      Fault fault;
      fault.operation = failing < 0 ? 1'000'000 : failing;
      fault.status = absl::ResourceExhaustedError("no space left");
      fault.crash = true;
      fault.bytes_appended = bytes;
      faulty.Inject(fault);
      // Deletes step 2, which is neither the best nor the newest any more.
      const bool saved = store.Save(At(3, 3)).ok();
      if (failing < 0) {
        ASSERT_TRUE(saved);
        operations = faulty.num_operations();
        ASSERT_GE(operations, 20);
      }

      LocalCheckpointStore again(&files_, directory.path(), 1);
      CHARRNN_ASSERT_OK_AND_ASSIGN(const LocalCheckpointStore::Found found,
                                   again.Find());
      ASSERT_TRUE(found.newest.has_value());
      const int64_t newest = found.newest->progress.step;
      EXPECT_TRUE(newest == 3 || (newest == 2 && !saved)) << failing;
      EXPECT_THAT(found.broken, IsEmpty()) << failing;
      ASSERT_THAT(again.TidyUp(found), IsOk());
      for (const char* link : {"latest", "best"}) {
        EXPECT_THAT(files_.ReadSymlink(directory.File(link)),
                    IsOkAndHolds(EndsWith(absl::StrCat(newest))));
      }
      // Nothing is left of it, and nothing hinders the next save.
      ASSERT_THAT(again.Save(At(3, 3)), IsOk()) << failing;
      ASSERT_THAT(again.Save(At(4, 4)), IsOk()) << failing;
      EXPECT_THAT(*files_.ListDirectory(directory.File("checkpoints")),
                  ElementsAre("step-00000004"))
          << failing;
      EXPECT_THAT(*files_.ListDirectory(directory.path()),
                  ElementsAre("best", "checkpoints", "latest"))
          << failing;
    }
  }
}

TEST_F(CheckpointStoreTest, AFailedSaveIsMadeUpForByTheNextOne) {
  int64_t operations = 100;
  for (int64_t failing = 0; failing < operations; ++failing) {
    const TempDirectory directory;
    FaultInjectingFileSystem faulty(&files_);
    LocalCheckpointStore store(&faulty, directory.path(), 1);
    ASSERT_THAT(store.Save(At(1, 1)), IsOk());
    Fault fault;
    fault.operation = failing;
    faulty.Inject(fault);
    // Once it is committed, what fails is said and no error.
    store.Save(At(2, 2)).status().IgnoreError();
    operations = faulty.num_operations();
    EXPECT_THAT(store.Save(At(3, 3)), IsOk()) << failing;
    LocalCheckpointStore again(&files_, directory.path(), 1);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const LocalCheckpointStore::Found found,
                                 again.Find());
    EXPECT_EQ(found.newest->progress.step, 3);
    EXPECT_THAT(found.broken, IsEmpty());
  }
}

}  // namespace
}  // namespace charrnn
