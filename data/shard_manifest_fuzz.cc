// Manifests of shard sets of unknown origin: what is read agrees with itself,
// and is written as it was.

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "data/shard_format.h"
#include "data/split.h"

namespace charrnn {
namespace {

void Decode(absl::string_view text) {
  const absl::StatusOr<ShardManifest> manifest = DecodeShardManifest(text);
  if (!manifest.ok()) {
    CHARRNN_CHECK(absl::IsDataLoss(manifest.status()) ||
                  absl::IsUnimplemented(manifest.status()))
        << manifest.status();
    return;
  }
  CHARRNN_CHECK(EncodeShardManifest(*manifest) == text);
  int64_t total = 0;
  for (const ShardEntry& shard : manifest->shards) {
    CHARRNN_CHECK(shard.num_ids >= 1);
    total += shard.num_ids;
    CHARRNN_CHECK(ShardFileBytes(manifest->id_bytes, shard.num_ids) >
                  shard.num_ids);
  }
  CHARRNN_CHECK(total == manifest->num_ids);
  const Split& split = manifest->split;
  CHARRNN_CHECK(split.train_size >= 2 && split.validation_size >= 1 &&
                split.test_size >= 0);
  CHARRNN_CHECK(split.train_size + split.validation_size + split.test_size ==
                total);
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  charrnn::Decode(text);
  // Under the checksum that it should have, or hardly any comes further.
  charrnn::Decode(absl::StrCat(
      text, absl::StrFormat(",\"crc32c\":\"%08x\"}\n", charrnn::Crc32c(text))));
  return 0;
}
