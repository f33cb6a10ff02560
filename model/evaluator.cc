#include "model/evaluator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/vocab.h"
#include "model/char_rnn.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/loss.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// Chunks a grain: enough rows for an efficient matrix product, few enough that
// the grains of a small text still keep all cores busy.
constexpr int64_t kGrainChunksCpu = 16;

// A GPU takes one grain after the other, and wants large ones: so many targets.
constexpr int64_t kGrainTargetsGpu = 65536;

int64_t GrainChunks(const CharRnn& model, int64_t chunk_len) {
  if (model.device().is_cpu()) return kGrainChunksCpu;
  return std::max<int64_t>(1, kGrainTargetsGpu / chunk_len);
}

// Several processes meet after so many grains each: seldom enough to lose no
// time, and often enough that the faster ones do not take the slower ones, for
// which they wait, for dead.
constexpr int64_t kRoundGrains = 32;

int64_t RoundGrains(int64_t num_processes, int64_t num_grains) {
  return num_processes == 1 ? num_grains : kRoundGrains * num_processes;
}

// How many bytes of a file each symbol is, by id.
std::vector<int64_t> SymbolSizes(const Vocab& vocab) {
  std::vector<int64_t> sizes(vocab.size());
  for (int32_t id = 0; id < vocab.size(); ++id) {
    sizes[id] = static_cast<int64_t>(vocab.Symbol(id).size());
  }
  return sizes;
}

// The sum of what each process has counted.
absl::StatusOr<int64_t> SumOver(GradientReducer& others, int64_t count) {
  // Exact in double, for texts of any size.
  std::vector<double> counts(others.num_processes());
  const IndexRange own = others.LocalShare(others.num_processes());
  counts[own.begin] = static_cast<double>(count);
  CHARRNN_RETURN_IF_ERROR(others.Share(absl::MakeSpan(counts)));
  return static_cast<int64_t>(
      std::accumulate(counts.begin(), counts.end(), 0.0));
}

// What chunks [first, last) add to an evaluation.
absl::StatusOr<Evaluation> EvaluateGrain(
    const CharRnn& model, const Corpus& corpus, const ChunkIndex& chunks,
    const std::vector<int64_t>& symbol_sizes, int64_t first, int64_t last) {
  const int64_t rows = last - first;
  const size_t seq_len = chunks.chunk_len();
  std::vector<int32_t> inputs(rows * seq_len);
  std::vector<int32_t> targets(rows * seq_len);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t offset = chunks.offset(first + row);
    CHARRNN_RETURN_IF_ERROR(corpus.Read(
        offset, absl::MakeSpan(inputs).subspan(row * seq_len, seq_len)));
    CHARRNN_RETURN_IF_ERROR(corpus.Read(
        offset + 1, absl::MakeSpan(targets).subspan(row * seq_len, seq_len)));
  }
  Evaluation grain;
  grain.chars = static_cast<int64_t>(targets.size());
  for (const int32_t id : targets) grain.bytes += symbol_sizes[id];
  CHARRNN_ASSIGN_OR_RETURN(
      grain.loss_sum,
      Loss(model, {rows, static_cast<int64_t>(seq_len), inputs, targets}));
  return grain;
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const CharRnn& model, const Corpus& corpus,
                                    const ChunkIndex& chunks, ThreadPool& pool,
                                    GradientReducer& others,
                                    const std::function<bool()>& stop) {
  Evaluation evaluation;
  const int64_t num_chunks = chunks.num_chunks();
  evaluation.chars = num_chunks * chunks.chunk_len();
  if (num_chunks == 0) return evaluation;
  const int64_t grain_chunks = GrainChunks(model, chunks.chunk_len());
  const int64_t num_grains = (num_chunks + grain_chunks - 1) / grain_chunks;
  const std::vector<int64_t> symbol_sizes = SymbolSizes(corpus.vocab());
  std::vector<double> losses(num_grains);
  std::vector<int64_t> bytes(num_grains);
  std::vector<absl::Status> statuses(num_grains);
  const auto compute = [&](int64_t grain) {
    const int64_t first = grain * grain_chunks;
    const int64_t last = std::min(first + grain_chunks, num_chunks);
    absl::StatusOr<Evaluation> part;
    if (stop()) {
      statuses[grain] = absl::CancelledError("the evaluation was stopped");
      return;
    }
    statuses[grain] = CatchTorch("evaluating", [&] {
      part = EvaluateGrain(model, corpus, chunks, symbol_sizes, first, last);
    });
    if (statuses[grain].ok()) statuses[grain] = part.status();
    if (!part.ok()) return;
    losses[grain] = part->loss_sum;
    bytes[grain] = part->bytes;
  };
  const int64_t round = RoundGrains(others.num_processes(), num_grains);
  for (int64_t begin = 0; begin < num_grains; begin += round) {
    const int64_t size = std::min(round, num_grains - begin);
    const IndexRange share = others.LocalShare(size);
    if (model.device().is_cpu()) {
      pool.ParallelFor(share.size(),
                       [&](int64_t i) { compute(begin + share.begin + i); });
    } else {
      for (int64_t i = share.begin; i < share.end; ++i) compute(begin + i);
    }
    for (int64_t i = share.begin; i < share.end; ++i) {
      CHARRNN_RETURN_IF_ERROR(statuses[begin + i]);
    }
    CHARRNN_RETURN_IF_ERROR(
        others.Share(absl::MakeSpan(losses).subspan(begin, size)));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      evaluation.bytes,
      SumOver(others, std::accumulate(bytes.begin(), bytes.end(), int64_t{0})));
  TreeSum(absl::MakeSpan(losses));
  evaluation.loss_sum = losses.front();
  return evaluation;
}

absl::StatusOr<Evaluation> Evaluate(const CharRnn& model, const Corpus& corpus,
                                    const ChunkIndex& chunks,
                                    ThreadPool& pool) {
  LocalReducer nobody(&pool);
  return Evaluate(model, corpus, chunks, pool, nobody);
}

}  // namespace charrnn
