#include "model/checkpoint_store.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::SizeIs;

class CheckpointStoreTest : public testing::Test {
 protected:
  std::vector<std::string> Checkpoints() {
    return *files_.ListDirectory(directory_.File("checkpoints"));
  }
  std::string Model(const std::string& link) {
    return files_.ReadFile(JoinPath(directory_.File(link), "model.safetensors"))
        .value_or("none");
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
};

TEST_F(CheckpointStoreTest, LinksLeadToTheLatestAndTheBest) {
  LocalCheckpointStore store(&files_, directory_.path(), 3);
  EXPECT_THAT(store.Save(5, "five", true),
              IsOkAndHolds(EndsWith("checkpoints/step-00000005")));
  EXPECT_THAT(store.Save(10, "ten", false), IsOk());
  EXPECT_EQ(Model("latest"), "ten");
  EXPECT_EQ(Model("best"), "five");
  EXPECT_THAT(files_.ReadSymlink(directory_.File("latest")),
              IsOkAndHolds("checkpoints/step-00000010"));
}

TEST_F(CheckpointStoreTest, TheNewestAndTheBestAreKept) {
  LocalCheckpointStore store(&files_, directory_.path(), 2);
  for (int64_t step = 1; step <= 6; ++step) {
    ASSERT_THAT(store.Save(step, "model", step == 2), IsOk());
  }
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000002", "step-00000005", "step-00000006"));
}

TEST_F(CheckpointStoreTest, StepsAreOrderedAsNumbersAndOtherNamesAreLeftAlone) {
  const std::string other =
      directory_.File("checkpoints/step-00000001.corrupt");
  ASSERT_THAT(files_.CreateDirectories(other), IsOk());
  LocalCheckpointStore store(&files_, directory_.path(), 1);
  for (const int64_t step : {99'999'999, 100'000'000}) {
    ASSERT_THAT(store.Save(step, "model", true), IsOk());
  }
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000001.corrupt", "step-100000000"));
}

TEST_F(CheckpointStoreTest, NothingIsDeletedWhereTheBestIsUnknown) {
  LocalCheckpointStore store(&files_, directory_.path(), 1);
  ASSERT_THAT(WriteFileAtomically(files_, directory_.File("best"), "no link"),
              IsOk());
  for (int64_t step = 1; step <= 3; ++step) {
    ASSERT_THAT(store.Save(step, "model", false), IsOk());
  }
  EXPECT_THAT(Checkpoints(), SizeIs(3));
}

TEST_F(CheckpointStoreTest, AFailureAtAnyOperationLeavesAWholeCheckpoint) {
  // How many operations the second save has, counted on one that succeeds.
  int64_t operations = 0;
  for (int64_t failing = -1; failing < operations || failing < 0; ++failing) {
    const TempDirectory directory;
    FaultInjectingFileSystem faulty(&files_);
    LocalCheckpointStore store(&faulty, directory.path(), 1);
    ASSERT_THAT(store.Save(1, "first", true), IsOk());
    Fault fault;
    fault.operation = failing < 0 ? 1'000'000 : failing;
    fault.status = absl::ResourceExhaustedError("no space left");
    fault.crash = true;
    faulty.Inject(fault);
    const bool saved = store.Save(2, "second", true).ok();
    if (failing < 0) {
      ASSERT_TRUE(saved);
      operations = faulty.num_operations();
      ASSERT_GT(operations, 5);
    }
    for (const char* link : {"latest", "best"}) {
      const std::string model =
          files_.ReadFile(JoinPath(directory.File(link), "model.safetensors"))
              .value_or("none");
      EXPECT_TRUE(model == "first" || model == "second")
          << link << " is '" << model << "' after operation " << failing;
      if (saved) {
        EXPECT_EQ(model, "second") << failing;
      }
    }
    // What is left of it does not hinder a later save.
    LocalCheckpointStore again(&files_, directory.path(), 1);
    EXPECT_THAT(again.Save(2, "again", true), IsOk()) << failing;
    EXPECT_THAT(files_.ReadFile(
                    JoinPath(directory.File("latest"), "model.safetensors")),
                IsOkAndHolds("again"))
        << failing;
  }
}

}  // namespace
}  // namespace charrnn
