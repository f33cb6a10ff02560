#include "model/sampler.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/torch_threads.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Lt;
using ::testing::SizeIs;

constexpr int kVocab = 12;

class SamplerTest : public testing::Test {
 protected:
  SamplerTest() : pool_(MakeTorchThreadPool(1)), model_(MakeModel()) {
    config_.max_generate = 60;
  }

  static CharRnn MakeModel() {
    ModelConfig config;
    config.rnn_type = RnnType::kLstm;
    config.vocab_size = kVocab;
    config.embedding_dim = 5;
    config.hidden_dim = 8;
    config.num_layers = 2;
    return CharRnn(
        config,
        TrainState::Initial(ParameterLayout(config), 1, "cpu")->parameters);
  }

  std::vector<int32_t> Generate(absl::Span<const int32_t> prompt,
                                int64_t stream,
                                std::vector<int32_t> beginnings = {}) const {
    std::vector<int32_t> ids;
    EXPECT_THAT(Sampler(&model_, config_, std::move(beginnings))
                    .Generate(prompt, stream,
                              [&](int32_t id) {
                                ids.push_back(id);
                                return absl::OkStatus();
                              }),
                IsOk());
    return ids;
  }

  std::unique_ptr<ThreadPool> pool_;
  CharRnn model_;
  SamplingConfig config_;
};

TEST_F(SamplerTest, WritesAsManyCharactersAsAskedForOfTheVocabulary) {
  const std::vector<int32_t> ids = Generate({3, 4}, 0);
  EXPECT_THAT(ids, SizeIs(60));
  EXPECT_THAT(ids, Each(AllOf(Ge(0), Lt(kVocab))));
  config_.max_generate = 0;
  EXPECT_THAT(Generate({3, 4}, 0), SizeIs(0));
}

TEST_F(SamplerTest, SeedAndStreamDecideTheText) {
  const std::vector<int32_t> ids = Generate({3}, 0);
  EXPECT_EQ(Generate({3}, 0), ids);
  EXPECT_NE(Generate({3}, 1), ids);
  config_.seed = 43;
  EXPECT_NE(Generate({3}, 0), ids);
}

TEST_F(SamplerTest, TheStateCarriesThePromptAndAllThatFollows) {
  // Greedy text continued by its own beginning is the same text.
  config_.temperature = 0;
  const std::vector<int32_t> ids = Generate({3, 4}, 0);
  std::vector<int32_t> longer = {3, 4};
  longer.insert(longer.end(), ids.begin(), ids.begin() + 20);
  const std::vector<int32_t> rest = Generate(longer, 0);
  EXPECT_EQ(std::vector<int32_t>(rest.begin(), rest.begin() + 40),
            std::vector<int32_t>(ids.begin() + 20, ids.end()));
}

TEST_F(SamplerTest, WithoutAPromptTheFirstCharacterIsRandom) {
  config_.max_generate = 1;
  std::set<int32_t> seen;
  for (int64_t stream = 0; stream < 200; ++stream) {
    seen.insert(Generate({}, stream).front());
  }
  EXPECT_THAT(seen, SizeIs(kVocab));
}

TEST_F(SamplerTest, AnErrorOfTheReceiverEndsTheText) {
  int calls = 0;
  EXPECT_THAT(Sampler(&model_, config_)
                  .Generate({1}, 0,
                            [&](int32_t) {
                              return ++calls == 3
                                         ? absl::ResourceExhaustedError("full")
                                         : absl::OkStatus();
                            }),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(calls, 3);
}

TEST_F(SamplerTest, AModelThatComputesNoNumbersIsAnError) {
  model_.flat().fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(Sampler(&model_, config_)
                  .Generate({1}, 0, [](int32_t) { return absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kInternal));
}

TEST_F(SamplerTest, ATextWithoutAPromptBeginsAsItMay) {
  std::set<int32_t> first;
  for (int64_t stream = 0; stream < 30; ++stream) {
    first.insert(Generate({}, stream, {3, 7, 8}).front());
  }
  EXPECT_THAT(first, ElementsAre(3, 7, 8));
}

}  // namespace
}  // namespace charrnn
