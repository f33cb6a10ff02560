#include "model/training_plan.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/batch_plan.h"
#include "data/chunk_index.h"
#include "data/split.h"
#include "data/stream_index.h"
#include "model/config.h"
#include "model/evaluation_plan.h"

namespace charrnn {
namespace {

// A chunk of a single target: an input and the character that follows it.
constexpr int64_t kSmallestChunk = 2;

SplitFractions FractionsOf(const TrainingConfig& config) {
  return {config.val_fraction, config.test_fraction};
}

ChunkIndex TrainingChunks(const TrainingConfig& config, const Split& split) {
  return ChunkIndex::Training(0, split.train_size, config.seq_len,
                              config.overlap_step);
}

BatchPlan Batches(const TrainingConfig& config, const Split& split) {
  if (config.data_order == DataOrder::kStreams) {
    return BatchPlan::Streams(
        StreamIndex(0, split.train_size, config.batch_size, config.seq_len));
  }
  return BatchPlan::Shuffled(TrainingChunks(config, split), config.batch_size,
                             config.seed);
}

}  // namespace

absl::StatusOr<TrainingPlan> MakeTrainingPlan(const TrainingConfig& config,
                                              int64_t corpus_size) {
  CHARRNN_ASSIGN_OR_RETURN(const Split split,
                           SplitCorpus(corpus_size, FractionsOf(config)));
  TrainingPlan plan = {
      Batches(config, split),
      MakeEvaluationPlan(config.data_order, split.train_size,
                         split.validation_size, config.seq_len),
  };
  plan.steps_per_epoch = plan.batches.batches_per_epoch();
  if (plan.steps_per_epoch == 0) {
    const std::string has =
        absl::StrCat("the training part of ", split.train_size, " characters ");
    if (config.data_order == DataOrder::kStreams) {
      return absl::InvalidArgumentError(
          absl::StrCat(has, "is too short for --batch_size=", config.batch_size,
                       " streams"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat(has, "makes ", TrainingChunks(config, split).num_chunks(),
                     " chunks of --seq_len=", config.seq_len,
                     ", fewer than --batch_size=", config.batch_size));
  }
  plan.schedule_steps = plan.steps_per_epoch * config.num_epochs;
  plan.total_steps = plan.schedule_steps;
  if (config.max_steps > 0) {
    plan.total_steps = std::min(plan.total_steps, config.max_steps);
  }
  return plan;
}

absl::StatusOr<FittedConfig> FitToCorpus(const TrainingConfig& config,
                                         int64_t corpus_size) {
  if (corpus_size < 2 * kSmallestChunk) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the text has ", corpus_size, " characters, of which there have to be ",
        2 * kSmallestChunk,
        " at least, to train on and to validate with: use a longer text"));
  }
  CHARRNN_ASSIGN_OR_RETURN(const Split split,
                           SplitCorpus(corpus_size, FractionsOf(config)));
  FittedConfig fitted = {config, {}};
  if (split.train_size <= config.seq_len) {
    fitted.config.seq_len = static_cast<int>(split.train_size - 1);
    fitted.notes.push_back(absl::StrCat(
        "the training part has ", split.train_size, " characters: --seq_len=",
        config.seq_len, " lowered to ", fitted.config.seq_len));
  }
  const int64_t chunks = TrainingChunks(fitted.config, split).num_chunks();
  if (chunks < config.batch_size) {
    fitted.config.batch_size = static_cast<int>(chunks);
    fitted.notes.push_back(absl::StrCat(
        "the training part ",
        config.data_order == DataOrder::kStreams
            ? absl::StrCat("is enough for ", chunks, " streams")
            : absl::StrCat("makes ", chunks, " chunks"),
        " of ", fitted.config.seq_len, " characters: --batch_size=",
        config.batch_size, " lowered to ", chunks));
  }
  return fitted;
}

}  // namespace charrnn
