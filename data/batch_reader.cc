#include "data/batch_reader.h"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "data/batch_plan.h"
#include "data/corpus.h"
#include "data/rows.h"

namespace charrnn {
namespace {

// `options` with num_rows spelt out, and checked.
BatchReader::Options Normalized(BatchReader::Options options, int batch_size) {
  CHARRNN_CHECK(options.prefetch >= 1 && options.start_step >= 0)
      << options.prefetch << ", " << options.start_step;
  CHARRNN_CHECK(options.first_row >= 0 && options.first_row < batch_size)
      << "row " << options.first_row << " of " << batch_size;
  const int rows_left = batch_size - options.first_row;
  if (options.num_rows == 0) options.num_rows = rows_left;
  CHARRNN_CHECK(options.num_rows >= 1 && options.num_rows <= rows_left)
      << options.num_rows << " rows from " << options.first_row << " of "
      << batch_size;
  return options;
}

// Buffers for rows of at most `max_seq_len` inputs.
std::vector<Batch> MakeRing(int prefetch, int rows, int max_seq_len) {
  Batch batch;
  batch.rows = rows;
  const size_t num_ids = static_cast<size_t>(rows) * max_seq_len;
  batch.inputs.resize(num_ids);
  batch.targets.resize(num_ids);
  return std::vector<Batch>(prefetch + 1, batch);
}

}  // namespace

BatchReader::BatchReader(const Corpus* corpus, const BatchPlan& plan,
                         const Options& options)
    : corpus_(corpus),
      plan_(plan),
      options_(Normalized(options, plan.batch_size())),
      ring_(MakeRing(options_.prefetch, options_.num_rows, plan.max_seq_len())),
      filled_(options_.start_step),
      taken_(options_.start_step),
      offsets_(options_.num_rows) {
  if (plan_.batches_per_epoch() > 0) {
    thread_ = std::thread(&BatchReader::Run, this);
  }
}

BatchReader::~BatchReader() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<const Batch*> BatchReader::Next() {
  if (plan_.batches_per_epoch() == 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: too short for one batch of %d; lower --batch_size or --seq_len",
        corpus_->name(), plan_.batch_size()));
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (taken_ >= options_.end_step) {
    return absl::OutOfRangeError(
        absl::StrFormat("step %d is the last", options_.end_step - 1));
  }
  changed_.wait(lock, [this] { return taken_ < filled_ || !error_.ok(); });
  if (taken_ == filled_) return error_;
  const Batch& batch = BufferOf(taken_++);
  changed_.notify_one();
  return &batch;
}

void BatchReader::Run() {
  for (int64_t step = options_.start_step; step < options_.end_step; ++step) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] {
        return stopping_ || filled_ < taken_ + options_.prefetch;
      });
      if (stopping_) return;
    }
    absl::Status status = Fill(step, &BufferOf(step));
    const bool filled = status.ok();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (filled) filled_ = step + 1;
      error_ = std::move(status);
    }
    changed_.notify_one();
    if (!filled) return;
  }
}

absl::Status BatchReader::Fill(int64_t step, Batch* batch) {
  const int seq_len = plan_.seq_len(step);
  batch->step = step;
  batch->seq_len = seq_len;
  // Never beyond what was allocated.
  const size_t num_ids = static_cast<size_t>(batch->rows) * seq_len;
  batch->inputs.resize(num_ids);
  batch->targets.resize(num_ids);
  plan_.Offsets(step, options_.first_row, absl::MakeSpan(offsets_));
  return ReadRows(*corpus_, offsets_, absl::MakeSpan(batch->inputs),
                  absl::MakeSpan(batch->targets));
}

}  // namespace charrnn
