#include "model/metrics/append_log.h"

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
  AppendLog Open() {
    auto file = files_.OpenForWrite(path_, WriteMode::kAppend);
    EXPECT_THAT(file, IsOk());
    return AppendLog(std::move(file).value());
  }
  std::string Contents() { return files_.ReadFile(path_).value_or("missing"); }

  FaultInjectingFileSystem files_{FileSystem::Real()};
  const TempDirectory directory_;
  const std::string path_ = directory_.File("log");
};

TEST_F(AppendLogTest, WritesEachRecordAtOnce) {
  AppendLog log = Open();
  log.Append("one\n");
  EXPECT_EQ(Contents(), "one\n");
  log.Append("two\n");
  EXPECT_EQ(Contents(), "one\ntwo\n");
  EXPECT_THAT(log.Sync(), IsOk());
  EXPECT_THAT(
      files_.operations(),
      ::testing::ElementsAre("OpenForWrite", "Append", "Append", "Sync"));
}

TEST_F(AppendLogTest, KeepsTheFirstFailureAndWritesNothingAfterIt) {
  AppendLog log = Open();
  Fault fault;
  fault.operation = 1;
  fault.status = absl::ResourceExhaustedError("disk full");
  fault.bytes_appended = 2;
  files_.Inject(fault);
  log.Append("one\n");
  EXPECT_THAT(log.status(), IsOk());
  log.Append("two\n");
  log.Append("three\n");
  EXPECT_THAT(log.status(),
              StatusIs(absl::StatusCode::kResourceExhausted, "disk full"));
  EXPECT_THAT(log.Sync(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(Contents(), "one\ntw");
}

TEST_F(AppendLogTest, RemembersAFailedSync) {
  AppendLog log = Open();
  files_.Inject(Fault());
  EXPECT_THAT(log.Sync(), StatusIs(absl::StatusCode::kResourceExhausted));
  log.Append("x");
  EXPECT_EQ(Contents(), "");
}

}  // namespace
}  // namespace charrnn
