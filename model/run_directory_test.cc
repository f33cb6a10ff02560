#include "model/run_directory.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

class RunDirectoryTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Create(const std::string& run_dir) {
    return CreateRunDirectory(files_, clock_, runs_, run_dir);
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
  const std::string runs_ = directory_.File("runs");
  FakeClock clock_{absl::FromUnixMillis(1795392434164)};
};

TEST_F(RunDirectoryTest, WithoutANameTheTimeIsTheName) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string path, Create(""));
  EXPECT_EQ(path, JoinPath(runs_, "2026-11-23T00-07-14.164Z"));
  EXPECT_TRUE(files_.Exists(path));
  EXPECT_THAT(files_.ReadSymlink(JoinPath(runs_, "latest")),
              IsOkAndHolds("2026-11-23T00-07-14.164Z"));
}

TEST_F(RunDirectoryTest, LatestFollowsTheNewestRunBelowRuns) {
  ASSERT_THAT(Create(JoinPath(runs_, "one")), IsOk());
  ASSERT_THAT(Create(JoinPath(runs_, "two")), IsOk());
  EXPECT_THAT(files_.ReadSymlink(JoinPath(runs_, "latest")),
              IsOkAndHolds("two"));
  ASSERT_THAT(Create(directory_.File("elsewhere")), IsOk());
  EXPECT_THAT(files_.ReadSymlink(JoinPath(runs_, "latest")),
              IsOkAndHolds("two"));
  EXPECT_FALSE(files_.Exists(directory_.File("latest")));
}

TEST_F(RunDirectoryTest, AFolderWithoutFilesOfARunIsTaken) {
  const std::string path = directory_.File("mine");
  ASSERT_THAT(files_.CreateDirectories(path), IsOk());
  ASSERT_THAT(WriteFileAtomically(files_, JoinPath(path, "notes.txt"), "x"),
              IsOk());
  EXPECT_THAT(Create(path), IsOkAndHolds(path));
}

TEST_F(RunDirectoryTest, AFolderWithAFileOfARunIsRefused) {
  for (const char* name : {"checkpoints", "config.json", "report.html"}) {
    const std::string path = directory_.File(absl::StrCat("old-", name));
    ASSERT_THAT(files_.CreateDirectories(path), IsOk());
    ASSERT_THAT(WriteFileAtomically(files_, JoinPath(path, name), "mine"),
                IsOk());
    EXPECT_THAT(Create(path), StatusIs(absl::StatusCode::kFailedPrecondition,
                                       HasSubstr("--run_dir")));
    EXPECT_THAT(files_.ReadFile(JoinPath(path, name)), IsOkAndHolds("mine"));
  }
}

TEST_F(RunDirectoryTest, TheLinkToTheNewestRunIsNoRun) {
  ASSERT_THAT(Create(""), IsOk());
  EXPECT_THAT(Create(JoinPath(runs_, "latest")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("link")));
}

TEST_F(RunDirectoryTest, AFileInItsPlaceIsRefusedAndStays) {
  const std::string path = directory_.File("file");
  ASSERT_THAT(WriteFileAtomically(files_, path, "mine"), IsOk());
  EXPECT_FALSE(Create(path).ok());
  EXPECT_THAT(files_.ReadFile(path), IsOkAndHolds("mine"));
}

}  // namespace
}  // namespace charrnn
