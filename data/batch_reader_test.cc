#include "data/batch_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "data/batch_plan.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/epoch_plan.h"
#include "data/stream_index.h"
#include "data/vocab.h"
#include "testing/allocations.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

// A corpus whose id at each offset is the offset, so that a batch tells where
// it was read, and which counts how often it was asked.
class CountingCorpus : public Corpus {
 public:
  explicit CountingCorpus(int64_t size)
      : size_(size), vocab_(SnippetCorpus(Encoding::kUtf8)->vocab()) {}

  int64_t size() const override { return size_; }
  const Vocab& vocab() const override { return vocab_; }
  std::string name() const override { return "counting"; }
  absl::Status Read(int64_t offset, absl::Span<int32_t> ids) const override {
    if (offset >= damaged_from_) return absl::DataLossError("damaged");
    std::iota(ids.begin(), ids.end(), static_cast<int32_t>(offset));
    std::lock_guard<std::mutex> lock(mutex_);
    ++num_reads_;
    read_.notify_all();
    return absl::OkStatus();
  }

  // Nothing can be read from there on.
  void DamageFrom(int64_t offset) { damaged_from_ = offset; }

  int64_t num_reads() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return num_reads_;
  }

  // Waits until the corpus has been asked `count` times.
  void AwaitReads(int64_t count) const {
    std::unique_lock<std::mutex> lock(mutex_);
    ASSERT_TRUE(read_.wait_for(lock, std::chrono::minutes(1),
                               [&] { return num_reads_ >= count; }))
        << num_reads_ << " of " << count;
  }

 protected:
  uint32_t ids_crc32c() const override { return 0; }

 private:
  const int64_t size_;
  int64_t damaged_from_ = std::numeric_limits<int64_t>::max();
  const Vocab vocab_;
  mutable std::mutex mutex_;
  mutable std::condition_variable read_;
  mutable int64_t num_reads_ = 0;  // guarded by mutex_
};

constexpr int kSeqLen = 5;
constexpr int kBatchSize = 4;
// Three batches of four and two chunks left over.
constexpr int64_t kNumChunks = 14;
constexpr int64_t kBatchesPerEpoch = 3;
// A row's inputs and its targets are read apart.
constexpr int64_t kReadsPerBatch = int64_t{2} * kBatchSize;

class BatchReaderTest : public ::testing::Test {
 protected:
  static BatchReader::Options DefaultOptions() {
    BatchReader::Options options;
    options.end_step = 5 * kBatchesPerEpoch;
    return options;
  }

  // All batches that are left, copied.
  static std::vector<Batch> ReadAll(BatchReader& reader) {
    std::vector<Batch> batches;
    absl::StatusOr<const Batch*> batch = reader.Next();
    for (; batch.ok(); batch = reader.Next()) batches.push_back(**batch);
    EXPECT_EQ(batch.status().code(), absl::StatusCode::kOutOfRange);
    return batches;
  }

  std::vector<Batch> ReadAll(const BatchReader::Options& options) {
    BatchReader reader(&corpus_, plan_, options);
    return ReadAll(reader);
  }

  const BatchPlan plan_ = BatchPlan::Shuffled(
      ChunkIndex::Training(0, kNumChunks* kSeqLen + 1, kSeqLen, 0), kBatchSize,
      /*seed=*/42);
  CountingCorpus corpus_{kNumChunks * kSeqLen + 1};
};

void ExpectEqual(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.seq_len, b.seq_len);
  EXPECT_EQ(a.inputs, b.inputs) << "step " << a.step;
  EXPECT_EQ(a.targets, b.targets) << "step " << a.step;
}

void ExpectEqual(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ExpectEqual(a[i], b[i]);
}

TEST_F(BatchReaderTest, ReadsTheChunksOfTheEpochPlanStepByStep) {
  const std::vector<Batch> batches = ReadAll(DefaultOptions());
  ASSERT_EQ(batches.size(), 5 * kBatchesPerEpoch);
  for (int64_t step = 0; step < 5 * kBatchesPerEpoch; ++step) {
    const Batch& batch = batches[step];
    EXPECT_EQ(batch.step, step);
    EXPECT_EQ(batch.rows, kBatchSize);
    EXPECT_EQ(batch.seq_len, kSeqLen);
    ASSERT_EQ(batch.inputs.size(), kBatchSize * kSeqLen);
    const EpochPlan plan(kNumChunks, 42, step / kBatchesPerEpoch);
    for (int row = 0; row < kBatchSize; ++row) {
      const int64_t chunk =
          plan.Chunk(step % kBatchesPerEpoch * kBatchSize + row);
      for (int t = 0; t < kSeqLen; ++t) {
        ASSERT_EQ(batch.inputs[row * kSeqLen + t], chunk * kSeqLen + t);
      }
    }
  }
}

TEST_F(BatchReaderTest, TargetsAreTheInputsShiftedByOne) {
  for (const Batch& batch : ReadAll(DefaultOptions())) {
    ASSERT_EQ(batch.targets.size(), batch.inputs.size());
    for (size_t i = 0; i < batch.inputs.size(); ++i) {
      ASSERT_EQ(batch.targets[i], batch.inputs[i] + 1);
    }
  }
}

TEST_F(BatchReaderTest, AnEpochReadsNoChunkTwice) {
  const std::vector<Batch> batches = ReadAll(DefaultOptions());
  std::set<std::set<int32_t>> epochs;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    std::set<int32_t> beginnings;
    for (int64_t i = 0; i < kBatchesPerEpoch; ++i) {
      const Batch& batch = batches[epoch * kBatchesPerEpoch + i];
      for (int row = 0; row < kBatchSize; ++row) {
        beginnings.insert(batch.inputs[int64_t{row} * kSeqLen]);
      }
    }
    EXPECT_EQ(beginnings.size(), kBatchesPerEpoch * kBatchSize);
    epochs.insert(beginnings);
  }
  // The two chunks that are left over are not always the same.
  EXPECT_GT(epochs.size(), 1);
}

TEST_F(BatchReaderTest, WhatIsReadDoesNotDependOnPrefetch) {
  BatchReader::Options options = DefaultOptions();
  options.prefetch = 1;
  const std::vector<Batch> expected = ReadAll(options);
  for (int prefetch : {2, 3, 4, 5, 6, 7, 8, 100}) {
    options.prefetch = prefetch;
    ExpectEqual(ReadAll(options), expected);
  }
}

TEST_F(BatchReaderTest, ARunResumedAtAnyStepReadsWhatTheUninterruptedOneDoes) {
  const std::vector<Batch> all = ReadAll(DefaultOptions());
  for (int64_t start = 0; start <= 5 * kBatchesPerEpoch; ++start) {
    for (int prefetch : {1, 2, 8}) {
      BatchReader::Options options = DefaultOptions();
      options.start_step = start;
      options.prefetch = prefetch;
      ExpectEqual(ReadAll(options),
                  std::vector<Batch>(all.begin() + start, all.end()));
    }
  }
}

TEST_F(BatchReaderTest, ARangeOfRowsIsThoseRowsOfTheGlobalBatch) {
  const std::vector<Batch> all = ReadAll(DefaultOptions());
  for (int first = 0; first < kBatchSize; ++first) {
    for (int count = 1; first + count <= kBatchSize; ++count) {
      BatchReader::Options options = DefaultOptions();
      options.first_row = first;
      options.num_rows = count;
      const std::vector<Batch> part = ReadAll(options);
      ASSERT_EQ(part.size(), all.size());
      for (size_t step = 0; step < all.size(); ++step) {
        Batch expected = all[step];
        expected.rows = count;
        for (auto* ids : {&expected.inputs, &expected.targets}) {
          *ids = std::vector<int32_t>(
              ids->begin() + int64_t{first} * kSeqLen,
              ids->begin() + int64_t{first + count} * kSeqLen);
        }
        ExpectEqual(part[step], expected);
      }
    }
  }
}

TEST_F(BatchReaderTest, ZeroRowsStandForAllThatFollowTheFirst) {
  BatchReader::Options options = DefaultOptions();
  options.first_row = 1;
  const std::vector<Batch> implied = ReadAll(options);
  options.num_rows = kBatchSize - 1;
  ExpectEqual(implied, ReadAll(options));
}

TEST_F(BatchReaderTest, ReadsPartsThatBeginInsideTheCorpusAndOverlap) {
  const auto chunks = ChunkIndex::Training(20, 30, kSeqLen, 2);
  BatchReader::Options options = DefaultOptions();
  options.end_step = chunks.num_chunks() / kBatchSize;
  BatchReader reader(&corpus_, BatchPlan::Shuffled(chunks, kBatchSize, 42),
                     options);
  const EpochPlan plan(chunks.num_chunks(), 42, 0);
  for (const Batch& batch : ReadAll(reader)) {
    for (int row = 0; row < kBatchSize; ++row) {
      EXPECT_EQ(batch.inputs[int64_t{row} * kSeqLen],
                20 + 2 * plan.Chunk(batch.step * kBatchSize + row));
    }
  }
}

TEST_F(BatchReaderTest, TheEndIsReportedAsOftenAsAsked) {
  BatchReader::Options options = DefaultOptions();
  options.end_step = 1;
  BatchReader reader(&corpus_, plan_, options);
  EXPECT_TRUE(reader.Next().ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kOutOfRange);
  }
}

TEST_F(BatchReaderTest, AReaderWithoutStepsIsAtItsEndAtOnce) {
  BatchReader::Options options = DefaultOptions();
  options.start_step = options.end_step + 1;
  BatchReader reader(&corpus_, plan_, options);
  EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(corpus_.num_reads(), 0);
}

TEST_F(BatchReaderTest, TooFewChunksForOneBatchIsAnErrorThatNamesIt) {
  const auto chunks = ChunkIndex::Training(0, 3 * kSeqLen + 1, kSeqLen, 0);
  BatchReader reader(&corpus_, BatchPlan::Shuffled(chunks, kBatchSize, 42),
                     DefaultOptions());
  const absl::Status status = reader.Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("counting: too short for one batch of 4; lower "
                        "--batch_size or --seq_len"));
}

TEST_F(BatchReaderTest, WhatCannotBeReadIsTheErrorOfItsStep) {
  // All batches of the first epoch but those with the last chunk's ids.
  corpus_.DamageFrom((kNumChunks - 1) * kSeqLen);
  BatchReader reader(&corpus_, plan_, DefaultOptions());
  const EpochPlan plan(kNumChunks, 42, 0);
  int64_t position = 0;
  while (plan.Chunk(position) != kNumChunks - 1) ++position;
  for (int64_t step = 0; step < position / kBatchSize; ++step) {
    EXPECT_TRUE(reader.Next().ok()) << step;
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST_F(BatchReaderTest, ReadsAheadAsFarAsPrefetchAndNoFurther) {
  for (int prefetch = 1; prefetch <= 8; ++prefetch) {
    const CountingCorpus corpus(kNumChunks * kSeqLen + 1);
    {
      BatchReader::Options options = DefaultOptions();
      options.prefetch = prefetch;
      BatchReader reader(&corpus, plan_, options);
      corpus.AwaitReads(prefetch * kReadsPerBatch);
      ASSERT_TRUE(reader.Next().ok());
      ASSERT_TRUE(reader.Next().ok());
      corpus.AwaitReads((2 + prefetch) * kReadsPerBatch);
    }
    // The thread has ended, so this is all that it has read.
    EXPECT_EQ(corpus.num_reads(), (2 + prefetch) * kReadsPerBatch);
  }
}

TEST_F(BatchReaderTest, ABatchStaysAsItIsUntilTheNextIsAskedFor) {
  for (int prefetch = 1; prefetch <= 8; ++prefetch) {
    const CountingCorpus corpus(kNumChunks * kSeqLen + 1);
    BatchReader::Options options = DefaultOptions();
    options.prefetch = prefetch;
    BatchReader reader(&corpus, plan_, options);
    for (int64_t step = 0; step + prefetch < options.end_step; ++step) {
      const absl::StatusOr<const Batch*> batch = reader.Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
      const Batch copy = **batch;
      // The thread fills every other buffer meanwhile.
      corpus.AwaitReads((step + 1 + prefetch) * kReadsPerBatch);
      ExpectEqual(**batch, copy);
    }
  }
}

TEST_F(BatchReaderTest, BuffersAreReusedAndNothingIsAllocatedOnTheWay) {
  BatchReader::Options options = DefaultOptions();
  options.end_step = 1000;
  options.prefetch = 3;
  BatchReader reader(&corpus_, plan_, options);
  // The first round starts the thread and what belongs to it.
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(reader.Next().ok());
  const int64_t allocations_before = NumAllocations();
  const Batch* lowest = *reader.Next();
  const Batch* highest = lowest;
  for (int i = 0; i < 800; ++i) {
    const Batch* batch = *reader.Next();
    lowest = std::min(lowest, batch);
    highest = std::max(highest, batch);
  }
  EXPECT_EQ(NumAllocations(), allocations_before);
  EXPECT_EQ(highest - lowest, 3);  // Four buffers in a row.
}

TEST_F(BatchReaderTest, CanBeDestroyedAtAnyMoment) {
  for (int prefetch = 1; prefetch <= 8; ++prefetch) {
    for (int taken = 0; taken < 12; ++taken) {
      for (bool when_full : {false, true}) {
        const CountingCorpus corpus(kNumChunks * kSeqLen + 1);
        BatchReader::Options options = DefaultOptions();
        options.end_step = 1'000'000;
        options.prefetch = prefetch;
        BatchReader reader(&corpus, plan_, options);
        for (int i = 0; i < taken; ++i) ASSERT_TRUE(reader.Next().ok());
        // Once while it still reads, and once while it waits for room.
        if (when_full) corpus.AwaitReads((taken + prefetch) * kReadsPerBatch);
      }
    }
  }
}

TEST_F(BatchReaderTest, StreamsAreReadChunkByChunkToTheirEnds) {
  // 17 inputs a stream: three chunks of five and one of two.
  const BatchPlan plan =
      BatchPlan::Streams(StreamIndex(0, kNumChunks * kSeqLen, 4, kSeqLen));
  BatchReader::Options options = DefaultOptions();
  options.end_step = 2 * plan.batches_per_epoch();
  BatchReader reader(&corpus_, plan, options);
  for (const Batch& batch : ReadAll(reader)) {
    const int64_t chunk = batch.step % 4;
    ASSERT_EQ(batch.seq_len, chunk == 3 ? 2 : kSeqLen);
    ASSERT_EQ(batch.inputs.size(), 4 * batch.seq_len);
    for (int row = 0; row < 4; ++row) {
      for (int t = 0; t < batch.seq_len; ++t) {
        const int32_t offset = 17 * row + static_cast<int>(chunk) * kSeqLen + t;
        ASSERT_EQ(batch.inputs[row * batch.seq_len + t], offset);
        ASSERT_EQ(batch.targets[row * batch.seq_len + t], offset + 1);
      }
    }
  }
}

TEST_F(BatchReaderTest, RowsOutsideTheGlobalBatchEndTheProgram) {
  BatchReader::Options options = DefaultOptions();
  options.first_row = 2;
  options.num_rows = 3;
  EXPECT_DEATH(BatchReader(&corpus_, plan_, options), "3 rows from 2 of 4");
}

}  // namespace
}  // namespace charrnn
