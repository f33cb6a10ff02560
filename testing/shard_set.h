#ifndef CHARRNN_TESTING_SHARD_SET_H_
#define CHARRNN_TESTING_SHARD_SET_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {

struct ShardSetOptions {
  Encoding encoding = Encoding::kUtf8;
  SplitFractions fractions = {0.05};
  // So few that a short text makes several shards, and these several blocks.
  int64_t shard_bytes = 5000;
};

// Makes the folder `folder`, the shard set of `text` under its own vocabulary.
// Aborts where that cannot be done.
void WriteShardSet(const std::string& folder, absl::string_view text,
                   const ShardSetOptions& options = {});

}  // namespace charrnn

#endif  // CHARRNN_TESTING_SHARD_SET_H_
