#ifndef CHARRNN_MODEL_EVALUATOR_H_
#define CHARRNN_MODEL_EVALUATOR_H_

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "data/batch_plan.h"
#include "data/corpus.h"
#include "model/char_rnn.h"
#include "model/computation.h"
#include "model/evaluation_plan.h"
#include "model/gradient_reducer.h"

namespace charrnn {

// How well a model predicts a text.
struct Evaluation {
  double loss_sum = 0;  // nats, summed over all characters predicted
  int64_t chars = 0;    // characters predicted

  // Of the file that these are. 0, not known, under a vocabulary that has an
  // unknown_id(): what U+FFFD stands for there has one to four bytes.
  int64_t bytes = 0;

  // Nats per character; NaN where nothing was predicted.
  double loss() const { return loss_sum / static_cast<double>(chars); }

  // What compares models whose characters differ; NaN likewise, and where bytes
  // are not known.
  double bits_per_byte() const {
    if (bytes == 0) return std::numeric_limits<double>::quiet_NaN();
    return loss_sum / std::log(2.0) / static_cast<double>(bytes);
  }
};

// A full pass over what `plan` reads of a text, without dropout, by a
// computation that has taken the model's weights. Chunks, or
// streams, are cut into grains of a fixed size whose losses are summed by the
// fixed tree, so that the number depends on nothing but model and text.
//
// The processes of `others`, all of which call it, share the work, and all get
// the number. Gives up soon once `stop`, which any thread may call, says so.
//
// Possible errors: Cancelled if `stop` said so; those of `others` and of
// CatchTorch and of Corpus::Read.
absl::StatusOr<Evaluation> Evaluate(
    const Computation& computation, const Corpus& corpus,
    const EvaluationPlan& plan, ThreadPool& pool, GradientReducer& others,
    const std::function<bool()>& stop = [] { return false; });

// The ids that this process reads in an evaluation: all of chunks, which are
// dealt out in rounds, and of streams its own.
IdRange EvaluationReach(const CharRnn& model, const EvaluationPlan& plan,
                        const GradientReducer& others);

// The same by this process alone.
absl::StatusOr<Evaluation> Evaluate(const Computation& computation,
                                    const Corpus& corpus,
                                    const EvaluationPlan& plan,
                                    ThreadPool& pool);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_EVALUATOR_H_
