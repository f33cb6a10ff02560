#include "model/model_file.h"

#include <string>

#include "absl/status/status.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class ModelFileTest : public testing::Test {
 protected:
  // Writes a model file into the folder `name`.
  void Put(const std::string& name) {
    const std::string folder = directory_.File(name);
    ASSERT_THAT(files_.CreateDirectories(folder), IsOk());
    ASSERT_THAT(
        WriteFileAtomically(files_, JoinPath(folder, kModelFileName), "x"),
        IsOk());
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
};

TEST_F(ModelFileTest, ARunsBestComesBeforeItsLatest) {
  Put("checkpoints/step-1");
  Put("checkpoints/step-2");
  ASSERT_THAT(
      files_.CreateSymlink("checkpoints/step-2", directory_.File("latest")),
      IsOk());
  EXPECT_THAT(FindModelFile(files_, directory_.path()),
              IsOkAndHolds(EndsWith("latest/model.safetensors")));
  ASSERT_THAT(
      files_.CreateSymlink("checkpoints/step-1", directory_.File("best")),
      IsOk());
  EXPECT_THAT(FindModelFile(files_, directory_.path()),
              IsOkAndHolds(EndsWith("best/model.safetensors")));
}

TEST_F(ModelFileTest, AStepsFolderAndAFileAreTakenAsTheyAre) {
  Put("step-1");
  EXPECT_THAT(FindModelFile(files_, directory_.File("step-1")),
              IsOkAndHolds(EndsWith("step-1/model.safetensors")));
  const std::string file = directory_.File("step-1/model.safetensors");
  EXPECT_THAT(FindModelFile(files_, file), IsOkAndHolds(file));
}

TEST_F(ModelFileTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(FindModelFile(files_, directory_.File("absent")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
  EXPECT_THAT(FindModelFile(files_, directory_.path()),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("holds no checkpoint yet")));
}

TEST_F(ModelFileTest, LoadingNamesTheFileThatIsBroken) {
  Put("step-1");
  EXPECT_THAT(LoadModel(files_, directory_.File("step-1/model.safetensors")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("step-1/model.safetensors: not a model")));
}

}  // namespace
}  // namespace charrnn
