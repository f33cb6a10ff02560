// Batches of a training run, read ahead of the trainer.

#ifndef CHARRNN_DATA_BATCH_READER_H_
#define CHARRNN_DATA_BATCH_READER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/batch_plan.h"
#include "data/corpus.h"

namespace charrnn {

// The rows of one step that a process computes.
struct Batch {
  int64_t step = 0;  // Counted from the run's beginning, over all epochs.
  int rows = 0;
  int seq_len = 0;
  // Both [rows, seq_len], row-major; targets[i] follows inputs[i] in the text.
  std::vector<int32_t> inputs;
  std::vector<int32_t> targets;
};

// Reads the batches of steps [start_step, end_step) in order, on a thread of
// its own, into a ring of buffers that are allocated once. What a step reads is
// a function of the corpus, the plan and the step alone.
//
// One thread at a time may call Next().
//
//   BatchReader::Options options;
//   options.end_step = 320;
//   BatchReader reader(corpus.get(), plan, options);
//   CHARRNN_ASSIGN_OR_RETURN(const Batch* batch, reader.Next());
class BatchReader {
 public:
  struct Options {
    // The first step to read (where a resumed run goes on), and the one before
    // which to stop.
    int64_t start_step = 0;
    int64_t end_step = 0;
    // Batches to read ahead, at least 1. Reading takes far less time than a
    // step, so two absorb what jitter there is.
    int prefetch = 2;
    // This process's rows of the global batch: [first_row, first_row +
    // num_rows). 0 stands for all that follow first_row.
    int first_row = 0;
    int num_rows = 0;
  };

  // Starts to read. `corpus` is not owned and must outlive the reader.
  BatchReader(const Corpus* corpus, const BatchPlan& plan,
              const Options& options);

  // Ends the thread, which waits for nobody: at most one batch is still read.
  ~BatchReader();

  BatchReader(const BatchReader&) = delete;
  BatchReader& operator=(const BatchReader&) = delete;

  // The next step's batch, valid until the next call. Waits for the reading
  // thread only.
  //
  // Possible errors:
  //   kOutOfRange: end_step is reached.
  //   kFailedPrecondition: the plan has not one whole batch.
  //   Those of Corpus::Read; then there is no batch any more.
  absl::StatusOr<const Batch*> Next();

 private:
  // The reading thread.
  void Run();

  // Reads this process's rows of `step`.
  absl::Status Fill(int64_t step, Batch* batch);

  Batch& BufferOf(int64_t step) { return ring_[step % ring_.size()]; }

  const Corpus* const corpus_;
  const BatchPlan plan_;
  const Options options_;

  // One more than prefetch, for the batch that the caller holds. Not guarded:
  // buffers of steps in [taken_, filled_), and that of taken_ - 1, are the
  // caller's to read; the others are the thread's to write.
  std::vector<Batch> ring_;

  // Of the standard library, because ThreadSanitizer sees its operations and
  // not those of the system's abseil.
  std::mutex mutex_;
  // Of the four below. One side at most waits: the ring is not both empty and
  // full.
  std::condition_variable changed_;
  int64_t filled_;         // guarded by mutex_; steps below are filled
  int64_t taken_;          // guarded by mutex_; steps below are handed out
  bool stopping_ = false;  // guarded by mutex_
  absl::Status error_;     // guarded by mutex_; why step filled_ will not be

  std::vector<int64_t> offsets_;  // the thread's, of the rows that it reads

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_BATCH_READER_H_
