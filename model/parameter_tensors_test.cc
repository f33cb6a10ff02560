#include "model/parameter_tensors.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/safetensors.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ParameterTensorsTest : public testing::Test {
 protected:
  static ModelConfig SmallConfig() {
    ModelConfig config;
    config.vocab_size = 3;
    config.embedding_dim = 2;
    config.hidden_dim = 5;
    return config;
  }
  ParameterTensorsTest() : layout_(SmallConfig()), flat_(layout_.flat_size()) {
    InitializeParameters(layout_, 1, absl::MakeSpan(flat_));
  }

  const ParameterLayout layout_;
  std::vector<float> flat_;
};

TEST_F(ParameterTensorsTest, EveryParameterIsATensorOfItsOwn) {
  const std::vector<TensorView> tensors =
      ParameterTensors(layout_, flat_, "m.");
  ASSERT_EQ(tensors.size(), layout_.parameters().size());
  EXPECT_EQ(tensors[0].name, "m.emb.weight");
  EXPECT_EQ(tensors[0].dtype, "F32");
  EXPECT_THAT(tensors[0].shape, ElementsAre(3, 2));
  EXPECT_EQ(tensors[0].bytes.size(), 6 * sizeof(float));
}

TEST_F(ParameterTensorsTest, ThereAndBackIsTheSameInAnyOrder) {
  std::vector<TensorView> tensors = ParameterTensors(layout_, flat_);
  std::reverse(tensors.begin(), tensors.end());
  EXPECT_THAT(FlattenTensors(layout_, tensors), IsOkAndHolds(flat_));
}

TEST_F(ParameterTensorsTest, OnlyTensorsOfThePrefixAreTaken) {
  std::vector<float> other(flat_.size(), 0.0F);
  std::vector<TensorView> tensors = ParameterTensors(layout_, flat_, "a.");
  for (const TensorView& tensor : ParameterTensors(layout_, other, "b.")) {
    tensors.push_back(tensor);
  }
  EXPECT_THAT(FlattenTensors(layout_, tensors, "a."), IsOkAndHolds(flat_));
  EXPECT_THAT(FlattenTensors(layout_, tensors, "b."), IsOkAndHolds(other));
}

TEST_F(ParameterTensorsTest, WhatDoesNotFitTheLayoutIsNamed) {
  const auto refused = [&](const auto& change, const std::string& told) {
    std::vector<TensorView> tensors = ParameterTensors(layout_, flat_);
    change(tensors);
    EXPECT_THAT(FlattenTensors(layout_, tensors),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(told)));
  };
  using Tensors = std::vector<TensorView>;
  refused([](Tensors& tensors) { tensors.pop_back(); }, "it has 6 tensors");
  refused([](Tensors& tensors) { tensors[0].name = "x"; },
          "'emb.weight' is missing");
  refused([](Tensors& tensors) { tensors[0].dtype = "F64"; },
          "'emb.weight' is F64[3, 2], its config wants F32[3, 2]");
  refused([](Tensors& tensors) { tensors[0].shape = {2, 3}; },
          "'emb.weight' is F32[2, 3], its config wants F32[3, 2]");
}

}  // namespace
}  // namespace charrnn
