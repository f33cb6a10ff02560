#ifndef CHARRNN_DATA_SHARD_WRITER_H_
#define CHARRNN_DATA_SHARD_WRITER_H_

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "data/shard_format.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {

// Writes a shard set, ids as they come, in the memory of a small buffer and one
// shard's table of checksums, which has a thousandth of the shard's size. One
// thread at a time. What it has written when it ends without Finish(), or with
// an error, is no shard set: it lacks the manifest.
//
//   CHARRNN_ASSIGN_OR_RETURN(
//       const auto writer,
//       ShardWriter::Create(&files, folder, vocab, /*shard_bytes=*/64 << 20));
//   CHARRNN_RETURN_IF_ERROR(writer->Append(packed_ids));  // as often as needed
//   CHARRNN_RETURN_IF_ERROR(writer->Finish({0.05}, sources, text_bytes));
class ShardWriter {
 public:
  // Sets out to write to `folder`, which exists and holds no shard yet. The
  // ids of a shard have `shard_bytes` bytes at most. `files` is not owned and
  // outlives the writer. Possible errors: those of CheckShardBytes.
  static absl::StatusOr<std::unique_ptr<ShardWriter>> Create(
      FileSystem* files, const std::string& folder, const Vocab& vocab,
      int64_t shard_bytes);

  static constexpr int64_t kMinShardBytes = 4;  // one id, however wide
  // A table of 16 MiB.
  static constexpr int64_t kMaxShardBytes = int64_t{16} << 30;

  // InvalidArgument, naming the flag, unless `shard_bytes` is within
  // [kMinShardBytes, kMaxShardBytes].
  static absl::Status CheckShardBytes(int64_t shard_bytes);

  // Whoever reads a set maps each of its shards, and Linux gives a process
  // 65,530 mappings (vm.max_map_count), of which libraries take some.
  static constexpr int64_t kMaxShards = 30000;

  // What is wrong with `shard_bytes` where they make more than kMaxShards.
  static absl::Status TooManyShards(int64_t shard_bytes);

  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  // Bytes of an id: IdBytes() of the vocabulary.
  int id_bytes() const { return manifest_.id_bytes; }

  // Adds ids, each `id_bytes()` wide, the least significant byte first, whole
  // ones only, all in the vocabulary.
  //
  // Possible errors: InvalidArgument if they need more than kMaxShards; those
  // of FileSystem, ResourceExhausted for a full disk among them. Nothing else
  // may be called afterwards.
  absl::Status Append(absl::string_view packed_ids);

  // Ends the last shard and writes the manifest, so that a whole shard set lies
  // in the folder and would survive a power cut. `text_bytes` is the size of
  // the text that the ids stand for. Nothing may be called afterwards.
  //
  // Possible errors: those of Append(); InvalidArgument if the ids cannot be
  // split so (SplitCorpus).
  absl::Status Finish(const SplitFractions& fractions,
                      std::vector<SourceFile> sources, int64_t text_bytes);

 private:
  ShardWriter(FileSystem* files, const std::string& folder, const Vocab& vocab,
              int64_t shard_bytes);

  // Sums what is in the buffer and writes it to the shard under way, which
  // begins if there is none.
  absl::Status Flush();

  // Begins a shard.
  absl::Status BeginShard();

  // Ends the shard under way, which the disk then takes while the next one is
  // filled: a single one, so that not much is left to be waited for at the end.
  absl::Status EndShard();

  // How the disk has taken the last shard that has ended.
  absl::Status AwaitSync();

  FileSystem* const files_;
  const std::string folder_;
  const int64_t asked_shard_bytes_;
  const int64_t shard_bytes_;  // as many, as a multiple of the ids' width

  ShardManifest manifest_;  // as far as it is known
  std::string buffer_;
  std::unique_ptr<WritableFile> file_;  // the shard under way
  int64_t flushed_ = 0;                 // bytes of ids in it
  std::vector<uint32_t> block_crc32cs_;
  std::future<absl::Status> syncing_;  // the shard before it
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_SHARD_WRITER_H_
