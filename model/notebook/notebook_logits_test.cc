// The models that the notebook's PyTorch saved (testdata/) compute here what
// they computed there.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/model_snapshot.h"
#include "model/notebook/notebook_checkpoint.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

struct Case {
  std::string checkpoint;
  std::string logits;
};

class NotebookLogitsTest : public testing::TestWithParam<Case> {
 protected:
  // The content of a file in testdata/.
  static std::string TestFile(const std::string& name) {
    const auto file = FileSystem::Real()->ReadFile(
        absl::StrCat("model/notebook/testdata/notebook_", name));
    EXPECT_THAT(file, IsOk());
    return file.ok() ? *file : "";
  }
};

TEST_P(NotebookLogitsTest, AreThoseOfPyTorch) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const ModelSnapshot snapshot,
      DecodeNotebookCheckpoint(TestFile(GetParam().checkpoint)));
  const nlohmann::json expected =
      nlohmann::json::parse(TestFile(GetParam().logits));
  const auto rows = expected["ids"].get<std::vector<std::vector<int64_t>>>();

  at::Tensor flat =
      at::empty({static_cast<int64_t>(snapshot.parameters.size())});
  std::copy(snapshot.parameters.begin(), snapshot.parameters.end(),
            flat.mutable_data_ptr<float>());
  const CharRnn model(snapshot.config, flat);
  const auto num_times = static_cast<int64_t>(rows[0].size());
  at::Tensor ids =
      at::zeros({static_cast<int64_t>(rows.size()), num_times}, at::kLong);
  for (size_t row = 0; row < rows.size(); ++row) {
    std::copy(rows[row].begin(), rows[row].end(),
              ids.mutable_data_ptr<int64_t>() +
                  static_cast<int64_t>(row) * num_times);
  }
  const at::Tensor logits =
      model.Forward(model.Weights(), ids, nullptr, nullptr).contiguous();

  const float* logit = logits.const_data_ptr<float>();
  int64_t count = 0;
  for (const auto& row : expected["logits"]) {
    for (const auto& time : row) {
      for (const auto& value : time) {
        ASSERT_LT(count, logits.numel());
        EXPECT_NEAR(logit[count++], value.get<double>(), 1e-5);
      }
    }
  }
  EXPECT_EQ(count, logits.numel());
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, NotebookLogitsTest,
                         testing::Values(Case{"gru.pt", "gru.logits.json"},
                                         Case{"lstm.pt", "lstm.logits.json"},
                                         Case{"cuda.pt", "lstm.logits.json"}));

}  // namespace
}  // namespace charrnn
