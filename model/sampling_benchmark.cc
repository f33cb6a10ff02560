// Measures how fast text is sampled on the CPU, in each precision and with each
// instruction set that this machine has, beside LibTorch's operators; and how
// well a trained model predicts a text in each precision.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/open_corpus.h"
#include "data/split.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/row_math.h"
#include "model/kernels/step_network.h"
#include "model/parameter_layout.h"
#include "model/pretrained.h"
#include "model/sampler.h"
#include "model/torch_threads.h"
#include "model/train_state.h"

ABSL_FLAG(std::string, checkpoint, "",
          "Model to sample from; empty: the notebook's, with random weights.");
ABSL_FLAG(std::string, data_path, "",
          "Text on whose validation part the loss of --checkpoint is measured; "
          "empty: it is not.");
ABSL_FLAG(int, threads, 0, "Threads for many streams; 0: all cores.");
ABSL_FLAG(int, streams, 256, "How many are many.");
ABSL_FLAG(int, rounds, 7, "How often everything is measured, in turns.");

namespace charrnn {
namespace {

// Characters of a stream: long enough for packing the weights not to count,
// short enough for a quiet moment of a busy machine.
constexpr int64_t kCharacters = 1000;
constexpr int64_t kLibTorchCharacters = 100;
constexpr int64_t kCharactersOfMany = 100;

// A way to compute, and its characters a second in its best round: what other
// work takes of a busy machine does not count for or against it.
struct Contestant {
  std::optional<Arithmetic> kernels;  // none: LibTorch
  double one = 0;
  double many = 0;
};

std::vector<Arithmetic> AllArithmetic() {
  return SupportedArithmetics(
      {Precision::kFp32, Precision::kBf16, Precision::kInt8});
}

// Characters a second of `count` streams.
absl::StatusOr<double> Rate(const CharRnn& model,
                            const std::optional<Arithmetic>& kernels,
                            int64_t count, int64_t characters,
                            ThreadPool& pool) {
  SamplingConfig config;
  config.max_generate = characters;
  const Sampler sampler(&model, config, {}, kernels);
  const absl::Duration start = Clock::Real()->Elapsed();
  const std::vector<absl::Status> statuses = sampler.GenerateMany(
      {0}, 0, count, pool, [](int64_t, int32_t) { return absl::OkStatus(); });
  const double seconds =
      absl::ToDoubleSeconds(Clock::Real()->Elapsed() - start);
  for (const absl::Status& status : statuses) CHARRNN_RETURN_IF_ERROR(status);
  return static_cast<double>(count * characters) / seconds;
}

absl::Status MeasureRates(const CharRnn& model) {
  ThreadPool alone(1);
  const std::unique_ptr<ThreadPool> pool =
      MakeTorchThreadPool(absl::GetFlag(FLAGS_threads));
  const int64_t streams = absl::GetFlag(FLAGS_streams);
  std::vector<Contestant> contestants = {{std::nullopt}};
  for (const Arithmetic& arithmetic : AllArithmetic()) {
    contestants.push_back({arithmetic});
  }
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
    for (Contestant& it : contestants) {
      CHARRNN_ASSIGN_OR_RETURN(
          const double one,
          Rate(model, it.kernels, 1,
               it.kernels.has_value() ? kCharacters : kLibTorchCharacters,
               alone));
      it.one = std::max(it.one, one);
      // LibTorch takes one stream after the other: no need to wait for all.
      CHARRNN_ASSIGN_OR_RETURN(
          const double many,
          Rate(model, it.kernels,
               it.kernels.has_value() ? streams : pool->num_threads(),
               kCharactersOfMany, *pool));
      it.many = std::max(it.many, many);
    }
  }
  std::printf(
      "characters/s, and how many times LibTorch's; the best of %d rounds\n"
      "%-19s %20s %12s, %d threads\n",
      absl::GetFlag(FLAGS_rounds), "", "1 stream, 1 thread",
      absl::StrCat(streams, " streams").c_str(), pool->num_threads());
  for (const Contestant& it : contestants) {
    const std::string name =
        it.kernels.has_value()
            ? absl::StrCat(PrecisionName(it.kernels->precision), " ",
                           IsaName(it.kernels->isa))
            : "LibTorch";
    std::printf("%-19s %11.0f %7.1fx %12.0f %7.1fx\n", name.c_str(), it.one,
                it.one / contestants.front().one, it.many,
                it.many / contestants.front().many);
  }
  return absl::OkStatus();
}

// Nats a character of chunks that begin with a zero state each.
absl::StatusOr<double> Loss(const CharRnn& model, const Corpus& corpus,
                            const ChunkIndex& chunks,
                            const Arithmetic& arithmetic) {
  constexpr int64_t kRows = 32;
  const StepWeights weights(model.config(), arithmetic,
                            model.flat().const_data_ptr<float>());
  const auto length = static_cast<size_t>(chunks.chunk_len());
  std::vector<int32_t> ids(length + 1);
  double loss = 0;
  for (int64_t first = 0; first < chunks.num_chunks(); first += kRows) {
    const int64_t rows = std::min(kRows, chunks.num_chunks() - first);
    StepNetwork network(&weights, rows);
    // By time, and then by row.
    std::vector<int32_t> symbols(ids.size() * rows);
    for (int64_t row = 0; row < rows; ++row) {
      CHARRNN_RETURN_IF_ERROR(
          corpus.Read(chunks.offset(first + row), absl::MakeSpan(ids)));
      for (size_t i = 0; i < ids.size(); ++i) symbols[i * rows + row] = ids[i];
    }
    std::vector<double> losses(rows);
    const auto at = [&](size_t time) {
      return absl::MakeConstSpan(symbols).subspan(time * rows, rows);
    };
    for (size_t time = 0; time < length; ++time) {
      CrossEntropy({arithmetic.isa}, at(time + 1), model.config().vocab_size,
                   network.logits_stride(), /*gradient=*/false,
                   const_cast<float*>(network.Step(at(time))), losses.data());
      for (const double one : losses) loss += one;
    }
  }
  return loss / static_cast<double>(chunks.num_chunks() * chunks.chunk_len());
}

absl::Status MeasureLosses(const Pretrained& model) {
  CHARRNN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Corpus> corpus,
      OpenCorpusWithVocab(*FileSystem::Real(), absl::GetFlag(FLAGS_data_path),
                          model.vocab));
  const Split split = SplitCorpus(corpus->size(), {model.data.val_fraction,
                                                   model.data.test_fraction})
                          .value_or(Split{corpus->size()});
  const ChunkIndex chunks = ChunkIndex::Validation(
      split.train_size, split.validation_size, model.data.seq_len);
  std::printf("loss on the validation part, nats a character\n");
  std::optional<double> exact;
  for (const Precision precision :
       {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    const Arithmetic arithmetic = {BestIsa(), precision};
    if (!CheckSupported(arithmetic).ok()) continue;
    CHARRNN_ASSIGN_OR_RETURN(const double loss,
                             Loss(*model.network, *corpus, chunks, arithmetic));
    if (!exact.has_value()) exact = loss;
    std::printf("%-5s %.6f  %+.4f %%\n",
                std::string(PrecisionName(precision)).c_str(), loss,
                100 * (loss / *exact - 1));
  }
  return absl::OkStatus();
}

absl::Status MeasureAll() {
  const std::string checkpoint = absl::GetFlag(FLAGS_checkpoint);
  if (checkpoint.empty()) {
    ModelConfig config;
    config.vocab_size = 65;
    const CharRnn model(
        config,
        TrainState::Initial(ParameterLayout(config), 1, "cpu")->parameters);
    return MeasureRates(model);
  }
  CHARRNN_ASSIGN_OR_RETURN(
      const Pretrained model,
      LoadPretrained(*FileSystem::Real(), checkpoint, "cpu"));
  std::printf("%s\n", model.description.c_str());
  if (!absl::GetFlag(FLAGS_data_path).empty()) {
    CHARRNN_RETURN_IF_ERROR(MeasureLosses(model));
  }
  return MeasureRates(*model.network);
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = charrnn::MeasureAll();
  if (status.ok()) return 0;
  CHARRNN_LOG(ERROR) << status.message();
  return 1;
}
