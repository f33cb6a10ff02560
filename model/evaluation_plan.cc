#include "model/evaluation_plan.h"

#include <algorithm>
#include <cstdint>
#include <variant>

#include "data/chunk_index.h"
#include "data/stream_index.h"
#include "model/config.h"

namespace charrnn {
namespace {

// Enough to keep a few processes busy, and short enough a wait at 10^8
// characters: the state of one follows from all the text before.
constexpr int64_t kMaxStreams = 128;

}  // namespace

EvaluationPlan MakeEvaluationPlan(DataOrder order, int64_t begin,
                                  int64_t length, int seq_len) {
  if (order == DataOrder::kShuffled) {
    return ChunkIndex::Validation(begin, length, seq_len);
  }
  const int64_t chunks = (length - 1) / seq_len;
  return StreamIndex(begin, length, std::clamp<int64_t>(chunks, 1, kMaxStreams),
                     seq_len);
}

int64_t NumTargets(const EvaluationPlan& plan) {
  if (const auto* const chunks = std::get_if<ChunkIndex>(&plan)) {
    return chunks->num_chunks() * chunks->chunk_len();
  }
  const auto& streams = std::get<StreamIndex>(plan);
  return streams.num_streams() * streams.stream_len();
}

}  // namespace charrnn
