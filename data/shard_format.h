// The bytes of a shard set, a corpus as ids in files of bounded size, as
// FORMAT.md tells them: pure functions, which neither read nor write files.

#ifndef CHARRNN_DATA_SHARD_FORMAT_H_
#define CHARRNN_DATA_SHARD_FORMAT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/packed_ids.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {

inline constexpr char kShardManifestFileName[] = "manifest.json";

// How many bytes of ids share a checksum: a page, so that who reads one id
// reads nothing that he would not have to read anyway.
inline constexpr int64_t kShardBlockBytes = 4096;

// "shard-00000.ids" is the first one's.
std::string ShardFileName(int64_t index);

// A text that the ids come from, as it was when it was read.
struct SourceFile {
  std::string name;
  int64_t bytes = 0;
  uint32_t crc32c = 0;
};

// What the manifest tells of a shard.
struct ShardEntry {
  int64_t num_ids = 0;
  uint32_t crc32c = 0;  // the one at the shard's end
};

// What a shard set consists of.
struct ShardManifest {
  explicit ShardManifest(Vocab the_vocab)
      : vocab(std::move(the_vocab)), id_bytes(IdBytes(vocab.size())) {}

  Vocab vocab;
  int id_bytes;
  int64_t num_ids = 0;
  // Of all ids as 32-bit little-endian words, as Corpus::fingerprint() has it.
  uint32_t ids_crc32c = 0;
  // Of the text that the ids stand for; what was left out is not counted.
  int64_t text_bytes = 0;
  SplitFractions fractions;
  Split split;
  std::vector<SourceFile> sources;
  std::vector<ShardEntry> shards;
};

// Whether the numbers of `manifest` agree with one another. DataLoss says which
// do not.
absl::Status CheckShardManifest(const ShardManifest& manifest);

// The text of manifest.json. Equal manifests give equal bytes.
std::string EncodeShardManifest(const ShardManifest& manifest);

// Possible errors: Unimplemented, naming it, for a later version of the format,
// which is no damage; DataLoss for what EncodeShardManifest has not written, is
// damaged or contradicts itself.
absl::StatusOr<ShardManifest> DecodeShardManifest(absl::string_view text);

// Whether `text` begins as manifests of every version do, whole or not.
bool IsShardManifest(absl::string_view text);

// What a shard tells of itself.
struct ShardLabel {
  int id_bytes = 0;
  int64_t index = 0;  // in its set
  int64_t num_ids = 0;
};

// The size of a shard's file.
int64_t ShardFileBytes(int id_bytes, int64_t num_ids);

// What follows the ids in a shard's file: the table of the checksums of its
// blocks, and the footer.
std::string EncodeShardEnd(const ShardLabel& label,
                           absl::Span<const uint32_t> block_crc32cs);

// The checksum at the end of such bytes, which the manifest repeats.
uint32_t ShardCrc32c(absl::string_view shard_end);

// Whether `shard_end`, what follows the ids in the file of shard `index`, is
// what `manifest`, a good one, says; then the checksums in it can be believed.
//
// Possible errors: Unimplemented, naming it, for a later version; DataLoss says
// whether it is damaged, another shard of the set, or one of another set.
absl::Status CheckShardEnd(absl::string_view shard_end,
                           const ShardManifest& manifest, int64_t index);

// Block number `block` of a shard with its checksum, both as the file has them.
// DataLoss unless they agree.
absl::Status CheckShardBlock(absl::string_view block_bytes,
                             absl::string_view crc32c_bytes);

// Writes `ids.size()` ids of `id_bytes` bytes each, of which `packed` has just
// as many, to `ids`. DataLoss, naming it, for one that is not below
// `vocab_size`.
absl::Status UnpackIds(absl::string_view packed, int id_bytes, int vocab_size,
                       absl::Span<int32_t> ids);

}  // namespace charrnn

#endif  // CHARRNN_DATA_SHARD_FORMAT_H_
