#include "model/evaluator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/batch_plan.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/rows.h"
#include "data/stream_index.h"
#include "data/vocab.h"
#include "model/char_rnn.h"
#include "model/computation.h"
#include "model/evaluation_plan.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// Chunks a grain: enough for an efficient matrix product, few enough that the
// grains of a small text still keep all cores busy. Of streams, of which there
// are never more than 128, a half.
constexpr int64_t kGrainChunksCpu = 16;
constexpr int64_t kGrainStreamsCpu = 8;

// A GPU takes one grain after the other, and wants large ones: so many targets
// of chunks, and so many streams.
constexpr int64_t kGrainTargetsGpu = 65536;
constexpr int64_t kGrainStreamsGpu = 32;

// Several processes meet after so many chunks of a grain's rows each: seldom
// enough to lose no time, and often enough that the faster ones do not take the
// slower ones, for which they wait, for dead.
constexpr int64_t kRoundChunks = 32;

// Rows, chunks or streams, in grains of a fixed size, the last one of which may
// be smaller.
struct GrainsOfRows {
  int64_t num_rows;
  int64_t grain_rows;

  int64_t count() const { return (num_rows + grain_rows - 1) / grain_rows; }
  // The rows of some grains that follow one another.
  IndexRange Rows(IndexRange grains) const {
    return {std::min(grains.begin * grain_rows, num_rows),
            std::min(grains.end * grain_rows, num_rows)};
  }
  IndexRange Rows(int64_t grain) const { return Rows({grain, grain + 1}); }
};

GrainsOfRows GrainsOf(const CharRnn& model, const ChunkIndex& chunks) {
  return {chunks.num_chunks(),
          model.device().is_cpu()
              ? kGrainChunksCpu
              : std::max<int64_t>(1, kGrainTargetsGpu / chunks.chunk_len())};
}

GrainsOfRows GrainsOf(const CharRnn& model, const StreamIndex& streams) {
  return {streams.num_streams(),
          model.device().is_cpu() ? kGrainStreamsCpu : kGrainStreamsGpu};
}

// How many bytes of a file each symbol is, by id.
std::vector<int64_t> SymbolSizes(const Vocab& vocab) {
  std::vector<int64_t> sizes(vocab.size());
  for (int32_t id = 0; id < vocab.size(); ++id) {
    sizes[id] = static_cast<int64_t>(vocab.Symbol(id).size());
  }
  return sizes;
}

// Computes with all that an evaluation is given.
class Evaluator {
 public:
  Evaluator(const Computation& computation, const Corpus& corpus,
            ThreadPool& pool, GradientReducer& others,
            const std::function<bool()>& stop)
      : computation_(computation),
        model_(computation.model()),
        corpus_(corpus),
        symbol_sizes_(SymbolSizes(corpus.vocab())),
        pool_(pool),
        others_(others),
        stop_(stop) {}

  // The sums of the losses of all grains, which all processes get.
  absl::StatusOr<std::vector<double>> GrainLosses(const ChunkIndex& chunks);
  absl::StatusOr<std::vector<double>> GrainLosses(const StreamIndex& streams);

  // The bytes of all targets of which that was, likewise.
  absl::StatusOr<int64_t> NumBytes();

 private:
  // What the targets of a grain add up to.
  struct Sums {
    double loss = 0;  // nats
    int64_t bytes = 0;
  };

  // A run of streams on their way.
  struct StreamGrain {
    IndexRange streams;
    RnnState state;
    Sums sums;
  };

  // Calls `compute` for each of `count` grains, side by side on a CPU, until
  // it is told to stop.
  absl::Status ForEachGrain(
      int64_t count, const std::function<absl::Status(int64_t)>& compute);

  // Adds what rows of `seq_len` inputs that begin at `offsets` come to; `state`
  // as for Loss().
  absl::Status AddRows(absl::Span<const int64_t> offsets, size_t seq_len,
                       RnnState* state, Sums& sums) const;
  absl::Status AddChunks(const ChunkIndex& chunks, IndexRange range,
                         Sums& sums) const;

  // Takes the grain through chunks [first, last) of its streams.
  absl::Status Advance(const StreamIndex& streams, int64_t first, int64_t last,
                       StreamGrain& grain) const;

  // Those of `share`, at their beginning.
  absl::StatusOr<std::vector<StreamGrain>> BeginGrains(
      const GrainsOfRows& grains, IndexRange share) const;

  const Computation& computation_;
  const CharRnn& model_;
  const Corpus& corpus_;
  const std::vector<int64_t> symbol_sizes_;
  ThreadPool& pool_;
  GradientReducer& others_;
  const std::function<bool()>& stop_;
  int64_t num_bytes_ = 0;  // of this process's grains
};

absl::Status Evaluator::AddRows(absl::Span<const int64_t> offsets,
                                size_t seq_len, RnnState* state,
                                Sums& sums) const {
  std::vector<int32_t> inputs(offsets.size() * seq_len);
  std::vector<int32_t> targets(offsets.size() * seq_len);
  CHARRNN_RETURN_IF_ERROR(ReadRows(corpus_, offsets, absl::MakeSpan(inputs),
                                   absl::MakeSpan(targets)));
  CHARRNN_ASSIGN_OR_RETURN(
      const double loss,
      computation_.Loss({static_cast<int64_t>(offsets.size()),
                         static_cast<int64_t>(seq_len), inputs, targets},
                        state));
  sums.loss += loss;
  for (const int32_t id : targets) sums.bytes += symbol_sizes_[id];
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Evaluator::NumBytes() {
  // Exact in double, for texts of any size.
  std::vector<double> counts(others_.num_processes());
  counts[others_.process()] = static_cast<double>(num_bytes_);
  CHARRNN_RETURN_IF_ERROR(others_.Share(absl::MakeSpan(counts)));
  return static_cast<int64_t>(
      std::accumulate(counts.begin(), counts.end(), 0.0));
}

absl::Status Evaluator::ForEachGrain(
    int64_t count, const std::function<absl::Status(int64_t)>& compute) {
  std::vector<absl::Status> statuses(count);
  const auto compute_one = [&](int64_t grain) {
    if (stop_()) {
      statuses[grain] = absl::CancelledError("the evaluation was stopped");
      return;
    }
    absl::Status status;
    statuses[grain] =
        CatchTorch("evaluating", [&] { status = compute(grain); });
    if (statuses[grain].ok()) statuses[grain] = std::move(status);
  };
  if (model_.device().is_cpu()) {
    pool_.ParallelFor(count, compute_one);
  } else {
    for (int64_t grain = 0; grain < count; ++grain) compute_one(grain);
  }
  for (const absl::Status& status : statuses) {
    CHARRNN_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status Evaluator::AddChunks(const ChunkIndex& chunks, IndexRange range,
                                  Sums& sums) const {
  std::vector<int64_t> offsets;
  for (int64_t chunk = range.begin; chunk < range.end; ++chunk) {
    offsets.push_back(chunks.offset(chunk));
  }
  return AddRows(offsets, chunks.chunk_len(), /*state=*/nullptr, sums);
}

absl::StatusOr<std::vector<double>> Evaluator::GrainLosses(
    const ChunkIndex& chunks) {
  const GrainsOfRows grains = GrainsOf(model_, chunks);
  const int64_t num_grains = grains.count();
  const int64_t processes = others_.num_processes();
  const int64_t round = processes == 1 ? num_grains : kRoundChunks * processes;
  std::vector<double> losses(num_grains);
  for (int64_t begin = 0; begin < num_grains; begin += round) {
    const int64_t size = std::min(round, num_grains - begin);
    const IndexRange share = others_.LocalShare(size);
    std::vector<Sums> sums(share.size());
    CHARRNN_RETURN_IF_ERROR(ForEachGrain(share.size(), [&](int64_t i) {
      return AddChunks(chunks, grains.Rows(begin + share.begin + i), sums[i]);
    }));
    for (int64_t i = 0; i < share.size(); ++i) {
      losses[begin + share.begin + i] = sums[i].loss;
      num_bytes_ += sums[i].bytes;
    }
    CHARRNN_RETURN_IF_ERROR(
        others_.Share(absl::MakeSpan(losses).subspan(begin, size)));
  }
  return losses;
}

absl::StatusOr<std::vector<Evaluator::StreamGrain>> Evaluator::BeginGrains(
    const GrainsOfRows& grains, IndexRange share) const {
  std::vector<StreamGrain> begun(share.size());
  CHARRNN_RETURN_IF_ERROR(CatchTorch("evaluating", [&] {
    for (int64_t i = 0; i < share.size(); ++i) {
      begun[i].streams = grains.Rows(share.begin + i);
      begun[i].state = model_.ZeroState(begun[i].streams.size());
    }
  }));
  return begun;
}

absl::Status Evaluator::Advance(const StreamIndex& streams, int64_t first,
                                int64_t last, StreamGrain& grain) const {
  std::vector<int64_t> offsets(grain.streams.size());
  for (int64_t chunk = first; chunk < last; ++chunk) {
    if (stop_()) return absl::CancelledError("the evaluation was stopped");
    for (int64_t i = 0; i < grain.streams.size(); ++i) {
      offsets[i] = streams.offset(grain.streams.begin + i, chunk);
    }
    CHARRNN_RETURN_IF_ERROR(
        AddRows(offsets, streams.chunk_len(chunk), &grain.state, grain.sums));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Evaluator::GrainLosses(
    const StreamIndex& streams) {
  const GrainsOfRows all = GrainsOf(model_, streams);
  const int64_t num_grains = all.count();
  const IndexRange share = others_.LocalShare(num_grains);
  CHARRNN_ASSIGN_OR_RETURN(std::vector<StreamGrain> grains,
                           BeginGrains(all, share));
  const int64_t processes = others_.num_processes();
  // The same in all of them, and as much work as a round of chunks.
  const int64_t round =
      processes == 1
          ? streams.num_chunks()
          : std::max<int64_t>(1, kRoundChunks * processes / num_grains);
  std::vector<double> losses(num_grains);
  for (int64_t begin = 0; begin < streams.num_chunks(); begin += round) {
    const int64_t end = std::min(begin + round, streams.num_chunks());
    CHARRNN_RETURN_IF_ERROR(ForEachGrain(share.size(), [&](int64_t i) {
      return Advance(streams, begin, end, grains[i]);
    }));
    losses.assign(num_grains, 0);
    for (int64_t i = 0; i < share.size(); ++i) {
      losses[share.begin + i] = grains[i].sums.loss;
    }
    CHARRNN_RETURN_IF_ERROR(others_.Share(absl::MakeSpan(losses)));
  }
  for (const StreamGrain& grain : grains) num_bytes_ += grain.sums.bytes;
  return losses;
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const Computation& computation,
                                    const Corpus& corpus,
                                    const EvaluationPlan& plan,
                                    ThreadPool& pool, GradientReducer& others,
                                    const std::function<bool()>& stop) {
  Evaluation evaluation;
  evaluation.chars = NumTargets(plan);
  if (evaluation.chars == 0) return evaluation;
  Evaluator evaluator(computation, corpus, pool, others, stop);
  CHARRNN_ASSIGN_OR_RETURN(
      std::vector<double> losses,
      std::visit(
          [&](const auto& parts) { return evaluator.GrainLosses(parts); },
          plan));
  if (corpus.vocab().unknown_id() < 0) {
    CHARRNN_ASSIGN_OR_RETURN(evaluation.bytes, evaluator.NumBytes());
  }
  TreeSum(absl::MakeSpan(losses));
  evaluation.loss_sum = losses.front();
  return evaluation;
}

IdRange EvaluationReach(const CharRnn& model, const EvaluationPlan& plan,
                        const GradientReducer& others) {
  if (const auto* const chunks = std::get_if<ChunkIndex>(&plan)) {
    return {chunks->begin(), chunks->end()};
  }
  const auto& streams = std::get<StreamIndex>(plan);
  const GrainsOfRows grains = GrainsOf(model, streams);
  const IndexRange own = grains.Rows(others.LocalShare(grains.count()));
  if (own.size() == 0) return {};
  return {streams.begin(own.begin), streams.end(own.end)};
}

absl::StatusOr<Evaluation> Evaluate(const Computation& computation,
                                    const Corpus& corpus,
                                    const EvaluationPlan& plan,
                                    ThreadPool& pool) {
  LocalReducer nobody(&pool);
  return Evaluate(computation, corpus, plan, pool, nobody);
}

}  // namespace charrnn
