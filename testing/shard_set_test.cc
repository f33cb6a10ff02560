#include "testing/shard_set.h"

#include <string>

#include "base/files.h"
#include "data/shard_reader.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

TEST(ShardSetTest, HoldsTheTextInSeveralShards) {
  const TempDirectory directory;
  const std::string folder = directory.File("a/b");
  WriteShardSet(folder, std::string(6000, 'x') + std::string(6000, 'y'));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto manifest,
                               ReadShardManifest(*FileSystem::Real(), folder));
  EXPECT_EQ(manifest.num_ids, 12000);
  EXPECT_EQ(manifest.vocab.size(), 2);
  EXPECT_EQ(manifest.shards.size(), 3);
  EXPECT_EQ(manifest.sources.size(), 1);
}

}  // namespace
}  // namespace charrnn
