#include "model/metrics/append_log.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

class AppendLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<AppendLog> Open(int64_t keep = AppendLog::kAll) {
    auto log = AppendLog::Open(files_, path_, keep);
    EXPECT_THAT(log, IsOk());
    return std::move(log).value();
  }
  std::string Contents() { return files_.ReadFile(path_).value_or("missing"); }

  FaultInjectingFileSystem files_{FileSystem::Real()};
  const TempDirectory directory_;
  const std::string path_ = directory_.File("log");
};

TEST_F(AppendLogTest, WritesEachRecordAtOnce) {
  const auto log = Open();
  log->Append("one\n");
  EXPECT_EQ(Contents(), "one\n");
  log->Append("two\n");
  EXPECT_EQ(Contents(), "one\ntwo\n");
  EXPECT_THAT(log->Sync(), IsOk());
  EXPECT_THAT(
      files_.operations(),
      ::testing::ElementsAre("OpenForWrite", "Append", "Append", "Sync"));
}

TEST_F(AppendLogTest, GoesOnBehindWhatIsKept) {
  Open()->Append("one\ntwo\n");
  EXPECT_EQ(Open()->size(), 8);
  const auto log = Open(/*keep=*/4);
  EXPECT_EQ(log->size(), 4);
  log->Append("three\n");
  EXPECT_EQ(log->size(), 10);
  EXPECT_EQ(Contents(), "one\nthree\n");
  EXPECT_EQ(Open(/*keep=*/0)->size(), 0);
  EXPECT_EQ(Contents(), "");
}

TEST_F(AppendLogTest, WhatFailedIsMadeUpForWithTheNextRecord) {
  const auto log = Open();
  Fault fault;
  fault.operation = 1;
  fault.status = absl::ResourceExhaustedError("disk full");
  fault.bytes_appended = 2;
  files_.Inject(fault);
  log->Append("one\n");
  EXPECT_THAT(log->status(), IsOk());
  log->Append("two\n");
  EXPECT_THAT(log->status(),
              StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
  EXPECT_EQ(Contents(), "one\ntw");
  EXPECT_EQ(log->size(), 8);
  log->Append("three\n");
  EXPECT_THAT(log->status(), IsOk());
  EXPECT_EQ(Contents(), "one\ntwo\nthree\n");
  EXPECT_EQ(log->size(), 14);
}

TEST_F(AppendLogTest, ADiskThatStaysFullKeepsWholeRecords) {
  const auto log = Open();
  log->Append("one\n");
  Fault fault;
  fault.crash = true;
  files_.Inject(fault);
  for (int i = 0; i < 3; ++i) log->Append("more\n");
  EXPECT_FALSE(log->status().ok());
  EXPECT_EQ(Contents(), "one\n");
}

TEST_F(AppendLogTest, AFailedSyncIsToldAndEndsNothing) {
  const auto log = Open();
  files_.Inject(Fault());
  EXPECT_THAT(log->Sync(), StatusIs(absl::StatusCode::kResourceExhausted));
  log->Append("x");
  EXPECT_EQ(Contents(), "x");
}

}  // namespace
}  // namespace charrnn
