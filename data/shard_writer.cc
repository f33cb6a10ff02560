#include "data/shard_writer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/packed_ids.h"
#include "data/shard_format.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

// Whole blocks, few enough to stay in the second-level cache, and enough for
// a write(2) to cost nothing.
constexpr int64_t kBufferBytes = 64 * kShardBlockBytes;

}  // namespace

absl::StatusOr<std::unique_ptr<ShardWriter>> ShardWriter::Create(
    FileSystem* files, const std::string& folder, const Vocab& vocab,
    int64_t shard_bytes) {
  CHARRNN_RETURN_IF_ERROR(CheckShardBytes(shard_bytes));
  return std::unique_ptr<ShardWriter>(
      new ShardWriter(files, folder, vocab, shard_bytes));
}

absl::Status ShardWriter::CheckShardBytes(int64_t shard_bytes) {
  if (shard_bytes >= kMinShardBytes && shard_bytes <= kMaxShardBytes) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--shard_bytes=", shard_bytes, ": must be from ",
                   kMinShardBytes, " to ", kMaxShardBytes));
}

absl::Status ShardWriter::TooManyShards(int64_t shard_bytes) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--shard_bytes=", shard_bytes, ": makes more than ", kMaxShards,
      " shards, and who reads them could not map them all: use larger ones"));
}

ShardWriter::ShardWriter(FileSystem* files, const std::string& folder,
                         const Vocab& vocab, int64_t shard_bytes)
    : files_(files),
      folder_(folder),
      asked_shard_bytes_(shard_bytes),
      shard_bytes_(shard_bytes - shard_bytes % IdBytes(vocab.size())),
      manifest_(vocab) {
  buffer_.reserve(kBufferBytes);
}

ShardWriter::~ShardWriter() = default;

absl::Status ShardWriter::Append(absl::string_view packed_ids) {
  CHARRNN_CHECK(packed_ids.size() % id_bytes() == 0)
      << packed_ids.size() << " bytes of ids of " << id_bytes();
  while (!packed_ids.empty()) {
    const size_t room =
        std::min(kBufferBytes, shard_bytes_ - flushed_) - buffer_.size();
    const absl::string_view piece = packed_ids.substr(0, room);
    absl::StrAppend(&buffer_, piece);
    packed_ids.remove_prefix(piece.size());
    if (piece.size() < room) continue;
    CHARRNN_RETURN_IF_ERROR(Flush());
    if (flushed_ == shard_bytes_) CHARRNN_RETURN_IF_ERROR(EndShard());
  }
  return absl::OkStatus();
}

absl::Status ShardWriter::Flush() {
  if (buffer_.empty()) return absl::OkStatus();
  if (file_ == nullptr) CHARRNN_RETURN_IF_ERROR(BeginShard());
  const absl::string_view bytes = buffer_;
  for (size_t at = 0; at < bytes.size(); at += kShardBlockBytes) {
    const absl::string_view block = bytes.substr(at, kShardBlockBytes);
    block_crc32cs_.push_back(Crc32c(block));
  }
  manifest_.ids_crc32c =
      ExtendIdsCrc32c(manifest_.ids_crc32c, bytes, id_bytes());
  CHARRNN_RETURN_IF_ERROR(file_->Append(bytes));
  flushed_ += static_cast<int64_t>(bytes.size());
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status ShardWriter::BeginShard() {
  const auto index = static_cast<int64_t>(manifest_.shards.size());
  if (index == kMaxShards) return TooManyShards(asked_shard_bytes_);
  CHARRNN_ASSIGN_OR_RETURN(
      file_, files_->OpenForWrite(JoinPath(folder_, ShardFileName(index)),
                                  WriteMode::kCreate));
  return absl::OkStatus();
}

absl::Status ShardWriter::EndShard() {
  const ShardLabel label = {id_bytes(),
                            static_cast<int64_t>(manifest_.shards.size()),
                            flushed_ / id_bytes()};
  const std::string end = EncodeShardEnd(label, block_crc32cs_);
  CHARRNN_RETURN_IF_ERROR(file_->Append(end));
  CHARRNN_RETURN_IF_ERROR(AwaitSync());
  syncing_ = std::async(std::launch::async,
                        [file = std::move(file_)]() -> absl::Status {
                          CHARRNN_RETURN_IF_ERROR(file->Sync());
                          return file->Close();
                        });
  flushed_ = 0;
  block_crc32cs_.clear();
  manifest_.shards.push_back({label.num_ids, ShardCrc32c(end)});
  manifest_.num_ids += label.num_ids;
  return absl::OkStatus();
}

absl::Status ShardWriter::AwaitSync() {
  return syncing_.valid() ? syncing_.get() : absl::OkStatus();
}

absl::Status ShardWriter::Finish(const SplitFractions& fractions,
                                 std::vector<SourceFile> sources,
                                 int64_t text_bytes) {
  CHARRNN_RETURN_IF_ERROR(Flush());
  if (file_ != nullptr) CHARRNN_RETURN_IF_ERROR(EndShard());
  CHARRNN_RETURN_IF_ERROR(AwaitSync());
  manifest_.fractions = fractions;
  CHARRNN_ASSIGN_OR_RETURN(manifest_.split,
                           SplitCorpus(manifest_.num_ids, fractions));
  manifest_.sources = std::move(sources);
  manifest_.text_bytes = text_bytes;
  const absl::Status sound = CheckShardManifest(manifest_);
  CHARRNN_CHECK(sound.ok()) << sound;
  CHARRNN_RETURN_IF_ERROR(files_->SyncDirectory(folder_));
  return WriteFileAtomically(*files_, JoinPath(folder_, kShardManifestFileName),
                             EncodeShardManifest(manifest_));
}

}  // namespace charrnn
