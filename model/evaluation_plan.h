#ifndef CHARRNN_MODEL_EVALUATION_PLAN_H_
#define CHARRNN_MODEL_EVALUATION_PLAN_H_

#include <cstdint>
#include <variant>

#include "data/chunk_index.h"
#include "data/stream_index.h"
#include "model/config.h"

namespace charrnn {

// What an evaluation reads of a text: chunks that each begin with a zero state,
// or streams that each carry theirs from their beginning to their end.
using EvaluationPlan = std::variant<ChunkIndex, StreamIndex>;

// How ids [begin, begin + length) are evaluated for a model that was trained in
// `order`. Streams are 128, whatever the batch and however many processes share
// them, so that the number is always the same one; fewer only where they would
// be shorter than a chunk. A part of fewer than two ids has nothing to predict.
EvaluationPlan MakeEvaluationPlan(DataOrder order, int64_t begin,
                                  int64_t length, int seq_len);

// Characters that it predicts.
int64_t NumTargets(const EvaluationPlan& plan);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_EVALUATION_PLAN_H_
