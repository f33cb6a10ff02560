// Shards of unknown origin, as files: one byte that says how wide ids are, and
// the file. Its end is looked at as it is, and under the checksum that it
// should have; what is believed is what the manifest says, and no byte is read
// that the manifest does not claim.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/little_endian.h"
#include "base/log.h"
#include "data/shard_format.h"
#include "data/utf8.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

constexpr int64_t kIndex = 1;

Vocab VocabOfSize(int size) {
  std::string text;
  for (char32_t c = 0x10000; size > 0; ++c, --size) AppendUtf8(c, &text);
  return *Vocab::FromText(text, Encoding::kUtf8);
}

// A manifest under which a file of `size` bytes may be shard kIndex.
ShardManifest ManifestFor(const Vocab& vocab, int64_t size) {
  ShardManifest manifest(vocab);
  int64_t num_ids = size / manifest.id_bytes;
  while (num_ids > 1 && ShardFileBytes(manifest.id_bytes, num_ids) > size) {
    --num_ids;
  }
  manifest.shards = {{1, 0}, {num_ids, 0}};
  return manifest;
}

bool IsExpected(const absl::Status& status) {
  return status.ok() || absl::IsDataLoss(status) ||
         absl::IsUnimplemented(status);
}

void Check(const std::string& end, ShardManifest manifest) {
  if (end.size() >= sizeof(uint32_t)) {
    manifest.shards[kIndex].crc32c = ShardCrc32c(end);
  }
  const absl::Status status = CheckShardEnd(end, manifest, kIndex);
  CHARRNN_CHECK(IsExpected(status)) << status;
  if (!status.ok()) return;
  // There is just one that says so.
  const ShardLabel label = {manifest.id_bytes, kIndex,
                            manifest.shards[kIndex].num_ids};
  std::vector<uint32_t> table;
  for (size_t i = 0;
       EncodeShardEnd(label, std::vector<uint32_t>(i)).size() < end.size();
       ++i) {
    table.push_back(static_cast<uint32_t>(
        LittleEndian(absl::string_view(end).substr(i * sizeof(uint32_t), 4))));
  }
  CHARRNN_CHECK(EncodeShardEnd(label, table) == end);
}

void CheckFile(absl::string_view file, const Vocab& vocab) {
  const ShardManifest manifest =
      ManifestFor(vocab, static_cast<int64_t>(file.size()));
  const int64_t num_ids = manifest.shards[kIndex].num_ids;
  const size_t id_area =
      std::min<size_t>(file.size(), num_ids * manifest.id_bytes);
  // Copies, beyond whose ends nothing is readable.
  const std::string ids(file.substr(0, id_area));
  const std::string end(file.substr(id_area));
  Check(end, manifest);
  constexpr size_t kCrcBytes = sizeof(uint32_t);
  if (end.size() >= kCrcBytes) {
    std::string mended = end.substr(0, end.size() - kCrcBytes);
    AppendLittleEndian(Crc32c(mended), kCrcBytes, &mended);
    Check(mended, manifest);
  }
  const std::string block = ids.substr(0, kShardBlockBytes);
  CHARRNN_CHECK(IsExpected(CheckShardBlock(block, end.substr(0, kCrcBytes))));
  std::vector<int32_t> unpacked(ids.size() / manifest.id_bytes);
  const absl::Status status = UnpackIds(
      absl::string_view(ids).substr(0, unpacked.size() * manifest.id_bytes),
      manifest.id_bytes, vocab.size(), absl::MakeSpan(unpacked));
  CHARRNN_CHECK(IsExpected(status)) << status;
  if (!status.ok()) return;
  for (const int32_t id : unpacked) {
    CHARRNN_CHECK(id >= 0 && id < vocab.size()) << id;
  }
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const vocabs = new std::vector<charrnn::Vocab>(
      {charrnn::VocabOfSize(200), charrnn::VocabOfSize(1000),
       charrnn::VocabOfSize(70'000)});
  if (size == 0) return 0;
  charrnn::CheckFile(
      absl::string_view(reinterpret_cast<const char*>(data) + 1, size - 1),
      (*vocabs)[data[0] % vocabs->size()]);
  return 0;
}
