#include "model/run_directory.h"

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

class RunDirectoryTest : public testing::Test {
 protected:
  // The path of a new run, whose process has ended.
  absl::StatusOr<std::string> Create(const std::string& run_dir) {
    auto directory = CreateRunDirectory(files_, clock_, runs_, run_dir);
    if (!directory.ok()) return directory.status();
    return directory->path;
  }

  // The path of the run that goes on, whose process has ended; "none".
  std::string Open(const std::string& run_dir) {
    const auto directory = OpenRunDirectory(files_, runs_, run_dir);
    EXPECT_THAT(directory, IsOk());
    return directory.ok() && directory->has_value() ? (*directory)->path
                                                    : "none";
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
}

TEST_F(RunDirectoryTest, LatestFollowsTheNewestRunBelowRuns) {
  const auto latest = [&](const std::string& run_dir) {
    EXPECT_THAT(MarkLatest(files_, runs_, run_dir), IsOk());
    return files_.ReadSymlink(JoinPath(runs_, "latest")).value_or("");
  };
  ASSERT_THAT(Create(JoinPath(runs_, "one")), IsOk());
  EXPECT_EQ(latest(JoinPath(runs_, "one")), "one");
  // However the same folder is written.
  EXPECT_EQ(latest(directory_.File("./runs//two")), "two");
  EXPECT_EQ(latest(JoinPath(runs_, "../runs/three")), "three");
  EXPECT_EQ(latest(directory_.File("elsewhere")), "three");
  EXPECT_EQ(latest(JoinPath(runs_, "three/deeper")), "three");
  EXPECT_FALSE(files_.Exists(directory_.File("latest")));
}

TEST_F(RunDirectoryTest, OfManyThatWantAFolderOneGetsIt) {
  const std::string path = directory_.File("wanted");
  std::atomic<int> got = 0;
  ThreadPool pool(4);
  pool.ParallelFor(64, [&](int64_t) { got += Create(path).ok(); });
  EXPECT_EQ(got, 1);
}

TEST_F(RunDirectoryTest, AFolderWithoutFilesOfARunIsTaken) {
  const std::string path = directory_.File("mine");
  ASSERT_THAT(files_.CreateDirectories(path), IsOk());
  ASSERT_THAT(WriteFileAtomically(files_, JoinPath(path, "notes.txt"), "x"),
              IsOk());
  EXPECT_THAT(Create(path), IsOkAndHolds(path));
}

TEST_F(RunDirectoryTest, AFolderWithAFileOfARunIsRefused) {
  for (const char* name : {"checkpoints", "config.json", "report.html",
                           "events.out.tfevents.1.host"}) {
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
  EXPECT_THAT(Create(JoinPath(runs_, "latest")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("link")));
}

TEST_F(RunDirectoryTest, AFileInItsPlaceIsRefusedAndStays) {
  const std::string path = directory_.File("file");
  ASSERT_THAT(WriteFileAtomically(files_, path, "mine"), IsOk());
  EXPECT_FALSE(Create(path).ok());
  EXPECT_THAT(files_.ReadFile(path), IsOkAndHolds("mine"));
}

TEST_F(RunDirectoryTest, ARunThatIsThereGoesOn) {
  EXPECT_EQ(Open(""), "none");
  EXPECT_EQ(Open(JoinPath(runs_, "one")), "none");
  ASSERT_THAT(Create(JoinPath(runs_, "one")), IsOk());
  EXPECT_EQ(Open(JoinPath(runs_, "one")), JoinPath(runs_, "one"));
  EXPECT_EQ(Open(""), "none");
  ASSERT_THAT(MarkLatest(files_, runs_, JoinPath(runs_, "one")), IsOk());
  EXPECT_EQ(Open(""), JoinPath(runs_, "one"));
  EXPECT_EQ(Open(JoinPath(runs_, "latest")), JoinPath(runs_, "one"));
}

TEST_F(RunDirectoryTest, AFolderThatIsNoRunIsNotLocked) {
  const std::string path = directory_.File("mine");
  ASSERT_THAT(files_.CreateDirectories(path), IsOk());
  EXPECT_EQ(Open(path), "none");
  EXPECT_THAT(files_.ListDirectory(path), IsOkAndHolds(testing::IsEmpty()));
}

TEST_F(RunDirectoryTest, ARunBelongsToOneProcessAtATime) {
  const std::string path = JoinPath(runs_, "one");
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const RunDirectory run,
        CreateRunDirectory(files_, clock_, runs_, path));
    EXPECT_THAT(OpenRunDirectory(files_, runs_, path),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("the run is in use")));
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto run,
                               OpenRunDirectory(files_, runs_, path));
  EXPECT_THAT(OpenRunDirectory(files_, runs_, path),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace charrnn
