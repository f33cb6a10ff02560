#include "model/pretrained.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/files.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/model_snapshot.h"
#include "model/parameter_layout.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

TEST(PretrainedTest, ASavedModelComputesAgainWithTheSameWeights) {
  FileSystem& files = *FileSystem::Real();
  const TempDirectory directory;
  const Vocab vocab = *Vocab::FromText("abc", Encoding::kUtf8);
  ModelConfig config;
  config.vocab_size = vocab.size();
  config.embedding_dim = 4;
  config.hidden_dim = 6;
  const ParameterLayout layout(config);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainState state,
                               TrainState::Initial(layout, 9, "cpu"));
  const auto* weights = state.parameters.const_data_ptr<float>();
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::string bytes,
      EncodeModel({config, DataConfig(), vocab,
                   std::vector<float>(weights, weights + layout.flat_size())}));
  const std::string path = directory.File("model.safetensors");
  ASSERT_THAT(WriteFileAtomically(files, path, bytes), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Pretrained model,
                               LoadPretrained(files, path, "cpu"));
  EXPECT_TRUE(at::equal(model.network->flat(), state.parameters));
  EXPECT_EQ(model.vocab, vocab);
  EXPECT_EQ(ToJson(model.network->config()), ToJson(config));
}

TEST(PretrainedTest, AMissingCheckpointIsNamed) {
  EXPECT_THAT(LoadPretrained(*FileSystem::Real(), "/nowhere/run", "cpu"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/run")));
}

}  // namespace
}  // namespace charrnn
