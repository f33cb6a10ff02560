#include "model/evaluator.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/thread_pool.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/stream_index.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/computation.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/loss.h"
#include "model/parameter_layout.h"
#include "model/torch_threads.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

// By LibTorch's operators, and by kernels.
class EvaluatorTest : public testing::TestWithParam<std::optional<Arithmetic>> {
 protected:
  EvaluatorTest()
      : corpus_(SnippetCorpus(Encoding::kUtf8)), pool_(MakeTorchThreadPool(1)) {
    ModelConfig config;
    config.vocab_size = corpus_->vocab().size();
    config.embedding_dim = 6;
    config.hidden_dim = 9;
    const ParameterLayout layout(config);
    model_ = std::make_unique<CharRnn>(
        config, TrainState::Initial(layout, 1, "cpu")->parameters);
  }

  template <typename Parts>
  absl::StatusOr<Evaluation> EvaluateParts(const Corpus& corpus,
                                           const Parts& parts,
                                           ThreadPool& pool) const {
    Computation computation(model_.get(), GetParam());
    computation.TakeWeights(pool);
    return Evaluate(computation, corpus, parts, pool);
  }

  std::unique_ptr<Corpus> corpus_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<CharRnn> model_;
};

TEST_P(EvaluatorTest, SumsTheLossOfEveryChunkOnce) {
  // 173 chunks of two characters: ten full grains and a part of one.
  const ChunkIndex chunks = ChunkIndex::Validation(0, corpus_->size(), 2);
  ASSERT_EQ(chunks.num_chunks(), 173);
  double expected = 0;
  for (int64_t chunk = 0; chunk < chunks.num_chunks(); ++chunk) {
    std::vector<int32_t> ids(3);
    EXPECT_TRUE(corpus_->Read(chunks.offset(chunk), absl::MakeSpan(ids)).ok());
    const absl::Span<const int32_t> span = ids;
    expected += *Loss(*model_, {1, 2, span.subspan(0, 2), span.subspan(1)});
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation,
                               EvaluateParts(*corpus_, chunks, *pool_));
  EXPECT_EQ(evaluation.chars, 346);
  EXPECT_NEAR(evaluation.loss_sum, expected, 1e-3);
  EXPECT_NEAR(evaluation.loss(), std::log(45), 0.3);  // nothing learnt yet
}

TEST_P(EvaluatorTest, BytesAreThoseOfTheCharactersPredicted) {
  const TempDirectory directory;
  const std::string path = directory.File("text.txt");
  std::string text;
  for (int i = 0; i < 40; ++i) text += u8"\u00e9\u20ac\U0001f600\u20acab";
  ASSERT_THAT(WriteFileAtomically(*FileSystem::Real(), path, text), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Corpus> corpus,
      OpenTextCorpus(*FileSystem::Real(), path, Encoding::kUtf8));
  const auto evaluate = [&](int seq_len) {
    return EvaluateParts(
        *corpus, ChunkIndex::Validation(0, corpus->size(), seq_len), *pool_);
  };
  // All but the first character; of chunks of four, nor the last three.
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Evaluation all, evaluate(1));
  EXPECT_EQ(all.chars, 240 - 1);
  EXPECT_EQ(all.bytes, 40 * 14 - 2);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Evaluation most, evaluate(4));
  EXPECT_EQ(most.chars, 240 - 1 - 3);
  EXPECT_EQ(most.bytes, 40 * 14 - 2 - (3 + 1 + 1));
  EXPECT_NEAR(most.bits_per_byte(), most.loss() / std::log(2.0) * 236 / 553,
              1e-12);
}

TEST_P(EvaluatorTest, BytesAreNotKnownWhereACharacterMayStandForOthers) {
  const TempDirectory directory;
  const std::string path = directory.File("text.txt");
  ASSERT_THAT(WriteFileAtomically(*FileSystem::Real(), path, u8"ab\ufffdba"),
              IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Corpus> corpus,
      OpenTextCorpus(*FileSystem::Real(), path, Encoding::kUtf8));
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Evaluation evaluation,
      EvaluateParts(*corpus, ChunkIndex::Validation(0, corpus->size(), 2),
                    *pool_));
  EXPECT_EQ(evaluation.chars, 4);
  EXPECT_EQ(evaluation.bytes, 0);
  EXPECT_TRUE(std::isnan(evaluation.bits_per_byte()));
}

TEST_P(EvaluatorTest, ItsBitsDoNotDependOnTheNumberOfThreads) {
  const ChunkIndex chunks = ChunkIndex::Validation(0, corpus_->size(), 3);
  const double expected = EvaluateParts(*corpus_, chunks, *pool_)->loss_sum;
  for (const int threads : {2, 3}) {
    const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(threads);
    EXPECT_EQ(EvaluateParts(*corpus_, chunks, *pool)->loss_sum, expected);
  }
}

TEST_P(EvaluatorTest, APartShorterThanAChunkCounts) {
  const ChunkIndex chunks = ChunkIndex::Validation(330, 17, 128);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation,
                               EvaluateParts(*corpus_, chunks, *pool_));
  EXPECT_EQ(evaluation.chars, 16);
}

TEST_P(EvaluatorTest, NothingToPredictIsNotANumber) {
  const ChunkIndex chunks = ChunkIndex::Validation(346, 1, 128);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation,
                               EvaluateParts(*corpus_, chunks, *pool_));
  EXPECT_EQ(evaluation.chars, 0);
  EXPECT_TRUE(std::isnan(evaluation.loss()));
  EXPECT_TRUE(std::isnan(evaluation.bits_per_byte()));
}

TEST_P(EvaluatorTest, StreamsRememberAllThatCameBefore) {
  // 20 streams of 17: two grains, and in chunks of five.
  const StreamIndex streams(0, corpus_->size(), 20, 5);
  double expected = 0;
  for (int64_t stream = 0; stream < 20; ++stream) {
    std::vector<int32_t> ids(18);
    ASSERT_THAT(corpus_->Read(streams.offset(stream, 0), absl::MakeSpan(ids)),
                IsOk());
    const absl::Span<const int32_t> span = ids;
    expected += *Loss(*model_, {1, 17, span.subspan(0, 17), span.subspan(1)});
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation,
                               EvaluateParts(*corpus_, streams, *pool_));
  EXPECT_EQ(evaluation.chars, 340);
  EXPECT_NEAR(evaluation.loss_sum, expected, 1e-3);
}

TEST_P(EvaluatorTest, StreamsGiveTheSameBitsWithAnyNumberOfThreads) {
  const StreamIndex streams(0, corpus_->size(), 50, 2);
  const double expected = EvaluateParts(*corpus_, streams, *pool_)->loss_sum;
  for (const int threads : {2, 3}) {
    const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(threads);
    EXPECT_EQ(EvaluateParts(*corpus_, streams, *pool)->loss_sum, expected);
  }
}

std::vector<std::optional<Arithmetic>> Ways() {
  std::vector<std::optional<Arithmetic>> ways = {std::nullopt};
  for (const Arithmetic& kernels : SupportedArithmetics({Precision::kFp32})) {
    ways.push_back(kernels);
  }
  return ways;
}

INSTANTIATE_TEST_SUITE_P(
    Ways, EvaluatorTest, testing::ValuesIn(Ways()),
    [](const testing::TestParamInfo<std::optional<Arithmetic>>& info) {
      return info.param.has_value() ? std::string(IsaName(info.param->isa))
                                    : "libtorch";
    });

}  // namespace
}  // namespace charrnn
