#include "model/sampler.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
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
#include "model/kernels/arithmetic.h"
#include "model/parameter_layout.h"
#include "model/torch_threads.h"
#include "model/train_state.h"
#include "testing/allocations.h"
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

  std::vector<int32_t> Generate(
      absl::Span<const int32_t> prompt, int64_t stream,
      std::vector<int32_t> beginnings = {},
      const std::optional<Arithmetic>& kernels = Arithmetic{BestIsa()}) const {
    std::vector<int32_t> ids;
    EXPECT_THAT(Sampler(&model_, config_, std::move(beginnings), kernels)
                    .Generate(prompt, stream,
                              [&](int32_t id) {
                                ids.push_back(id);
                                return absl::OkStatus();
                              }),
                IsOk());
    return ids;
  }

  // Those of streams 5, 6, and so on, side by side.
  std::vector<std::vector<int32_t>> GenerateMany(
      absl::Span<const int32_t> prompt, int64_t count, int threads,
      const std::optional<Arithmetic>& kernels) const {
    const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(threads);
    std::vector<std::vector<int32_t>> texts(count);
    const Sampler sampler(&model_, config_, {}, kernels);
    EXPECT_THAT(sampler.GenerateMany(prompt, 5, count, *pool,
                                     [&](int64_t stream, int32_t id) {
                                       texts[stream - 5].push_back(id);
                                       return absl::OkStatus();
                                     }),
                AllOf(SizeIs(count), Each(IsOk())));
    return texts;
  }

  // All ways to compute that there are on this machine.
  static std::vector<std::optional<Arithmetic>> AllKernels() {
    std::vector<std::optional<Arithmetic>> all = {std::nullopt};
    for (const Arithmetic& arithmetic : SupportedArithmetics(
             {Precision::kFp32, Precision::kBf16, Precision::kInt8})) {
      all.emplace_back(arithmetic);
    }
    return all;
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
  for (const auto& kernels : AllKernels()) {
    EXPECT_THAT(Sampler(&model_, config_, {}, kernels)
                    .Generate({1}, 0, [](int32_t) { return absl::OkStatus(); }),
                StatusIs(absl::StatusCode::kInternal,
                         "cannot sample: the model's logit for symbol 0 is "
                         "nan; its weights are not usable"));
  }
}

TEST_F(SamplerTest, KernelsInFp32SayWhatLibTorchSays) {
  for (const auto& kernels : AllKernels()) {
    if (kernels.has_value() && kernels->precision != Precision::kFp32) continue;
    for (int64_t stream = 0; stream < 5; ++stream) {
      EXPECT_EQ(Generate({3, 4}, stream, {}, kernels),
                Generate({3, 4}, stream, {}, std::nullopt));
      EXPECT_EQ(Generate({}, stream, {7, 8}, kernels),
                Generate({}, stream, {7, 8}, std::nullopt));
    }
  }
}

TEST_F(SamplerTest, AStreamsTextDependsNeitherOnOthersNorOnThreads) {
  const std::vector<int32_t> prompt = {3, 4, 5};
  for (const auto& kernels : AllKernels()) {
    std::vector<std::vector<int32_t>> expected;
    for (int64_t i = 0; i < 40; ++i) {
      expected.push_back(Generate(prompt, 5 + i, {}, kernels));
    }
    for (const int threads : {1, 2, 3}) {
      for (const int64_t count : {1, 2, 7, 40}) {
        EXPECT_EQ(GenerateMany(prompt, count, threads, kernels),
                  std::vector<std::vector<int32_t>>(expected.begin(),
                                                    expected.begin() + count))
            << threads << " threads";
      }
    }
    EXPECT_EQ(GenerateMany({}, 3, 1, kernels)[2], Generate({}, 7, {}, kernels));
  }
}

TEST_F(SamplerTest, AStreamsErrorLeavesOthersAlone) {
  for (const auto& kernels : AllKernels()) {
    std::vector<std::vector<int32_t>> texts(4);
    const std::vector<absl::Status> statuses =
        Sampler(&model_, config_, {}, kernels)
            .GenerateMany({1}, 0, 4, *pool_, [&](int64_t stream, int32_t id) {
              if (stream == 2 && texts[2].size() == 3) {
                return absl::ResourceExhaustedError("full");
              }
              texts[stream].push_back(id);
              return absl::OkStatus();
            });
    EXPECT_THAT(
        statuses,
        ElementsAre(IsOk(), IsOk(),
                    StatusIs(absl::StatusCode::kResourceExhausted), IsOk()));
    EXPECT_EQ(texts[1], Generate({1}, 1, {}, kernels));
    EXPECT_EQ(texts[3], Generate({1}, 3, {}, kernels));
  }
}

TEST_F(SamplerTest, KernelsAllocateNothingForACharacter) {
  const auto allocations = [&](int64_t characters, int64_t streams) {
    config_.max_generate = characters;
    const Sampler sampler(&model_, config_);
    const int64_t before = NumAllocations();
    for (const absl::Status& status : sampler.GenerateMany(
             {1}, 0, streams, *pool_,
             [](int64_t, int32_t) { return absl::OkStatus(); })) {
      EXPECT_THAT(status, IsOk());
    }
    return NumAllocations() - before;
  };
  EXPECT_EQ(allocations(1000, 1), allocations(10, 1));
  EXPECT_EQ(allocations(1000, 9), allocations(10, 9));
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
