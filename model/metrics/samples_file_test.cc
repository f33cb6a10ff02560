#include "model/metrics/samples_file.h"

#include <string>

#include "absl/status/status.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

TEST(SamplesFileTest, WritesEachSampleWithItsStepAndLoss) {
  const TempDirectory directory;
  FileSystem* const files = FileSystem::Real();
  const std::string path = directory.File("samples.txt");
  {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto samples,
                                 SamplesFile::Open(files, path));
    samples->OnSample({100, 2.1034, "ROMEO:\nWhe"});
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto samples,
                               SamplesFile::Open(files, path));
  samples->OnSample({200, 1.5, "\xff"});
  EXPECT_THAT(files->ReadFile(path),
              IsOkAndHolds("==== step 100, loss 2.1034 (3.035 bpc) ====\n"
                           "ROMEO:\nWhe\n\n"
                           "==== step 200, loss 1.5000 (2.164 bpc) ====\n"
                           "\xff\n\n"));
  EXPECT_THAT(samples->status(), IsOk());
}

TEST(SamplesFileTest, ReportsAFailureToWrite) {
  const TempDirectory directory;
  FaultInjectingFileSystem files(FileSystem::Real());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const auto samples,
      SamplesFile::Open(&files, directory.File("samples.txt")));
  files.Inject(Fault());
  samples->OnSample({1, 1, "a"});
  EXPECT_THAT(samples->status(),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace charrnn
