#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/files.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

// A page each, so that one can be cut off without the other.
constexpr int64_t kPage = 4096;

std::string FileOf(const std::string& contents) {
  static int count = 0;
  const std::string path =
      JoinPath(::testing::TempDir(), absl::StrCat("mapped", count++));
  const absl::Status status = WriteFile(*FileSystem::Real(), path, contents);
  EXPECT_TRUE(status.ok()) << status;
  return path;
}

std::unique_ptr<MappedFile> Open(const std::string& path) {
  auto file = MappedFile::Open(path);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

TEST(MappedFileTest, AnyPartOfAFileCanBeRead) {
  const auto file = Open(FileOf("abcdef"));
  ASSERT_EQ(file->size(), 6);
  std::string bytes(3, 0);
  ASSERT_TRUE(file->Read(2, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes, "cde");
  ASSERT_TRUE(file->Read(3, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes, "def");
  EXPECT_TRUE(file->Read(6, absl::Span<char>()).ok());
}

TEST(MappedFileTest, AnEmptyFileHasNothingToRead) {
  const auto file = Open(FileOf(""));
  EXPECT_EQ(file->size(), 0);
  EXPECT_TRUE(file->Read(0, absl::Span<char>()).ok());
}

TEST(MappedFileTest, WhatIsNoFileIsRefusedByName) {
  const std::string missing = JoinPath(::testing::TempDir(), "missing");
  EXPECT_TRUE(absl::IsNotFound(MappedFile::Open(missing).status()));
  EXPECT_THAT(std::string(MappedFile::Open(missing).status().message()),
              HasSubstr(missing));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      MappedFile::Open(::testing::TempDir()).status()));
  const std::string pipe = JoinPath(::testing::TempDir(), "pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(MappedFile::Open(pipe).status()));
}

TEST(MappedFileTest, WhatWasCutOffSinceIsAnErrorFromThenOn) {
  const std::string path = FileOf(std::string(3 * kPage, 'a'));
  const auto file = Open(path);
  const auto other = Open(path);
  ASSERT_EQ(truncate(path.c_str(), kPage), 0);
  std::array<char, 8> bytes;
  EXPECT_TRUE(file->Read(0, absl::MakeSpan(bytes)).ok());
  for (const int64_t offset : {kPage + 100, 2 * kPage - 4, kPage + 100}) {
    const absl::Status status = file->Read(offset, absl::MakeSpan(bytes));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
  EXPECT_FALSE(other->Read(2 * kPage, absl::MakeSpan(bytes)).ok());
}

TEST(MappedFileTest, NoThreadTakesTheZerosOfAnotherForContents) {
  for (int round = 0; round < 20; ++round) {
    const std::string path = FileOf(std::string(2 * kPage, 'a'));
    const auto file = Open(path);
    const auto whole = Open(FileOf("abc"));
    ASSERT_EQ(truncate(path.c_str(), kPage), 0);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        std::array<char, 3> bytes;
        EXPECT_FALSE(file->Read(kPage, absl::MakeSpan(bytes)).ok());
        EXPECT_TRUE(whole->Read(0, absl::MakeSpan(bytes)).ok());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(MappedFileDeathTest, AnotherBusErrorEndsTheProgramAsEver) {
  const auto file = Open(FileOf("abc"));
  // By the signal, or a sanitizer's word on it.
  EXPECT_DEATH(raise(SIGBUS), "");
}

TEST(MappedFileDeathTest, ReadingOutsideTheFileEndsTheProgram) {
  const auto file = Open(FileOf("abc"));
  std::array<char, 2> bytes;
  EXPECT_DEATH(file->Read(2, absl::MakeSpan(bytes)).IgnoreError(),
               "2 bytes at 2 of 3");
  EXPECT_DEATH(file->Read(-1, absl::MakeSpan(bytes)).IgnoreError(),
               "2 bytes at -1 of 3");
}

}  // namespace
}  // namespace charrnn
