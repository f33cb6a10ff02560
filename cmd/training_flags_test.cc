#include "cmd/training_flags.h"

#include <stdlib.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "cmd/command_line.h"
#include "data/corpus.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/model_snapshot.h"
#include "testing/shard_set.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class TrainingFlagsTest : public testing::Test {
 protected:
  // As if `bazel run` had been typed in the test's own folder.
  TrainingFlagsTest() {
    setenv("BUILD_WORKING_DIRECTORY", folder_.path().c_str(), /*replace=*/1);
  }
  ~TrainingFlagsTest() override { unsetenv("BUILD_WORKING_DIRECTORY"); }

  // Makes a text of `size` characters and returns its path.
  std::string Text(const std::string& name, int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += static_cast<char>('a' + i * i % 7);
    std::string path = folder_.File(name);
    EXPECT_THAT(FileSystem::Real()->CreateDirectories(Dirname(path)), IsOk());
    EXPECT_THAT(WriteFileAtomically(*FileSystem::Real(), path, text), IsOk());
    return path;
  }

  // What a command line with these flags asks for.
  static absl::StatusOr<TrainingRequest> Request(
      const std::vector<std::string>& flags) {
    std::vector<const char*> arguments = {"train"};
    for (const std::string& flag : flags) arguments.push_back(flag.c_str());
    const auto line = ParseCommandLine(static_cast<int>(arguments.size()),
                                       arguments.data(), {"train", "", ""});
    if (!line.ok()) return line.status();
    return TrainingRequestFromFlags(*FileSystem::Real(), line->typed);
  }

  const absl::FlagSaver saver_;
  const TempDirectory folder_;
};

TEST_F(TrainingFlagsTest, TheirDefaultsAreThoseOfTheConfigurations) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const TrainingRequest request,
      Request({"--data_path", Text("long.txt", 40000)}));
  ModelConfig model;
  model.vocab_size = request.corpus->vocab().size();
  EXPECT_EQ(ToJson(request.model), ToJson(model));
  EXPECT_EQ(ToJson(request.training), ToJson(TrainingConfig()));
  EXPECT_EQ(ToJson(request.sampling), ToJson(SamplingConfig()));
  EXPECT_THAT(request.notes, IsEmpty());
}

// Every field has its flag, of the same name, but for the three that follow
// from the text.
TEST_F(TrainingFlagsTest, EveryFlagReachesItsField) {
  const std::map<std::string, nlohmann::json> values = {
      {"rnn_type", "LSTM"},
      {"embedding_dim", 3},
      {"hidden_dim", 4},
      {"num_layers", 2},
      {"dropout", 0.25},
      {"seq_len", 16},
      {"batch_size", 7},
      {"num_epochs", 2},
      {"max_steps", 9},
      {"learning_rate", 0.5},
      {"grad_clip", 2.5},
      {"val_fraction", 0.125},
      {"overlap_step", 11},
      {"seed", 12},
      {"data_order", "shuffled"},
      {"grains", 13},
      {"lr_schedule", "cosine"},
      {"warmup_steps", 14},
      {"log_every", 15},
      {"sample_every", 16},
      {"save_every", 17},
      {"keep_checkpoints", 18},
      {"max_generate", 19},
      {"temperature", 0.5},
      {"top_k", 20},
      {"top_p", 0.75}};
  std::vector<std::string> flags = {"--data_path", Text("long.txt", 40000)};
  for (const auto& [name, value] : values) {
    flags.push_back(absl::StrCat(
        "--", name, "=",
        value.is_string() ? value.get<std::string>() : value.dump()));
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request, Request(flags));
  for (const std::string& part :
       {ToJson(request.model), ToJson(request.training),
        ToJson(request.sampling)}) {
    const nlohmann::json fields = nlohmann::json::parse(part);
    for (const auto& [name, value] : fields.items()) {
      if (name == "vocab_size" || name == "stop_loss" ||
          name == "test_fraction") {
        continue;  // no flags, or of other programs
      }
      ASSERT_EQ(values.count(name), 1) << name;
      EXPECT_EQ(value, values.at(name)) << name;
    }
  }
}

TEST_F(TrainingFlagsTest, TheDataOrderReachesItsField) {
  const std::vector<std::string> flags = {
      "--data_path", Text("long.txt", 40000), "--data_order=Streams"};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request, Request(flags));
  EXPECT_EQ(request.training.data_order, DataOrder::kStreams);
}

TEST_F(TrainingFlagsTest, APresetReachesTheFieldsButForWhatWasTyped) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request,
                               Request({"--data_path", Text("long.txt", 40000),
                                        "--preset=quick", "--num_epochs=7"}));
  EXPECT_EQ(request.training.data_order, DataOrder::kStreams);
  EXPECT_EQ(request.training.lr_schedule, LrSchedule::kCosine);
  EXPECT_EQ(request.model.dropout, 0);
  EXPECT_EQ(request.training.num_epochs, 7);
}

TEST_F(TrainingFlagsTest, TheBestPresetIsALargeModel) {
  const std::vector<std::string> flags = {
      "--data_path", Text("long.txt", 40000), "--preset=best"};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request, Request(flags));
  EXPECT_EQ(request.model.hidden_dim, 512);
  EXPECT_EQ(request.model.num_layers, 2);
}

TEST_F(TrainingFlagsTest, TheDefaultTextIsTheUsersOwn) {
  Text("data/tinyshakespeare.txt", 40000);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request, Request({}));
  EXPECT_EQ(request.corpus->size(), 40000);
}

TEST_F(TrainingFlagsTest, WithoutATextTheSnippetIsTrainedUntilItIsKnown) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request, Request({}));
  EXPECT_THAT(request.notes, ElementsAre(HasSubstr("built-in snippet")));
  EXPECT_EQ(request.corpus->size(), 347);
  EXPECT_EQ(request.training.seq_len, 345);
  EXPECT_EQ(request.training.batch_size, 1);
  EXPECT_EQ(request.training.num_epochs, 1000);
  EXPECT_EQ(request.training.val_fraction, 0);
  EXPECT_GT(request.training.stop_loss, 0);
}

TEST_F(TrainingFlagsTest, WhatWasTypedOutweighsWhatSuitsTheSnippet) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const TrainingRequest request,
      Request({"--seq_len=20", "--batch_size=4", "--max_steps=30",
               "--val_fraction=0.25"}));
  EXPECT_EQ(request.training.seq_len, 20);
  EXPECT_EQ(request.training.batch_size, 4);
  EXPECT_EQ(request.training.max_steps, 30);
  EXPECT_EQ(request.training.val_fraction, 0.25);
  EXPECT_EQ(request.training.stop_loss, 0);
}

TEST_F(TrainingFlagsTest, ASmallTextLowersWhatDoesNotFitAndSaysSo) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request,
                               Request({"--data_path", Text("a.txt", 1000)}));
  EXPECT_EQ(request.training.seq_len, 128);
  EXPECT_EQ(request.training.batch_size, 7);
  EXPECT_THAT(request.notes, ElementsAre(HasSubstr("lowered to 7")));
}

TEST_F(TrainingFlagsTest, AShardSetIsSplitAsItWasPrepared) {
  ShardSetOptions options;
  options.fractions = {0.2, 0.1};
  options.encoding = Encoding::kBytes;
  WriteShardSet(folder_.File("set"), std::string(2000, 'a') + "b", options);
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{},
        {"--val_fraction=0.2", "--encoding=bytes"}}) {
    std::vector<std::string> flags = {"--data_path=set"};
    flags.insert(flags.end(), more.begin(), more.end());
    CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest request, Request(flags));
    EXPECT_EQ(request.corpus->size(), 2001);
    EXPECT_EQ(request.model.vocab_size, 256);
    EXPECT_EQ(request.training.val_fraction, 0.2);
    EXPECT_EQ(request.training.test_fraction, 0.1);
    // What goes into config.json.
    EXPECT_EQ(FlagValues().at("val_fraction"), "0.2");
    EXPECT_EQ(FlagValues().at("encoding"), "bytes");
  }
  EXPECT_THAT(Request({"--data_path=set", "--val_fraction=0.1"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("--val_fraction=0.1: ")));
  EXPECT_THAT(Request({"--data_path=set", "--encoding=utf8"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("--encoding=utf8: ")));
}

TEST_F(TrainingFlagsTest, ATextHasTheTestPartOfTheRunToResume) {
  const std::vector<std::string> flags = {"--data_path",
                                          Text("long.txt", 40000)};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingRequest begun, Request(flags));
  ModelSnapshot resumed = {begun.model, {}, begun.corpus->vocab(), {}};
  resumed.data.test_fraction = 0.2;
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const TrainingRequest request,
      TrainingRequestFromFlags(*FileSystem::Real(), {"data_path"}, &resumed));
  EXPECT_EQ(request.training.test_fraction, 0.2);
}

TEST_F(TrainingFlagsTest, ATextThatWasAskedForMustExist) {
  EXPECT_THAT(Request({"--data_path=data/tinyshakespeare.txt"}),
              StatusIs(absl::StatusCode::kNotFound, StartsWith("--data_path")));
}

TEST_F(TrainingFlagsTest, ThePlaceToExportToIsTriedAndLeftAsItWas) {
  const std::string text = Text("a.txt", 1000);
  const std::string path = folder_.File("best.safetensors");
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const TrainingRequest request,
      Request({"--data_path", text, "--save_path=best.safetensors"}));
  EXPECT_EQ(request.save_path, path);
  EXPECT_THAT(FileSystem::Real()->ListDirectory(folder_.path()),
              IsOkAndHolds(ElementsAre("a.txt")));
  EXPECT_THAT(Request({"--save_path=none/best.safetensors"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no folder")));
  EXPECT_THAT(Request({"--save_path=best.txt"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace charrnn
