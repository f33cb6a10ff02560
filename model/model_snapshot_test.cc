#include "model/model_snapshot.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/safetensors.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

ModelConfig SmallConfig() {
  ModelConfig config;
  config.rnn_type = RnnType::kLstm;
  config.vocab_size = 3;
  config.embedding_dim = 2;
  config.hidden_dim = 5;
  config.num_layers = 2;
  return config;
}

Vocab SmallVocab() { return *Vocab::FromText("abé", Encoding::kUtf8); }

std::vector<float> SmallParameters() {
  const ParameterLayout layout(SmallConfig());
  std::vector<float> parameters(layout.flat_size());
  InitializeParameters(layout, 1, absl::MakeSpan(parameters));
  return parameters;
}

std::string SmallModel() {
  return *EncodeModel(
      {SmallConfig(), {64, 0.25}, SmallVocab(), SmallParameters()});
}

// The file with its tensors and metadata changed by `change`.
template <typename Change>
std::string Changed(const Change& change) {
  const std::string file = SmallModel();
  Safetensors decoded = *DecodeSafetensors(file);
  change(decoded);
  return *EncodeSafetensors(decoded.tensors, decoded.metadata);
}

TEST(ModelSnapshotTest, WhatWasWrittenIsRead) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot model,
                               DecodeModel(SmallModel()));
  EXPECT_EQ(ToJson(model.config), ToJson(SmallConfig()));
  EXPECT_EQ(model.data.seq_len, 64);
  EXPECT_EQ(model.data.val_fraction, 0.25);
  EXPECT_EQ(model.vocab, SmallVocab());
  EXPECT_EQ(model.parameters, SmallParameters());
}

TEST(ModelSnapshotTest, HoldsEveryParameterUnderItsPyTorchName) {
  const std::string file = SmallModel();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Safetensors decoded,
                               DecodeSafetensors(file));
  const ParameterLayout layout(SmallConfig());
  ASSERT_EQ(decoded.tensors.size(), layout.parameters().size());
  for (size_t i = 0; i < decoded.tensors.size(); ++i) {
    EXPECT_EQ(decoded.tensors[i].name, layout.parameters()[i].name);
    EXPECT_EQ(decoded.tensors[i].shape, layout.parameters()[i].shape);
  }
}

TEST(ModelSnapshotTest, EqualModelsGiveEqualBytes) {
  EXPECT_EQ(SmallModel(), SmallModel());
}

TEST(ModelSnapshotTest, EveryTruncationIsNoticed) {
  const std::string file = SmallModel();
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(DecodeModel(file.substr(0, size)).ok()) << size;
  }
}

TEST(ModelSnapshotTest, MissingMetadataIsNamed) {
  for (const char* key : {"format", "config", "data", "vocab"}) {
    EXPECT_THAT(DecodeModel(Changed(
                    [&](Safetensors& file) { file.metadata.erase(key); })),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(key)));
  }
}

TEST(ModelSnapshotTest, MalformedMetadataIsNamed) {
  for (const char* key : {"config", "data", "vocab"}) {
    for (const char* value : {"", "{", "[]", "{\"a\":1}", "null"}) {
      EXPECT_THAT(DecodeModel(Changed(
                      [&](Safetensors& file) { file.metadata[key] = value; })),
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(key)))
          << value;
    }
  }
}

TEST(ModelSnapshotTest, AnotherFormatsVersionIsNamed) {
  EXPECT_THAT(DecodeModel(Changed([](Safetensors& file) {
                file.metadata["format"] = "charrnn.model.2";
              })),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("charrnn.model.2")));
}

TEST(ModelSnapshotTest, ConfigVocabularyAndTensorsMustAgree) {
  const auto with_config = [](absl::string_view from, absl::string_view to) {
    return Changed([&](Safetensors& file) {
      std::string& config = file.metadata["config"];
      const std::string changed = absl::StrReplaceAll(config, {{from, to}});
      EXPECT_NE(config, changed);
      config = changed;
    });
  };
  EXPECT_THAT(DecodeModel(with_config("\"vocab_size\":3", "\"vocab_size\":4")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("vocabulary has 3 symbols")));
  EXPECT_THAT(DecodeModel(with_config("\"num_layers\":2", "\"num_layers\":3")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensors, its config wants")));
  EXPECT_THAT(
      DecodeModel(with_config("\"hidden_dim\":5", "\"hidden_dim\":60000")),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("rnn.weight_ih_l0")));
  EXPECT_THAT(DecodeModel(with_config("LSTM", "GRU")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("rnn.weight_ih_l0")));
}

TEST(ModelSnapshotTest, TensorsMayComeInAnyOrder) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const ModelSnapshot model, DecodeModel(Changed([](Safetensors& file) {
        std::reverse(file.tensors.begin(), file.tensors.end());
      })));
  EXPECT_EQ(model.parameters, SmallParameters());
}

TEST(ModelSnapshotTest, AForeignTensorIsNamed) {
  EXPECT_THAT(DecodeModel(Changed([](Safetensors& file) {
                file.tensors[2].name = "something.else";
              })),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("'rnn.weight_hh_l0' is missing")));
  EXPECT_THAT(DecodeModel(Changed(
                  [](Safetensors& file) { file.tensors[0].dtype = "I32"; })),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("I32")));
}

}  // namespace
}  // namespace charrnn
