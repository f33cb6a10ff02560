#include "testing/resident_size.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(ResidentSizeTest, MappingsAreSummedByWhatTheyAre) {
  const ResidentSize size = ParseSmaps(
      "55d0a0000000-55d0a0010000 r-xp 00000000 fe:00 12    /bin/train\n"
      "Size:                 64 kB\n"
      "Rss:                  60 kB\n"
      "Pss:                  60 kB\n"
      "Anonymous:             4 kB\n"
      "AnonHugePages:         0 kB\n"
      "VmFlags: rd ex mr mw me sd\n"
      "7f0000000000-7f0000100000 r-xp 00000000 fe:00 13    "
      "/cache/external/libtorch/lib/libc10.so\n"
      "Rss:                1000 kB\n"
      "Anonymous:             8 kB\n"
      "7f0000200000-7f0000300000 rw-p 00000000 00:00 0 \n"
      "Rss:                 500 kB\n"
      "Anonymous:           500 kB\n"
      "7f0000400000-7f0000500000 r--s 00000000 fe:00 14    /set/shard-0.ids\n"
      "Rss:                 300 kB\n"
      "Anonymous:             0 kB\n");
  EXPECT_EQ(size.anonymous, 1024 * (4 + 8 + 500));
  EXPECT_EQ(size.libtorch, 1024 * 992);
  EXPECT_EQ(size.files, 1024 * (56 + 300));
  EXPECT_EQ(size.total(), 1024 * 1860);
}

TEST(ResidentSizeTest, AMappingThatGrowsMeanwhileCountsOnce) {
  const ResidentSize size = ParseSmaps(
      "55ec45d00000-55ec49d00000 rw-p 00000000 00:00 0          [heap]\n"
      "Rss:                 500 kB\n"
      "Anonymous:           500 kB\n"
      "55ec45d00000-55ec4a000000 rw-p 00000000 00:00 0          [heap]\n"
      "Rss:                 600 kB\n"
      "Anonymous:           600 kB\n"
      "7f0000200000-7f0000300000 rw-p 00000000 00:00 0 \n"
      "Rss:                  10 kB\n"
      "Anonymous:            10 kB\n");
  EXPECT_EQ(size.anonymous, 1024 * 610);
  EXPECT_EQ(size.files, 0);
}

TEST(ResidentSizeTest, WhatThisProcessTouchesIsSeen) {
  constexpr int64_t kBytes = int64_t{32} << 20;
  const auto now = [] {
    const absl::StatusOr<std::string> smaps =
        FileSystem::Real()->ReadFile("/proc/self/smaps");
    EXPECT_TRUE(smaps.ok()) << smaps.status();
    return ParseSmaps(*smaps);
  };
  const ResidentSize before = now();
  EXPECT_GT(before.anonymous, 0);
  EXPECT_GT(before.files, 0);
  EXPECT_EQ(before.libtorch, 0);
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  EXPECT_GE(now().anonymous - before.anonymous, kBytes);
  munmap(memory, kBytes);
}

}  // namespace
}  // namespace charrnn
