#include "base/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/fault_injecting_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() {
    EXPECT_EQ(RemoveRecursively(files_, folder_), absl::OkStatus());
    EXPECT_EQ(files_.CreateDirectories(folder_), absl::OkStatus());
  }

  // The path of `name` in a folder that is this test's own, and empty.
  std::string Path(const std::string& name) const {
    return JoinPath(folder_, name);
  }

  void Write(const std::string& name, absl::string_view contents,
             WriteMode mode = WriteMode::kTruncate) {
    auto file = files_.OpenForWrite(Path(name), mode);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->Append(contents), absl::OkStatus());
    EXPECT_EQ((*file)->Sync(), absl::OkStatus());
    EXPECT_EQ((*file)->Close(), absl::OkStatus());
  }

  // The content of a file, or the error's message.
  std::string Read(const std::string& name) {
    auto contents = files_.ReadFile(Path(name));
    return contents.ok() ? *std::move(contents)
                         : std::string(contents.status().message());
  }

  std::vector<std::string> Names() { return *files_.ListDirectory(folder_); }

  const std::string folder_ = absl::StrCat(
      ::testing::TempDir(), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name());
  FileSystem& files_ = *FileSystem::Real();
};

TEST_F(FilesTest, WhatIsWrittenIsReadBack) {
  for (const size_t size : {0, 1, 4095, 4096, 4097, 1000000}) {
    std::string contents(size, '\0');
    for (size_t i = 0; i < size; ++i) contents[i] = static_cast<char>(i * 7);
    Write("f", contents);
    EXPECT_EQ(Read("f"), contents);
  }
}

TEST_F(FilesTest, TruncatingStartsAfreshAndAppendingGoesOn) {
  Write("f", "first");
  Write("f", "ab");
  Write("f", "cd", WriteMode::kAppend);
  EXPECT_EQ(Read("f"), "abcd");
}

TEST_F(FilesTest, CreatingTakesNothingThatIsThere) {
  Write("f", "ab", WriteMode::kCreate);
  EXPECT_EQ(files_.OpenForWrite(Path("f"), WriteMode::kCreate).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Read("f"), "ab");
}

TEST_F(FilesTest, APlaceIsTriedWithoutTouchingItsNeighbours) {
  Write("f", "ab");
  FaultInjectingFileSystem files(&files_);
  EXPECT_EQ(CheckWritable(files, Path("f")), absl::OkStatus());
  EXPECT_THAT(files.operations(), ElementsAre("OpenForWrite", "Remove"));
  EXPECT_THAT(Names(), ElementsAre("f"));
  EXPECT_EQ(Read("f"), "ab");
  EXPECT_EQ(CheckWritable(files_, Path("none/f")).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FilesTest, AFileLargerThanMemoryIsAnErrorThatNamesIt) {
  Write("huge", "");
  // A hole: it takes no space on the disk.
  ASSERT_EQ(truncate(Path("huge").c_str(), int64_t{1} << 42), 0);
  const absl::Status status = files_.ReadFile(Path("huge")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("huge")));
}

TEST_F(FilesTest, AFileIsReadPieceByPieceToItsEnd) {
  Write("f", "abcdefgh");
  const auto file = files_.OpenForRead(Path("f"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 8);
  std::string text;
  for (const size_t expected : {3, 3, 2, 0, 0}) {
    std::vector<char> buffer(3);
    const auto got = (*file)->Read(absl::MakeSpan(buffer));
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, expected);
    text.append(buffer.data(), *got);
  }
  EXPECT_EQ(text, "abcdefgh");
}

TEST_F(FilesTest, OnlyAFileIsOpenedForReading) {
  EXPECT_EQ(files_.OpenForRead(Path("x")).status(),
            absl::NotFoundError(absl::StrCat(
                Path("x"), ": cannot open: No such file or directory")));
  EXPECT_EQ(files_.OpenForRead(folder_).status(),
            absl::FailedPreconditionError(
                absl::StrCat(folder_, ": cannot read: Is a directory")));
  // Nobody writes to the pipe, and nobody waits for that.
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const std::string& path : {Path("pipe"), std::string("/dev/zero")}) {
    EXPECT_EQ(files_.OpenForRead(path).status(),
              absl::InvalidArgumentError(
                  absl::StrCat(path, ": is a pipe or device, not a file")));
  }
}

TEST_F(FilesTest, ReadsFilesThatDoNotTellTheirSize) {
  const auto status = files_.ReadFile("/proc/self/status");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_TRUE(absl::StrContains(*status, "\nPid:"));
}

TEST_F(FilesTest, ADeviceIsNotReadToItsEnd) {
  EXPECT_EQ(files_.ReadFile("/dev/zero").status(),
            absl::InvalidArgumentError("/dev/zero: is a device, not a file"));
}

TEST_F(FilesTest, ErrorsNameThePathTheOperationAndTheReason) {
  ASSERT_TRUE(files_.CreateDirectories(Path("d")).ok());
  Write("d/f", "");
  EXPECT_EQ(files_.ReadFile(Path("x")).status(),
            absl::NotFoundError(absl::StrCat(
                Path("x"), ": cannot open: No such file or directory")));
  EXPECT_EQ(files_.ReadFile(Path("d")).status(),
            absl::FailedPreconditionError(
                absl::StrCat(Path("d"), ": cannot read: Is a directory")));
  EXPECT_EQ(files_.OpenForWrite(Path("x/y"), WriteMode::kTruncate).status(),
            absl::NotFoundError(
                absl::StrCat(Path("x/y"),
                             ": cannot open for writing: No such file or "
                             "directory")));
  EXPECT_EQ(files_.Rename(Path("x"), Path("y")),
            absl::NotFoundError(absl::StrCat(Path("x"), ": cannot rename to ",
                                             Path("y"),
                                             ": No such file or directory")));
  EXPECT_EQ(files_.Remove(Path("d")),
            absl::FailedPreconditionError(absl::StrCat(
                Path("d"), ": cannot remove: Directory not empty")));
  EXPECT_EQ(files_.CreateDirectories(Path("d/f/g")),
            absl::FailedPreconditionError(absl::StrCat(
                Path("d/f/g"), ": cannot create directory: Not a directory")));
  EXPECT_EQ(files_.CreateDirectories(Path("d/f")).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(files_.SyncDirectory(Path("d/f")).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_.CreateSymlink("f", Path("d/f")).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(files_.ListDirectory(Path("x")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.ReadSymlink(Path("d/f")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(files_.Kind(Path("x")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FilesTest, FullDiskIsResourceExhausted) {
  auto full = files_.OpenForWrite("/dev/full", WriteMode::kAppend);
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ((*full)->Append("x"),
            absl::ResourceExhaustedError(
                "/dev/full: cannot write: No space left on device"));
}

TEST_F(FilesTest, DirectoriesAreCreatedWithTheirParentsAndAgain) {
  EXPECT_EQ(files_.CreateDirectories(Path("a/b/c")), absl::OkStatus());
  EXPECT_EQ(*files_.Kind(Path("a/b/c")), FileKind::kDirectory);
  EXPECT_EQ(files_.CreateDirectories(Path("a/b/c")), absl::OkStatus());
  EXPECT_EQ(files_.CreateDirectories(Path("a/b/d/")), absl::OkStatus());
  EXPECT_EQ(files_.CreateSymlink("a", Path("link")), absl::OkStatus());
  EXPECT_EQ(files_.CreateDirectories(Path("link/e")), absl::OkStatus());
  EXPECT_EQ(files_.CreateDirectories("/"), absl::OkStatus());
  EXPECT_THAT(*files_.ListDirectory(Path("a")), ElementsAre("b", "e"));
}

TEST_F(FilesTest, ListIsSortedAndHoldsHiddenFiles) {
  for (const char* name : {"b", "a10", "a9", ".h", "B"}) Write(name, "");
  EXPECT_THAT(Names(), ElementsAre(".h", "B", "a10", "a9", "b"));
}

TEST_F(FilesTest, KindLooksAtTheLinkAndExistsThroughIt) {
  Write("f", "");
  ASSERT_EQ(files_.CreateSymlink("f", Path("link")), absl::OkStatus());
  ASSERT_EQ(files_.CreateSymlink("gone", Path("broken")), absl::OkStatus());
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(*files_.Kind(Path("f")), FileKind::kFile);
  EXPECT_EQ(*files_.Kind(folder_), FileKind::kDirectory);
  EXPECT_EQ(*files_.Kind(Path("link")), FileKind::kSymlink);
  EXPECT_EQ(*files_.Kind(Path("broken")), FileKind::kSymlink);
  EXPECT_EQ(*files_.Kind(Path("pipe")), FileKind::kOther);
  EXPECT_EQ(*files_.ReadSymlink(Path("broken")), "gone");
  EXPECT_TRUE(files_.Exists(Path("link")));
  EXPECT_FALSE(files_.Exists(Path("broken")));
  EXPECT_FALSE(files_.Exists(Path("gone")));
}

TEST_F(FilesTest, RenameReplacesAndRemoveTakesLinksNotTargets) {
  Write("a", "new");
  Write("b", "old");
  EXPECT_EQ(files_.Rename(Path("a"), Path("b")), absl::OkStatus());
  EXPECT_EQ(files_.CreateSymlink("b", Path("link")), absl::OkStatus());
  EXPECT_EQ(files_.Remove(Path("link")), absl::OkStatus());
  EXPECT_THAT(Names(), ElementsAre("b"));
  EXPECT_EQ(Read("b"), "new");
}

TEST_F(FilesTest, AtomicWriteSyncsTheFileBeforeItsNameAndTheNameAfterwards) {
  FaultInjectingFileSystem noted(&files_);
  ASSERT_EQ(WriteFileAtomically(noted, Path("f"), "new"), absl::OkStatus());
  EXPECT_THAT(noted.operations(),
              ElementsAre("OpenForWrite", "Append", "Sync", "Close", "Rename",
                          "SyncDirectory"));
  EXPECT_EQ(Read("f"), "new");
  EXPECT_THAT(Names(), ElementsAre("f"));
}

TEST_F(FilesTest, FailedAtomicWriteLeavesOldOrNewContentAndNoTemporary) {
  constexpr int kRename = 4;
  FaultInjectingFileSystem faulty(&files_);
  for (int operation = 0; operation < 6; ++operation) {
    Write("f", "old");
    Fault fault;
    fault.operation = operation;
    fault.status = absl::ResourceExhaustedError("full");
    fault.bytes_appended = 2;
    faulty.Inject(fault);
    EXPECT_EQ(WriteFileAtomically(faulty, Path("f"), "new"), fault.status)
        << operation;
    EXPECT_EQ(Read("f"), operation <= kRename ? "old" : "new") << operation;
    EXPECT_THAT(Names(), ElementsAre("f")) << operation;
  }
}

TEST_F(FilesTest, FailedAtomicWriteOfANewFileLeavesNothing) {
  FaultInjectingFileSystem faulty(&files_);
  for (int operation = 0; operation < 5; ++operation) {
    faulty.Inject({operation});
    EXPECT_FALSE(WriteFileAtomically(faulty, Path("f"), "new").ok());
    EXPECT_THAT(Names(), IsEmpty()) << operation;
  }
}

TEST_F(FilesTest, CrashInAnAtomicWriteLeavesOldOrNewContent) {
  constexpr int kRename = 4;
  FaultInjectingFileSystem faulty(&files_);
  for (int operation = 0; operation < 6; ++operation) {
    Write("f", "old");
    Fault fault;
    fault.operation = operation;
    fault.crash = true;
    fault.bytes_appended = 2;
    faulty.Inject(fault);
    EXPECT_FALSE(WriteFileAtomically(faulty, Path("f"), "new").ok());
    EXPECT_EQ(Read("f"), operation <= kRename ? "old" : "new") << operation;
    // The next writer is not disturbed by what the crash has left.
    EXPECT_EQ(WriteFileAtomically(files_, Path("f"), "next"), absl::OkStatus());
    EXPECT_EQ(Read("f"), "next");
  }
}

TEST_F(FilesTest, LinkIsReplacedInOneStepOrNotAtAll) {
  FaultInjectingFileSystem faulty(&files_);
  ASSERT_EQ(ReplaceSymlink(faulty, "step-0", Path("latest")), absl::OkStatus());
  EXPECT_THAT(faulty.operations(),
              ElementsAre("CreateSymlink", "Rename", "SyncDirectory"));
  for (int operation = 0; operation < 2; ++operation) {
    faulty.Inject({operation});
    EXPECT_FALSE(ReplaceSymlink(faulty, "step-1", Path("latest")).ok());
    EXPECT_EQ(*files_.ReadSymlink(Path("latest")), "step-0") << operation;
    EXPECT_THAT(Names(), ElementsAre("latest")) << operation;
  }
  EXPECT_EQ(ReplaceSymlink(files_, "step-1", Path("latest")), absl::OkStatus());
  EXPECT_EQ(*files_.ReadSymlink(Path("latest")), "step-1");
}

TEST_F(FilesTest, LinkDoesNotReplaceADirectory) {
  ASSERT_EQ(files_.CreateDirectories(Path("latest")), absl::OkStatus());
  EXPECT_FALSE(ReplaceSymlink(files_, "step-1", Path("latest")).ok());
  EXPECT_EQ(*files_.Kind(Path("latest")), FileKind::kDirectory);
  EXPECT_THAT(Names(), ElementsAre("latest"));
}

TEST_F(FilesTest, RemovingRecursivelyTakesAllButWhatLinksPointTo) {
  Write("kept", "x");
  ASSERT_EQ(files_.CreateDirectories(Path("elsewhere")), absl::OkStatus());
  Write("elsewhere/kept", "x");
  ASSERT_EQ(files_.CreateDirectories(Path("d/e/f")), absl::OkStatus());
  Write("d/e/g", "x");
  ASSERT_EQ(files_.CreateSymlink("../kept", Path("d/file")), absl::OkStatus());
  ASSERT_EQ(files_.CreateSymlink("../elsewhere", Path("d/folder")),
            absl::OkStatus());
  EXPECT_EQ(RemoveRecursively(files_, Path("d")), absl::OkStatus());
  EXPECT_THAT(Names(), ElementsAre("elsewhere", "kept"));
  EXPECT_EQ(Read("elsewhere/kept"), "x");
}

TEST_F(FilesTest, RemovingRecursivelyWhatIsMissingIsDone) {
  EXPECT_EQ(RemoveRecursively(files_, Path("gone")), absl::OkStatus());
}

TEST_F(FilesTest, RemovingRecursivelyReportsTheFirstError) {
  ASSERT_EQ(files_.CreateDirectories(Path("d/e")), absl::OkStatus());
  FaultInjectingFileSystem faulty(&files_);
  faulty.Inject({/*operation=*/0, absl::InternalError("stuck")});
  EXPECT_EQ(RemoveRecursively(faulty, Path("d")), absl::InternalError("stuck"));
  EXPECT_TRUE(files_.Exists(Path("d/e")));
}

TEST(PathTest, JoinPutsOneSlashBetween) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
}

TEST(PathTest, DirnameAndBasenameAreThoseOfTheShell) {
  struct Case {
    const char* path;
    const char* dirname;
    const char* basename;
  };
  for (const Case& c : std::vector<Case>{{"a/b", "a", "b"},
                                         {"a/b/", "a", "b"},
                                         {"a//b", "a", "b"},
                                         {"b", ".", "b"},
                                         {"b/", ".", "b"},
                                         {"/b", "/", "b"},
                                         {"/a/b", "/a", "b"},
                                         {"/", "/", "/"},
                                         {"//", "/", "/"},
                                         {"", ".", ""}}) {
    EXPECT_EQ(Dirname(c.path), c.dirname) << c.path;
    EXPECT_EQ(Basename(c.path), c.basename) << c.path;
  }
}

TEST_F(FilesTest, ALockIsHeldByOneAtATime) {
  auto lock = files_.Lock(Path("lock"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status second = files_.Lock(Path("lock")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()),
              HasSubstr(absl::StrCat("lock: another process holds the lock ",
                                     "(process ", getpid(), ")")));
  lock->reset();
  EXPECT_EQ(files_.Lock(Path("lock")).status(), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(files_.Lock(Path("absent/lock")).status()));
}

TEST_F(FilesTest, TellsHowMuchMayStillBeWritten) {
  const absl::StatusOr<int64_t> free = files_.FreeSpace(folder_);
  ASSERT_TRUE(free.ok()) << free.status();
  EXPECT_GT(*free, 0);
  EXPECT_TRUE(absl::IsNotFound(files_.FreeSpace(Path("absent")).status()));
}

TEST_F(FilesTest, WhatAnInterruptedWriterHasLeftIsRemoved) {
  FaultInjectingFileSystem faulty(&files_);
  for (const bool link : {false, true}) {
    // Dies between the making and the renaming.
    faulty.Inject({link ? 1 : 4, absl::InternalError("dead"), /*crash=*/true});
    if (link) {
      EXPECT_FALSE(ReplaceSymlink(faulty, "target", Path("link")).ok());
    } else {
      EXPECT_FALSE(WriteFileAtomically(faulty, Path("file"), "text").ok());
    }
  }
  // Others' files, however they look.
  for (const char* name : {"my.tmp-1", "my.tmp-0123abcd-", "a.tmp-0123abcx-1",
                           "tmp-0123abcd-1", "x"}) {
    Write(name, "");
  }
  EXPECT_THAT(Names(), ::testing::SizeIs(7));
  EXPECT_EQ(RemoveTemporaries(files_, folder_), absl::OkStatus());
  EXPECT_THAT(Names(), ElementsAre("a.tmp-0123abcx-1", "my.tmp-0123abcd-",
                                   "my.tmp-1", "tmp-0123abcd-1", "x"));
}

}  // namespace
}  // namespace charrnn
