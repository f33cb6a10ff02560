#include "data/shard_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "data/packed_ids.h"
#include "data/shard_format.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

FileSystem& Files() { return *FileSystem::Real(); }

std::string Contents(const TempDirectory& directory, const std::string& name) {
  const auto contents = Files().ReadFile(directory.File(name));
  EXPECT_THAT(contents, IsOk());
  return contents.value_or("");
}

Vocab VocabOf(absl::string_view text) {
  return *Vocab::FromText(text, Encoding::kUtf8);
}

// A vocabulary of `size` symbols.
Vocab VocabOfSize(int size) {
  std::string text;
  for (char32_t c = 0x10000; size > 0; ++c, --size) AppendUtf8(c, &text);
  return VocabOf(text);
}

// `count` ids below `vocab_size` in no simple order, packed.
std::string SomeIds(int64_t count, int vocab_size) {
  std::string packed;
  for (int64_t i = 0; i < count; ++i) {
    AppendLittleEndian(i * i % 10'007 % vocab_size, IdBytes(vocab_size),
                       &packed);
  }
  return packed;
}

// The same as 32-bit words.
std::string AsWords(absl::string_view packed, int id_bytes) {
  std::string words;
  for (size_t i = 0; i < packed.size(); i += id_bytes) {
    AppendLittleEndian(LittleEndian(packed.substr(i, id_bytes)), 4, &words);
  }
  return words;
}

absl::Status WriteSet(FileSystem& files, const std::string& folder,
                      const Vocab& vocab, int64_t shard_bytes,
                      absl::string_view packed, size_t piece) {
  CHARRNN_ASSIGN_OR_RETURN(
      const auto writer,
      ShardWriter::Create(&files, folder, vocab, shard_bytes));
  for (size_t at = 0; at < packed.size(); at += piece) {
    CHARRNN_RETURN_IF_ERROR(writer->Append(packed.substr(at, piece)));
  }
  const auto num_ids = static_cast<int64_t>(packed.size()) / writer->id_bytes();
  return writer->Finish({0.25, 0.25}, {{"a.txt", 2 * num_ids, 7}}, 2 * num_ids);
}

TEST(ShardWriterTest, WritesTheDocumentedBytes) {
  const TempDirectory directory;
  const std::string ids("\0\1\1\0\2\0\1\1\0\2", 10);
  ASSERT_THAT(
      WriteSet(Files(), directory.path(), VocabOf("ab\u00E9"), 6, ids, 10),
      IsOk());
  EXPECT_THAT(
      *Files().ListDirectory(directory.path()),
      ElementsAre("manifest.json", "shard-00000.ids", "shard-00001.ids"));
  const std::string first =
      EncodeShardEnd({1, 0, 6}, {Crc32c(ids.substr(0, 6))});
  const std::string second = EncodeShardEnd({1, 1, 4}, {Crc32c(ids.substr(6))});
  EXPECT_EQ(Contents(directory, "shard-00000.ids"), ids.substr(0, 6) + first);
  EXPECT_EQ(Contents(directory, "shard-00001.ids"), ids.substr(6) + second);

  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const ShardManifest manifest,
      DecodeShardManifest(Contents(directory, "manifest.json")));
  EXPECT_EQ(manifest.vocab, VocabOf("ab\u00E9"));
  EXPECT_EQ(manifest.num_ids, 10);
  EXPECT_EQ(manifest.ids_crc32c, Crc32c(AsWords(ids, 1)));
  EXPECT_EQ(manifest.text_bytes, 20);
  EXPECT_EQ(manifest.split.train_size, 6);
  EXPECT_EQ(manifest.split.test_size, 2);
  ASSERT_EQ(manifest.shards.size(), 2);
  EXPECT_EQ(manifest.shards[0].crc32c, ShardCrc32c(first));
  EXPECT_EQ(manifest.shards[1].crc32c, ShardCrc32c(second));
  ASSERT_EQ(manifest.sources.size(), 1);
  EXPECT_EQ(manifest.sources[0].name, "a.txt");
}

// Beyond the buffer, with shards that end within a block, within the buffer
// and at its end.
TEST(ShardWriterTest, ManyShardsHoldAllIdsInOrderHoweverTheyCome) {
  for (const int vocab_size : {200, 300, 70'000}) {
    const Vocab vocab = VocabOfSize(vocab_size);
    const std::string ids = SomeIds(200'000, vocab_size);
    for (const int64_t shard_bytes : {49'999, 262'144, 300'000}) {
      for (const size_t piece : {size_t{4}, size_t{4'100}, ids.size()}) {
        const TempDirectory directory;
        ASSERT_THAT(
            WriteSet(Files(), directory.path(), vocab, shard_bytes, ids, piece),
            IsOk());
        CHARRNN_ASSERT_OK_AND_ASSIGN(
            const ShardManifest manifest,
            DecodeShardManifest(Contents(directory, "manifest.json")));
        EXPECT_EQ(manifest.ids_crc32c,
                  Crc32c(AsWords(ids, IdBytes(vocab_size))));
        std::string all;
        for (const ShardEntry& shard : manifest.shards) {
          const int64_t index = &shard - manifest.shards.data();
          const std::string file = Contents(directory, ShardFileName(index));
          const int64_t size = shard.num_ids * manifest.id_bytes;
          EXPECT_LE(size, shard_bytes);
          all += file.substr(0, size);
          EXPECT_THAT(CheckShardEnd(file.substr(size), manifest, index),
                      IsOk());
        }
        EXPECT_TRUE(all == ids) << vocab_size << " " << shard_bytes;
      }
    }
  }
}

TEST(ShardWriterTest, ShardsOfASizeThatMakesNoSenseAreRefused) {
  for (const int64_t bytes : {int64_t{-1}, int64_t{3}, int64_t{1} << 40}) {
    EXPECT_THAT(ShardWriter::Create(&Files(), "a", VocabOf("ab"), bytes),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("--shard_bytes=", bytes))));
  }
}

// Files in memory that take anything and keep nothing.
class NoFiles : public FaultInjectingFileSystem {
 public:
  NoFiles() : FaultInjectingFileSystem(&Files()) {}

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(
      const std::string& /*path*/, WriteMode /*mode*/) override {
    ++num_opened_;
    return std::make_unique<NoFile>();
  }
  int64_t num_opened() const { return num_opened_; }

 private:
  class NoFile : public WritableFile {
    absl::Status Append(absl::string_view) override { return {}; }
    absl::Status Sync() override { return {}; }
    absl::Status Close() override { return {}; }
  };

  int64_t num_opened_ = 0;
};

TEST(ShardWriterTest, MoreShardsThanCanBeMappedAreRefused) {
  NoFiles files;
  const Vocab vocab = VocabOfSize(300);
  const auto writer =
      ShardWriter::Create(&files, "a", vocab, /*shard_bytes=*/5);
  ASSERT_THAT(writer, IsOk());
  const std::string shard(4, '\0');
  for (int64_t i = 0; i < ShardWriter::kMaxShards; ++i) {
    ASSERT_THAT((*writer)->Append(shard), IsOk());
  }
  EXPECT_THAT((*writer)->Append(shard),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--shard_bytes=5: makes more than 30000")));
  EXPECT_EQ(files.num_opened(), ShardWriter::kMaxShards);
}

TEST(ShardWriterTest, TooFewIdsToBeSplitMakeNoSet) {
  for (const int64_t count : {0, 2}) {
    const TempDirectory directory;
    EXPECT_THAT(WriteSet(Files(), directory.path(), VocabOf("ab"), 100,
                         std::string(count, '\0'), 100),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("characters leaves")));
    EXPECT_FALSE(Files().Exists(directory.File("manifest.json")));
  }
}

TEST(ShardWriterTest, NothingThatIsThereAlreadyIsWrittenOver) {
  const TempDirectory directory;
  ASSERT_THAT(WriteFile(Files(), directory.File("shard-00000.ids"), "mine"),
              IsOk());
  EXPECT_THAT(WriteSet(Files(), directory.path(), VocabOf("ab"), 100,
                       SomeIds(50, 2), 50),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(Contents(directory, "shard-00000.ids"), "mine");
}

// Whatever fails, and whenever the process dies, the folder is a whole set or
// has no manifest.
TEST(ShardWriterTest, AFailureLeavesNothingThatLooksFinished) {
  const std::string ids = SomeIds(50, 2);
  FaultInjectingFileSystem files(&Files());
  const auto write = [&](const TempDirectory& directory) {
    return WriteSet(files, directory.path(), VocabOf("ab"), 30, ids, 7);
  };
  files.Inject({/*operation=*/1 << 20});
  ASSERT_THAT(write(TempDirectory()), IsOk());
  const int64_t operations = files.num_operations();
  ASSERT_GT(operations, 10);
  for (int64_t operation = 0; operation < operations; ++operation) {
    for (const bool crash : {false, true}) {
      Fault fault;
      fault.operation = operation;
      fault.crash = crash;
      fault.bytes_appended = 5;
      files.Inject(fault);
      const TempDirectory directory;
      EXPECT_THAT(write(directory),
                  StatusIs(absl::StatusCode::kResourceExhausted));
      if (!Files().Exists(directory.File("manifest.json"))) continue;
      // Only the last sync of the folder is missing then.
      EXPECT_EQ(operation, operations - 1);
      EXPECT_THAT(DecodeShardManifest(Contents(directory, "manifest.json")),
                  IsOk());
    }
  }
}

TEST(ShardWriterTest, EveryShardIsSyncedBeforeTheManifest) {
  FaultInjectingFileSystem files(&Files());
  const TempDirectory directory;
  ASSERT_THAT(
      WriteSet(files, directory.path(), VocabOf("ab"), 30, SomeIds(50, 2), 50),
      IsOk());
  const std::vector<std::string> operations = files.operations();
  const auto rename = std::find(operations.begin(), operations.end(), "Rename");
  ASSERT_NE(rename, operations.end());
  // Two shards and the manifest itself.
  EXPECT_EQ(std::count(operations.begin(), rename, "Sync"), 3);
}

TEST(ShardWriterDeathTest, HalfAnIdEndsTheProgram) {
  const TempDirectory directory;
  EXPECT_DEATH(
      WriteSet(Files(), directory.path(), VocabOfSize(300), 100, "abc", 3)
          .IgnoreError(),
      "3 bytes of ids of 2");
}

}  // namespace
}  // namespace charrnn
