#include "model/model_file.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/files.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/manifest.h"
#include "model/model_snapshot.h"
#include "model/parameter_layout.h"
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

  static ModelSnapshot Small() {
    ModelConfig config;
    config.vocab_size = 2;
    config.embedding_dim = 1;
    config.hidden_dim = 1;
    return {config, DataConfig(), *Vocab::FromText("ab", Encoding::kUtf8),
            std::vector<float>(ParameterLayout(config).flat_size())};
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
              IsOkAndHolds(EndsWith("checkpoints/step-2/model.safetensors")));
  ASSERT_THAT(
      files_.CreateSymlink("checkpoints/step-1", directory_.File("best")),
      IsOk());
  EXPECT_THAT(FindModelFile(files_, directory_.path()),
              IsOkAndHolds(EndsWith("checkpoints/step-1/model.safetensors")));
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
                       HasSubstr("holds no checkpoint (")));
}

TEST_F(ModelFileTest, WithoutLinksTheNewestCheckpointIsTaken) {
  Put("checkpoints/step-00000001");
  Put("checkpoints/step-00000002");
  Put("checkpoints/step-00000003.unfinished");
  Put("checkpoints/step-00000004.corrupt");
  EXPECT_THAT(
      FindModelFile(files_, directory_.path()),
      IsOkAndHolds(EndsWith("checkpoints/step-00000002/model.safetensors")));
}

TEST_F(ModelFileTest, AManifestBesideItIsBelievedIfItIsOne) {
  const ModelSnapshot model = Small();
  const std::string file = directory_.File("model.safetensors");
  const std::string manifest = directory_.File("MANIFEST.json");
  ASSERT_THAT(SaveModel(files_, model, file), IsOk());
  const std::string bytes = *files_.ReadFile(file);
  const auto load_beside = [&](const std::string& text) {
    EXPECT_THAT(WriteFileAtomically(files_, manifest, text), IsOk());
    return LoadModel(files_, file).status();
  };
  EXPECT_THAT(load_beside("{\"somebody\": \"else's\"}"), IsOk());
  EXPECT_THAT(load_beside(EncodeManifest({{"model.safetensors", bytes}})),
              IsOk());
  EXPECT_THAT(load_beside(EncodeManifest({{"model.safetensors", bytes + "x"}})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("model.safetensors: is broken: ")));
  EXPECT_THAT(
      load_beside("{\"format\":\"charrnn.checkpoint.1\"}"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is broken")));
}

TEST_F(ModelFileTest, AModelSurvivesBothFormats) {
  const ModelSnapshot model = Small();
  const std::string bytes = *EncodeModel(model);
  for (const char* name : {"a.safetensors", "a.pt"}) {
    const std::string path = directory_.File(name);
    EXPECT_THAT(CheckModelPath(files_, path), IsOk());
    ASSERT_THAT(SaveModel(files_, model, path), IsOk());
    CHARRNN_ASSERT_OK_AND_ASSIGN(const NamedModel read,
                                 FindAndLoadModel(files_, path));
    EXPECT_EQ(read.file, path);
    EXPECT_THAT(EncodeModel(read.model), IsOkAndHolds(bytes));
  }
  EXPECT_FALSE(CheckModelPath(files_, directory_.File("a.bin")).ok());
}

TEST_F(ModelFileTest, WeightsThatAreNotFiniteAreRefused) {
  ModelSnapshot model = Small();
  model.parameters[0] = std::numeric_limits<float>::quiet_NaN();
  const std::string file = directory_.File("a.pt");
  ASSERT_THAT(SaveModel(files_, model, file), IsOk());
  EXPECT_THAT(
      LoadModel(files_, file),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not finite")));
}

TEST_F(ModelFileTest, TheNameSaysWhatABrokenFileWasMeantToBe) {
  for (const char* name : {"a.pt", "a.safetensors"}) {
    const std::string file = directory_.File(name);
    ASSERT_THAT(WriteFileAtomically(files_, file, "some text"), IsOk());
    EXPECT_THAT(LoadModel(files_, file),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(name == std::string("a.pt")
                                       ? "not a model of the notebook's"
                                       : "not a model that train has")));
  }
}

TEST_F(ModelFileTest, APickleWithoutAnArchiveIsNamedAsSuch) {
  const std::string file = directory_.File("old.pt");
  ASSERT_THAT(WriteFileAtomically(files_, file, "\x80\x02}q\x01X\x04."),
              IsOk());
  EXPECT_THAT(
      LoadModel(files_, file),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("before 1.6")));
}

TEST_F(ModelFileTest, LoadingNamesTheFileThatIsBroken) {
  Put("step-1");
  EXPECT_THAT(LoadModel(files_, directory_.File("step-1/model.safetensors")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("step-1/model.safetensors: not a model")));
}

}  // namespace
}  // namespace charrnn
