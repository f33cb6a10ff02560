#include "base/fault_injecting_files.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;

class FaultInjectingFilesTest : public ::testing::Test {
 protected:
  FaultInjectingFilesTest() {
    EXPECT_TRUE(RemoveRecursively(*FileSystem::Real(), folder_).ok());
    EXPECT_TRUE(FileSystem::Real()->CreateDirectories(folder_).ok());
  }

  // The path of `name` in a folder that is this test's own, and empty.
  std::string Path(const std::string& name) const {
    return JoinPath(folder_, name);
  }

  const std::string folder_ = absl::StrCat(
      ::testing::TempDir(), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name());
  FaultInjectingFileSystem files_{FileSystem::Real()};
};

// Appends "abcdef" to a file, then "ghi"; the first error, or OK.
absl::Status AppendTwice(FileSystem& files, const std::string& path) {
  auto file = files.OpenForWrite(path, WriteMode::kTruncate);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->Append("abcdef");
  status.Update((*file)->Append("ghi"));
  status.Update((*file)->Sync());
  status.Update((*file)->Close());
  return status;
}

TEST_F(FaultInjectingFilesTest, EveryOperationThatChangesSomethingIsNoted) {
  ASSERT_TRUE(files_.CreateDirectories(Path("d")).ok());
  ASSERT_TRUE(AppendTwice(files_, Path("d/a")).ok());
  ASSERT_TRUE(files_.Rename(Path("d/a"), Path("d/b")).ok());
  ASSERT_TRUE(files_.CreateSymlink("b", Path("d/link")).ok());
  ASSERT_TRUE(files_.SyncDirectory(Path("d")).ok());
  ASSERT_TRUE(files_.Remove(Path("d/b")).ok());
  EXPECT_THAT(files_.operations(),
              ElementsAre("CreateDirectories", "OpenForWrite", "Append",
                          "Append", "Sync", "Close", "Rename", "CreateSymlink",
                          "SyncDirectory", "Remove"));
  EXPECT_EQ(files_.num_operations(), 10);
}

TEST_F(FaultInjectingFilesTest, ReadingIsNotNotedAndNeverFails) {
  ASSERT_TRUE(AppendTwice(files_, Path("a")).ok());
  ASSERT_TRUE(files_.CreateSymlink("a", Path("link")).ok());
  files_.Inject({/*operation=*/0, absl::InternalError("dead"), /*crash=*/true});
  EXPECT_EQ(*files_.ReadFile(Path("a")), "abcdefghi");
  EXPECT_THAT(*files_.ListDirectory(folder_), ElementsAre("a", "link"));
  EXPECT_EQ(*files_.ReadSymlink(Path("link")), "a");
  EXPECT_EQ(*files_.Kind(Path("link")), FileKind::kSymlink);
  EXPECT_TRUE(files_.Exists(Path("a")));
  EXPECT_EQ(files_.num_operations(), 0);
}

TEST_F(FaultInjectingFilesTest, FailedOperationHasNotHappened) {
  ASSERT_TRUE(AppendTwice(files_, Path("a")).ok());
  const absl::Status full = absl::ResourceExhaustedError("full");

  files_.Inject({0, full});
  EXPECT_EQ(files_.Rename(Path("a"), Path("b")), full);
  files_.Inject({0, full});
  EXPECT_EQ(files_.Remove(Path("a")), full);
  files_.Inject({0, full});
  EXPECT_EQ(files_.CreateDirectories(Path("d")), full);
  files_.Inject({0, full});
  EXPECT_EQ(files_.CreateSymlink("a", Path("link")), full);
  files_.Inject({0, full});
  EXPECT_EQ(files_.SyncDirectory(folder_), full);
  files_.Inject({0, full});
  EXPECT_EQ(files_.OpenForWrite(Path("a"), WriteMode::kTruncate).status(),
            full);

  EXPECT_THAT(*FileSystem::Real()->ListDirectory(folder_), ElementsAre("a"));
  EXPECT_EQ(*FileSystem::Real()->ReadFile(Path("a")), "abcdefghi");
}

TEST_F(FaultInjectingFilesTest, OnlyTheChosenOperationFails) {
  for (int operation = 0; operation < 5; ++operation) {
    files_.Inject({operation});
    EXPECT_TRUE(absl::IsResourceExhausted(AppendTwice(files_, Path("a"))))
        << operation;
  }
  files_.Inject({/*operation=*/1});
  EXPECT_FALSE(AppendTwice(files_, Path("a")).ok());
  EXPECT_EQ(files_.num_operations(), 5);
  EXPECT_EQ(*files_.ReadFile(Path("a")), "ghi");
}

TEST_F(FaultInjectingFilesTest, AfterACrashNothingElseHappens) {
  files_.Inject({/*operation=*/2, absl::AbortedError("dead"), /*crash=*/true});
  EXPECT_EQ(AppendTwice(files_, Path("a")), absl::AbortedError("dead"));
  EXPECT_EQ(files_.Remove(Path("a")), absl::AbortedError("dead"));
  EXPECT_EQ(*FileSystem::Real()->ReadFile(Path("a")), "abcdef");
}

TEST_F(FaultInjectingFilesTest, FailedAppendCanLeaveItsFirstBytes) {
  Fault fault;
  fault.operation = 1;
  fault.crash = true;
  fault.bytes_appended = 4;
  files_.Inject(fault);
  EXPECT_TRUE(absl::IsResourceExhausted(AppendTwice(files_, Path("a"))));
  EXPECT_EQ(*FileSystem::Real()->ReadFile(Path("a")), "abcd");
}

}  // namespace
}  // namespace charrnn
