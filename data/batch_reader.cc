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
#include "base/status_macros.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/epoch_plan.h"

namespace charrnn {
namespace {

// `options` with num_rows spelt out, and checked.
BatchReader::Options Normalized(BatchReader::Options options) {
  CHARRNN_CHECK(options.batch_size >= 1 && options.prefetch >= 1 &&
                options.start_step >= 0)
      << options.batch_size << ", " << options.prefetch << ", "
      << options.start_step;
  CHARRNN_CHECK(options.first_row >= 0 &&
                options.first_row < options.batch_size)
      << "row " << options.first_row << " of " << options.batch_size;
  const int rows_left = options.batch_size - options.first_row;
  if (options.num_rows == 0) options.num_rows = rows_left;
  CHARRNN_CHECK(options.num_rows >= 1 && options.num_rows <= rows_left)
      << options.num_rows << " rows from " << options.first_row << " of "
      << options.batch_size;
  return options;
}

std::vector<Batch> MakeRing(int prefetch, int rows, int seq_len) {
  Batch batch;
  batch.rows = rows;
  batch.seq_len = seq_len;
  const size_t num_ids = static_cast<size_t>(rows) * seq_len;
  batch.inputs.resize(num_ids);
  batch.targets.resize(num_ids);
  return std::vector<Batch>(prefetch + 1, batch);
}

}  // namespace

BatchReader::BatchReader(const Corpus* corpus, const ChunkIndex& chunks,
                         const Options& options)
    : corpus_(corpus),
      chunks_(chunks),
      options_(Normalized(options)),
      batches_per_epoch_(chunks.num_chunks() / options.batch_size),
      ring_(MakeRing(options_.prefetch, options_.num_rows, chunks.chunk_len())),
      filled_(options_.start_step),
      taken_(options_.start_step) {
  if (batches_per_epoch_ > 0) thread_ = std::thread(&BatchReader::Run, this);
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
  if (batches_per_epoch_ == 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: %d chunks of %d characters are not one batch of %d; lower "
        "--batch_size or --seq_len",
        corpus_->name(), chunks_.num_chunks(), chunks_.chunk_len(),
        options_.batch_size));
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
  const EpochPlan plan(chunks_.num_chunks(), options_.seed,
                       step / batches_per_epoch_);
  const int64_t first =
      step % batches_per_epoch_ * options_.batch_size + options_.first_row;
  const int seq_len = batch->seq_len;
  batch->step = step;
  for (int row = 0; row < batch->rows; ++row) {
    const int64_t offset = chunks_.offset(plan.Chunk(first + row));
    const int64_t at = int64_t{row} * seq_len;
    CHARRNN_RETURN_IF_ERROR(
        corpus_->Read(offset, absl::MakeSpan(&batch->inputs[at], seq_len)));
    CHARRNN_RETURN_IF_ERROR(corpus_->Read(
        offset + 1, absl::MakeSpan(&batch->targets[at], seq_len)));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
