#include "model/stream_states.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

ModelConfig SomeModel(RnnType type) {
  ModelConfig config;
  config.rnn_type = type;
  config.vocab_size = 3;
  config.hidden_dim = 2;
  config.num_layers = 3;
  return config;
}

// Of four streams.
StreamStates SomeStates(RnnType type) {
  StreamStates states;
  for (int i = 0; i < 3 * 4 * 2; ++i) {
    states.hidden.push_back(static_cast<float>(i));
    if (type == RnnType::kLstm) {
      states.cell.push_back(static_cast<float>(-i));
    }
  }
  return states;
}

TEST(StreamStatesTest, WhatBecameTensorsIsReadBack) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    const StreamStates states = SomeStates(type);
    const std::vector<TensorView> tensors =
        StreamTensors(SomeModel(type), states);
    EXPECT_EQ(tensors.front().shape, (std::vector<int64_t>{3, 4, 2}));
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const StreamStates read,
        StreamStatesFromTensors(SomeModel(type), tensors));
    EXPECT_EQ(read.hidden, states.hidden);
    EXPECT_EQ(read.cell, states.cell);
  }
}

TEST(StreamStatesTest, StatesOfAnotherModelAreRefused) {
  const StreamStates states = SomeStates(RnnType::kLstm);
  const std::vector<TensorView> good =
      StreamTensors(SomeModel(RnnType::kLstm), states);
  const auto refused = [](const ModelConfig& config,
                          const std::vector<TensorView>& tensors,
                          const char* why) {
    EXPECT_THAT(StreamStatesFromTensors(config, tensors),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  const ModelConfig lstm = SomeModel(RnnType::kLstm);
  refused(SomeModel(RnnType::kGru), good, "tensors of other kinds");
  refused(lstm, {good[0]}, "'cell' is missing");
  refused(lstm, {good[1]}, "'hidden' is missing");
  ModelConfig wider = lstm;
  wider.hidden_dim = 4;
  refused(wider, good, "'hidden' is no state");
  ModelConfig deeper = lstm;
  deeper.num_layers = 6;
  refused(deeper, good, "'hidden' is no state");
  std::vector<TensorView> other_type = good;
  other_type[1].dtype = "I32";
  refused(lstm, other_type, "'cell' is no state");
  const StreamStates fewer = {{0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}};
  refused(lstm, {good[0], StreamTensors(lstm, fewer)[1]}, "the same streams");
}

}  // namespace
}  // namespace charrnn
