#include "model/checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/manifest.h"
#include "model/model_snapshot.h"
#include "model/parameter_layout.h"
#include "model/train_progress.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Files = std::map<std::string, std::string>;

Checkpoint SomeCheckpoint() {
  ModelConfig config;
  config.vocab_size = 3;
  config.embedding_dim = 2;
  config.hidden_dim = 3;
  const ParameterLayout layout(config);
  const auto some = [&](uint64_t seed) {
    std::vector<float> values(layout.flat_size());
    InitializeParameters(layout, seed, absl::MakeSpan(values));
    return values;
  };
  Checkpoint checkpoint = {
      {config, {64, 0.25}, *Vocab::FromText("abc", Encoding::kUtf8), some(1)},
      some(2),
      some(3),
      {}};
  checkpoint.progress.step = 7;
  return checkpoint;
}

Files SomeFiles() {
  const std::vector<CheckpointFile> encoded =
      *EncodeCheckpoint(SomeCheckpoint());
  Files files;
  for (const CheckpointFile& file : encoded) files[file.name] = file.bytes;
  return files;
}

absl::StatusOr<Checkpoint> Decode(const Files& files) {
  return DecodeCheckpoint(
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        const auto found = files.find(name);
        if (found == files.end()) return absl::NotFoundError(name);
        return found->second;
      });
}

// The files with one of them changed, and a manifest that says it was so.
Files Rewritten(const std::string& name, const std::string& bytes) {
  std::vector<CheckpointFile> files = *EncodeCheckpoint(SomeCheckpoint());
  files.pop_back();  // the manifest
  for (CheckpointFile& file : files) {
    if (file.name == name) file.bytes = bytes;
  }
  files.push_back({kManifestFileName, EncodeManifest(files)});
  Files result;
  for (const CheckpointFile& file : files) result[file.name] = file.bytes;
  return result;
}

TEST(CheckpointTest, WhatWasWrittenIsRead) {
  const Checkpoint expected = SomeCheckpoint();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Checkpoint read, Decode(SomeFiles()));
  EXPECT_EQ(read.model.parameters, expected.model.parameters);
  EXPECT_EQ(read.exp_avg, expected.exp_avg);
  EXPECT_EQ(read.exp_avg_sq, expected.exp_avg_sq);
  EXPECT_EQ(read.model.vocab, expected.model.vocab);
  EXPECT_EQ(ToJson(read.model.config), ToJson(expected.model.config));
  EXPECT_EQ(ToJson(read.progress), ToJson(expected.progress));
}

TEST(CheckpointTest, TheManifestIsWrittenLast) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointFile> files,
                               EncodeCheckpoint(SomeCheckpoint()));
  std::vector<std::string> names;
  for (const CheckpointFile& file : files) names.push_back(file.name);
  EXPECT_THAT(names, ElementsAre("model.safetensors", "optimizer.safetensors",
                                 "trainer.json", "MANIFEST.json"));
}

TEST(CheckpointTest, StreamsHaveAFileOfTheirOwn) {
  Checkpoint checkpoint = SomeCheckpoint();
  checkpoint.streams.hidden = {1, 2, 3, 4, 5, 6};  // two streams
  const std::vector<CheckpointFile> encoded = *EncodeCheckpoint(checkpoint);
  Files files;
  for (const CheckpointFile& file : encoded) files[file.name] = file.bytes;
  EXPECT_EQ(files.count("streams.safetensors"), 1);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Checkpoint read, Decode(files));
  EXPECT_EQ(read.streams.hidden, checkpoint.streams.hidden);
  files["streams.safetensors"].back() ^= 1;
  EXPECT_THAT(Decode(files), StatusIs(absl::StatusCode::kDataLoss,
                                      HasSubstr("streams.safetensors")));
  files.erase("streams.safetensors");
  EXPECT_FALSE(Decode(files).ok());
}

TEST(CheckpointTest, WithoutTheStreamsThatItsTextWasReadInItIsDamaged) {
  Checkpoint checkpoint = SomeCheckpoint();
  checkpoint.model.data.data_order = DataOrder::kStreams;
  const auto decoded = [&] {
    Files files;
    std::vector<CheckpointFile> encoded = *EncodeCheckpoint(checkpoint);
    for (CheckpointFile& file : encoded) {
      files[file.name] = std::move(file.bytes);
    }
    return Decode(files).status();
  };
  EXPECT_THAT(decoded(), StatusIs(absl::StatusCode::kDataLoss,
                                  HasSubstr("it has no streams.safetensors")));
  checkpoint.progress.step = 0;  // when nothing has been read yet
  EXPECT_THAT(decoded(), IsOk());
}

TEST(CheckpointTest, TheModelIsReadableByItself) {
  EXPECT_THAT(DecodeModel(SomeFiles()[kModelFileName]), IsOk());
}

TEST(CheckpointTest, EveryTruncationOfEveryFileIsDamage) {
  for (const auto& [name, bytes] : SomeFiles()) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      Files files = SomeFiles();
      files[name].resize(size);
      EXPECT_THAT(Decode(files), StatusIs(absl::StatusCode::kDataLoss))
          << name << " " << size;
    }
  }
}

TEST(CheckpointTest, EveryFlippedByteOfEveryFileIsDamage) {
  const Files good = SomeFiles();
  for (const auto& [name, bytes] : good) {
    Files files = good;
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const char flip : {'\x01', '\x80', '\xff'}) {
        files[name][i] = static_cast<char>(bytes[i] ^ flip);
        EXPECT_THAT(Decode(files),
                    StatusIs(absl::StatusCode::kDataLoss, HasSubstr(name)))
            << i;
      }
      files[name][i] = bytes[i];
    }
  }
}

TEST(CheckpointTest, AMissingFileIsNamed) {
  for (const auto& [name, bytes] : SomeFiles()) {
    Files files = SomeFiles();
    files.erase(name);
    EXPECT_THAT(Decode(files),
                StatusIs(absl::StatusCode::kNotFound, HasSubstr(name)));
  }
}

TEST(CheckpointTest, FilesOfAnotherCheckpointAreDamage) {
  Checkpoint other = SomeCheckpoint();
  other.progress.step = 8;
  other.model.parameters[0] += 1;
  other.exp_avg[0] += 1;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointFile> theirs,
                               EncodeCheckpoint(other));
  for (const CheckpointFile& file : theirs) {
    Files files = SomeFiles();
    files[file.name] = file.bytes;
    EXPECT_THAT(Decode(files), StatusIs(absl::StatusCode::kDataLoss))
        << file.name;
  }
}

TEST(CheckpointTest, WhatIsWholeAndMakesNoSenseIsDamage) {
  const Files good = SomeFiles();
  const auto refused = [&](const std::string& name, const std::string& bytes,
                           const std::string& told) {
    EXPECT_THAT(Decode(Rewritten(name, bytes)),
                StatusIs(absl::StatusCode::kDataLoss,
                         HasSubstr(absl::StrCat(name, ": ", told))));
  };
  refused("model.safetensors", "", "safetensors: ");
  refused("model.safetensors", good.at("optimizer.safetensors"), "its format");
  refused("optimizer.safetensors", good.at("model.safetensors"), "its format");
  refused("trainer.json", "{}", "its format");
  refused("trainer.json", "[]", "its format");
}

TEST(CheckpointTest, AnOptimizerOfAnotherModelIsDamage) {
  Checkpoint other = SomeCheckpoint();
  other.model.config.hidden_dim = 4;
  const ParameterLayout layout(other.model.config);
  other.model.parameters.assign(layout.flat_size(), 0);
  other.exp_avg = other.exp_avg_sq = other.model.parameters;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointFile> theirs,
                               EncodeCheckpoint(other));
  EXPECT_THAT(Decode(Rewritten("optimizer.safetensors", theirs[1].bytes)),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("exp_avg.rnn.weight_ih_l0")));
}

}  // namespace
}  // namespace charrnn
