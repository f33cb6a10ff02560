#include "data/unfinished_folder.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/lines.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using FolderOr = absl::StatusOr<std::unique_ptr<UnfinishedFolder>>;

class UnfinishedFolderTest : public testing::Test {
 protected:
  FolderOr Begin() { return BeginWith(files_); }
  FolderOr BeginWith(FileSystem& files) {
    return UnfinishedFolder::Begin(&files, folder_, [](absl::string_view name) {
      return absl::StartsWith(name, "ours");
    });
  }

  // Makes a file below the test's own folder.
  void Write(const std::string& name, const std::string& contents = "text") {
    const std::string path = directory_.File(name);
    EXPECT_THAT(files_.CreateDirectories(Dirname(path)), IsOk());
    EXPECT_THAT(WriteFile(files_, path, contents), IsOk());
  }

  std::vector<std::string> Names(const std::string& folder = "") {
    return *files_.ListDirectory(directory_.File(folder));
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
  const std::string folder_ = directory_.File("set");
};

TEST_F(UnfinishedFolderTest, TheFolderAppearsWhenItIsCommitted) {
  const FolderOr folder = Begin();
  ASSERT_THAT(folder, IsOk());
  EXPECT_EQ((*folder)->path(), folder_ + ".unfinished");
  Write("set.unfinished/ours1");
  EXPECT_THAT(Names(), ElementsAre("set.unfinished"));
  EXPECT_THAT((*folder)->Commit(), IsOk());
  EXPECT_THAT(Names(), ElementsAre("set"));
  EXPECT_THAT(Names("set"), ElementsAre("ours1"));
}

TEST_F(UnfinishedFolderTest, WithoutACommitNothingIsLeft) {
  {
    const FolderOr folder = Begin();
    ASSERT_THAT(folder, IsOk());
    Write("set.unfinished/ours1");
  }
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(UnfinishedFolderTest, AnEmptyFolderIsTakenAndAFullOneIsNot) {
  EXPECT_THAT(files_.CreateDirectories(folder_), IsOk());
  {
    const FolderOr folder = Begin();
    ASSERT_THAT(folder, IsOk());
    Write("set.unfinished/ours1");
    EXPECT_THAT((*folder)->Commit(), IsOk());
  }
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kAlreadyExists,
                                AllOf(HasSubstr(folder_ + ": exists already"),
                                      HasSubstr("name another folder"))));
  EXPECT_THAT(Names(), ElementsAre("set"));
}

TEST_F(UnfinishedFolderTest, AFileOrLinkInItsPlaceIsNotTouched) {
  Write("set");
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(files_.Remove(folder_), IsOk());
  EXPECT_THAT(files_.CreateSymlink("nowhere", folder_), IsOk());
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(Names(), ElementsAre("set"));
}

TEST_F(UnfinishedFolderTest, AMissingFolderAboveIsNamed) {
  EXPECT_THAT(UnfinishedFolder::Begin(&files_, directory_.File("a/set/"),
                                      [](absl::string_view) { return true; }),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(directory_.File("a/set: ")),
                             HasSubstr("there is no folder"))));
}

TEST_F(UnfinishedFolderTest, ASlashAtTheEndMakesNoDifference) {
  const FolderOr folder = UnfinishedFolder::Begin(
      &files_, folder_ + "/", [](absl::string_view) { return true; });
  ASSERT_THAT(folder, IsOk());
  EXPECT_EQ((*folder)->path(), folder_ + ".unfinished");
}

TEST_F(UnfinishedFolderTest, WhileOneIsAtWorkAnotherIsRefused) {
  const FolderOr folder = Begin();
  ASSERT_THAT(folder, IsOk());
  Write("set.unfinished/ours1");
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr("set: is being made already"),
                                      HasSubstr("process"))));
  EXPECT_THAT(Names("set.unfinished"), ElementsAre(".lock", "ours1"));
  EXPECT_THAT((*folder)->Commit(), IsOk());
}

TEST_F(UnfinishedFolderTest, LeftoversAreRemovedAndSaidAloud) {
  Write("set.unfinished/.lock", "123\n");
  Write("set.unfinished/ours1");
  Write("set.unfinished/ours2");
  Lines lines;
  const LogCapture capture(&lines);
  const FolderOr folder = Begin();
  ASSERT_THAT(folder, IsOk());
  EXPECT_TRUE(lines.Has("warning: " + folder_ +
                        ".unfinished: left by a run that was interrupted"));
  EXPECT_THAT(Names("set.unfinished"), ElementsAre(".lock"));
}

TEST_F(UnfinishedFolderTest, SoIsALockThatIsAllThatIsLeft) {
  Lines lines;
  const LogCapture capture(&lines);
  EXPECT_THAT(Begin(), IsOk());
  EXPECT_FALSE(lines.Has("warning: "));
  Write("set.unfinished/.lock", "123\n");
  EXPECT_THAT(Begin(), IsOk());
  EXPECT_TRUE(lines.Has("warning: " + folder_ +
                        ".unfinished: left by a run that was interrupted"));
}

TEST_F(UnfinishedFolderTest, ALockThatCannotBeRemovedIsAWarning) {
  FaultInjectingFileSystem files(&files_);
  const FolderOr folder = BeginWith(files);
  ASSERT_THAT(folder, IsOk());
  Write("set.unfinished/ours1");
  Lines lines;
  const LogCapture capture(&lines);
  files.Inject({/*operation=*/2});
  EXPECT_THAT((*folder)->Commit(), IsOk());
  EXPECT_THAT(files.operations(),
              ElementsAre("Rename", "SyncDirectory", "Remove"));
  EXPECT_TRUE(lines.Has("warning: injected fault"));
  EXPECT_THAT(Names("set"), ElementsAre(".lock", "ours1"));
}

TEST_F(UnfinishedFolderTest, WhoseNameIsNotSyncedIsWholeWhichIsSaid) {
  FaultInjectingFileSystem files(&files_);
  const FolderOr folder = BeginWith(files);
  ASSERT_THAT(folder, IsOk());
  Write("set.unfinished/ours1");
  files.Inject({/*operation=*/1});
  EXPECT_THAT((*folder)->Commit(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr(folder_ + ": is whole, but a power cut")));
  EXPECT_THAT(Names("set"), ElementsAre("ours1"));
}

TEST_F(UnfinishedFolderTest, WhatSomebodyElseHasMadeIsNotDeleted) {
  Write("set.unfinished/ours1");
  Write("set.unfinished/theirs");
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("set.unfinished/theirs: ")));
  EXPECT_THAT(Names("set.unfinished"), ElementsAre("ours1", "theirs"));
  // Nor is a folder, whatever it is called.
  EXPECT_THAT(files_.Remove(directory_.File("set.unfinished/theirs")), IsOk());
  Write("set.unfinished/ours2/a");
  EXPECT_THAT(Begin(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("set.unfinished/ours2: ")));
}

TEST_F(UnfinishedFolderTest, WhateverFailsTheFolderIsWholeOrNotThere) {
  bool committed = false;
  for (int operation = 0; !committed; ++operation) {
    FaultInjectingFileSystem files(&files_);
    files.Inject({operation});
    {
      const FolderOr folder = BeginWith(files);
      if (folder.ok()) {
        Write("set.unfinished/ours1");
        committed = (*folder)->Commit().ok();
      }
    }
    if (!files_.Exists(folder_)) continue;
    EXPECT_TRUE(files_.Exists(JoinPath(folder_, "ours1")));
    EXPECT_THAT(RemoveRecursively(files_, folder_), IsOk());
  }
}

}  // namespace
}  // namespace charrnn
