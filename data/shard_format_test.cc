#include "data/shard_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/little_endian.h"
#include "data/split.h"
#include "data/vocab.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnimplemented = absl::StatusCode::kUnimplemented;

// The text "abbaé" twice over, in shards of six ids and of four.
ShardManifest Example() {
  ShardManifest manifest(*Vocab::FromText("ab\u00E9", Encoding::kUtf8));
  manifest.num_ids = 10;
  manifest.ids_crc32c = 0x01234567;
  manifest.text_bytes = 12;
  manifest.fractions = {0.2, 0.1};
  manifest.split = {7, 2, 1};
  manifest.sources = {{"a.txt", 12, 0x89abcdef}};
  manifest.shards = {{6, 0xfedcba98}, {4, 0x76543210}};
  return manifest;
}

// As data/FORMAT.md has it.
constexpr char kExampleBody[] =
    R"({"format":"charrnn.shards.1","vocab":{"encoding":"utf8","symbols":["a","b","é"]},"id_bytes":1,"ids":10,"ids_crc32c":"01234567","text_bytes":12,"val_fraction":0.2,"test_fraction":0.1,"train":7,"validation":2,"test":1,
"sources":[
{"name":"a.txt","bytes":12,"crc32c":"89abcdef"}],
"shards":[
{"ids":6,"crc32c":"fedcba98"},
{"ids":4,"crc32c":"76543210"}])";

// A manifest under the checksum that it should have.
std::string Signed(absl::string_view body) {
  return absl::StrCat(body,
                      absl::StrFormat(",\"crc32c\":\"%08x\"}\n", Crc32c(body)));
}

absl::StatusOr<ShardManifest> Decode(absl::string_view text) {
  return DecodeShardManifest(text);
}

TEST(ShardFileNameTest, SortsAsTheShardsDo) {
  EXPECT_EQ(ShardFileName(0), "shard-00000.ids");
  EXPECT_EQ(ShardFileName(12'345), "shard-12345.ids");
  EXPECT_EQ(ShardFileName(123'456), "shard-123456.ids");
}

TEST(ShardManifestTest, HasItsDocumentedBytes) {
  EXPECT_EQ(EncodeShardManifest(Example()), Signed(kExampleBody));
}

TEST(ShardManifestTest, IsReadAsItWasWritten) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ShardManifest manifest,
                               Decode(Signed(kExampleBody)));
  EXPECT_EQ(manifest.vocab, Example().vocab);
  EXPECT_EQ(manifest.id_bytes, 1);
  EXPECT_EQ(manifest.num_ids, 10);
  EXPECT_EQ(manifest.ids_crc32c, 0x01234567);
  EXPECT_EQ(manifest.text_bytes, 12);
  EXPECT_EQ(manifest.fractions.validation, 0.2);
  EXPECT_EQ(manifest.fractions.test, 0.1);
  EXPECT_EQ(manifest.split.train_size, 7);
  EXPECT_EQ(manifest.split.validation_size, 2);
  EXPECT_EQ(manifest.split.test_size, 1);
  ASSERT_EQ(manifest.sources.size(), 1);
  EXPECT_EQ(manifest.sources[0].name, "a.txt");
  EXPECT_EQ(manifest.sources[0].bytes, 12);
  EXPECT_EQ(manifest.sources[0].crc32c, 0x89abcdef);
  ASSERT_EQ(manifest.shards.size(), 2);
  EXPECT_EQ(manifest.shards[1].num_ids, 4);
  EXPECT_EQ(manifest.shards[1].crc32c, 0x76543210);
}

TEST(ShardManifestTest, BytesAndNamesThatAreNoTextAreKeptReadable) {
  ShardManifest manifest(*Vocab::FromText("a", Encoding::kBytes));
  manifest.num_ids = manifest.text_bytes = 4;
  manifest.split = {3, 1, 0};
  manifest.sources = {{"a\xff\"\n", 4, 1}};
  manifest.shards = {{4, 1}};
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ShardManifest read,
                               Decode(EncodeShardManifest(manifest)));
  EXPECT_EQ(read.vocab.encoding(), Encoding::kBytes);
  EXPECT_EQ(read.sources[0].name, "a\uFFFD\"\n");
}

TEST(ShardManifestTest, EveryTruncationIsDamage) {
  const std::string text = Signed(kExampleBody);
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(Decode(text.substr(0, size)),
                StatusIs(kDataLoss, StartsWith("manifest.json: ")));
  }
}

TEST(ShardManifestTest, EveryFlippedBitIsDamage) {
  const std::string text = Signed(kExampleBody);
  for (size_t i = 0; i < text.size() * 8; ++i) {
    std::string flipped = text;
    flipped[i / 8] ^= static_cast<char>(1 << i % 8);
    EXPECT_THAT(Decode(flipped), StatusIs(kDataLoss)) << flipped;
  }
}

TEST(ShardManifestTest, IsToldFromOtherJsonByItsBeginning) {
  EXPECT_TRUE(IsShardManifest(Signed(kExampleBody)));
  EXPECT_TRUE(IsShardManifest(
      absl::StrReplaceAll(kExampleBody, {{"shards.1", "shards.2"}})));
  EXPECT_FALSE(IsShardManifest("{\"format\":\"A4\"}"));
  EXPECT_FALSE(IsShardManifest(""));
}

TEST(ShardManifestTest, ALaterVersionIsNamed) {
  const std::string later =
      absl::StrReplaceAll(kExampleBody, {{"shards.1", "shards.2"}});
  EXPECT_THAT(Decode(Signed(later)),
              StatusIs(kUnimplemented, HasSubstr("'charrnn.shards.2'")));
}

// What somebody has signed who knows how.
TEST(ShardManifestTest, ALieAboutAnyNumberIsFound) {
  struct Lie {
    const char* truth;
    const char* lie;
    const char* told;
  };
  const std::vector<Lie> lies = {
      {"\"id_bytes\":1", "\"id_bytes\":2", "an id has 2 bytes"},
      {"\"id_bytes\":1", "\"id_bytes\":4294967297", "an id has"},
      {"\"ids\":10", "\"ids\":11", "11 ids, and its shards have 10"},
      {"\"ids\":10", "\"ids\":9", "shard 1 cannot have 4 of 9 ids"},
      {"\"ids\":10", "\"ids\":-10", "no good \"ids\""},
      {"\"ids\":10", "\"ids\":10.0", "no good \"ids\""},
      {"\"ids\":10", "\"ids\":1e1", "no good \"ids\""},
      {"\"ids\":10", "\"ids\":18446744073709551615", "no good \"ids\""},
      {"\"ids\":6", "\"ids\":7", "shard 1 cannot have 4 of 10 ids"},
      {"\"ids\":6", "\"ids\":0", "shard 0 cannot have 0"},
      {"\"ids\":6", "\"ids\":72057594037927936", "shard 0 cannot have"},
      {"\"text_bytes\":12", "\"text_bytes\":9", "9 bytes of text"},
      {"\"text_bytes\":12", "\"text_bytes\":41", "41 bytes of text"},
      {"\"val_fraction\":0.2", "\"val_fraction\":0.4", "7, 2 and 1 where"},
      {"\"val_fraction\":0.2", "\"val_fraction\":1.5", "--val_fraction=1.5"},
      {"\"val_fraction\":0.2", "\"val_fraction\":\"0.2\"", "val_fraction"},
      {"\"test_fraction\":0.1", "\"test_fraction\":0.0", "7, 2 and 1 where"},
      {"\"train\":7", "\"train\":8", "8, 2 and 1 where"},
      {"\"validation\":2", "\"validation\":3", "7, 3 and 1 where"},
      {"\"test\":1", "\"test\":0", "7, 2 and 0 where"},
      {"\"bytes\":12", "\"bytes\":-12", "source 0 has no good \"bytes\""},
      {"\"01234567\"", "\"0123456g\"", "no good \"ids_crc32c\""},
      {"\"01234567\"", "\"1234567\"", "not as this version writes it"},
      {"\"76543210\"", "76543210", "shard 1 has no good \"crc32c\""},
      {"\"a\",\"b\"", "\"b\",\"a\"", "symbols are not in ascending order"},
      {"\"symbols\":[\"a\",\"b\",\"\u00E9\"]", "\"symbols\":7", "no symbols"},
      {"{\"ids\":6,", "{\"id\":6,\"ids\":6,", "not as this version writes it"},
      {"{\"ids\":6,", "{\"ids\":6,\"ids\":6,", "duplicate key"},
      {"{\"ids\":4,\"crc32c\":\"76543210\"}", "[[[[4]]]]", "nested more than"},
      {"{\"ids\":4,\"crc32c\":\"76543210\"}", "4", "shard 1 has no good"},
      {"\"shards\":[", "\"shard\":[", "no good \"shards\""},
      {"\"format\":\"charrnn.shards.1\",", "", "no good \"format\""},
  };
  for (const Lie& lie : lies) {
    const std::string body =
        absl::StrReplaceAll(kExampleBody, {{lie.truth, lie.lie}});
    ASSERT_NE(body, kExampleBody) << lie.truth;
    EXPECT_THAT(Decode(Signed(body)), StatusIs(kDataLoss, HasSubstr(lie.told)))
        << lie.lie;
  }
}

TEST(ShardManifestTest, ASetOfNothingIsNone) {
  ShardManifest manifest(*Vocab::FromText("ab", Encoding::kUtf8));
  EXPECT_THAT(CheckShardManifest(manifest), StatusIs(kDataLoss));
}

// The end of shard 1 of Example(), whose checksum it gets.
std::string ExampleEnd(ShardManifest& manifest, ShardLabel label = {1, 1, 4}) {
  const std::string end = EncodeShardEnd(label, {0x0badcafe});
  manifest.shards[1].crc32c = ShardCrc32c(end);
  return end;
}

TEST(ShardEndTest, HasItsDocumentedBytes) {
  ShardManifest manifest = Example();
  const std::string end = ExampleEnd(manifest);
  std::string expected =
      "\xfe\xca\xad\x0b"
      "charrnn\n";
  for (const auto& [value, size] :
       std::vector<std::pair<uint64_t, int>>{{1, 4}, {1, 4}, {1, 8}, {4, 8}}) {
    AppendLittleEndian(value, size, &expected);
  }
  // The value was computed by another implementation of CRC32C.
  AppendLittleEndian(0xe65c8c58, 4, &expected);
  EXPECT_EQ(end, expected);
  EXPECT_THAT(CheckShardEnd(end, manifest, 1), IsOk());
  EXPECT_EQ(ShardFileBytes(1, 4), 4 + static_cast<int64_t>(end.size()));
}

TEST(ShardEndTest, HasAChecksumForEachBlockThatIsBegun) {
  const int64_t without = ShardFileBytes(1, 0);
  EXPECT_EQ(ShardFileBytes(1, 1) - without, 1 + 4);
  EXPECT_EQ(ShardFileBytes(1, 4096) - without, 4096 + 4);
  EXPECT_EQ(ShardFileBytes(1, 4097) - without, 4097 + 8);
  EXPECT_EQ(ShardFileBytes(4, 1025) - without, 4100 + 8);
}

TEST(ShardEndTest, EveryTruncationIsDamage) {
  ShardManifest manifest = Example();
  const std::string end = ExampleEnd(manifest);
  for (size_t size = 0; size < end.size(); ++size) {
    EXPECT_THAT(CheckShardEnd(end.substr(0, size), manifest, 1),
                StatusIs(kDataLoss));
  }
  EXPECT_THAT(CheckShardEnd(end + "a", manifest, 1), StatusIs(kDataLoss));
}

TEST(ShardEndTest, EveryFlippedBitIsDamage) {
  ShardManifest manifest = Example();
  const std::string end = ExampleEnd(manifest);
  for (size_t i = 0; i < end.size() * 8; ++i) {
    std::string flipped = end;
    flipped[i / 8] ^= static_cast<char>(1 << i % 8);
    EXPECT_THAT(CheckShardEnd(flipped, manifest, 1),
                StatusIs(kDataLoss, HasSubstr("damaged")));
  }
}

TEST(ShardEndTest, AnotherShardOfTheSetIsToldFromOneOfAnotherSet) {
  ShardManifest manifest = Example();
  ExampleEnd(manifest);
  EXPECT_THAT(
      CheckShardEnd(EncodeShardEnd({1, 0, 4}, {0x0badcafe}), manifest, 1),
      StatusIs(kDataLoss,
               HasSubstr("is shard 0 of a set where shard 1 should be")));
  for (const ShardLabel label : {ShardLabel{2, 1, 4}, ShardLabel{1, 1, 3}}) {
    EXPECT_THAT(CheckShardEnd(EncodeShardEnd(label, {0x0badcafe}), manifest, 1),
                StatusIs(kDataLoss, HasSubstr("belongs to another set")));
  }
  EXPECT_THAT(
      CheckShardEnd(EncodeShardEnd({1, 1, 4}, {0x0badcaff}), manifest, 1),
      StatusIs(kDataLoss, HasSubstr("belongs to another set")));
}

TEST(ShardEndTest, ALaterVersionIsNamed) {
  ShardManifest manifest = Example();
  std::string end = ExampleEnd(manifest);
  end[4 + 8] = 2;
  end.resize(end.size() - 4);
  AppendLittleEndian(Crc32c(end), 4, &end);
  EXPECT_THAT(CheckShardEnd(end, manifest, 1),
              StatusIs(kUnimplemented,
                       AllOf(HasSubstr("version 2"), HasSubstr("version 1"))));
}

TEST(ShardBlockTest, IsCheckedAgainstItsChecksum) {
  std::string crc32c;
  AppendLittleEndian(Crc32c("some ids"), 4, &crc32c);
  EXPECT_THAT(CheckShardBlock("some ids", crc32c), IsOk());
  EXPECT_THAT(CheckShardBlock("some odd", crc32c),
              StatusIs(kDataLoss, HasSubstr("damaged")));
}

TEST(UnpackIdsTest, ReadsIdsOfEveryWidth) {
  std::vector<int32_t> ids(2);
  EXPECT_THAT(UnpackIds({"\x01\xff", 2}, 1, 256, absl::MakeSpan(ids)), IsOk());
  EXPECT_THAT(ids, ElementsAre(1, 255));
  EXPECT_THAT(
      UnpackIds({"\x01\x02\xff\xff", 4}, 2, 65'536, absl::MakeSpan(ids)),
      IsOk());
  EXPECT_THAT(ids, ElementsAre(0x0201, 0xffff));
  EXPECT_THAT(
      UnpackIds({"\x01\x02\x03\0\0\0\0\0", 8}, 4, 0x30202, absl::MakeSpan(ids)),
      IsOk());
  EXPECT_THAT(ids, ElementsAre(0x30201, 0));
}

TEST(UnpackIdsTest, AnIdBeyondTheVocabularyIsDamage) {
  std::vector<int32_t> ids(2);
  EXPECT_THAT(UnpackIds({"\x03\x02", 2}, 1, 3, absl::MakeSpan(ids)),
              StatusIs(kDataLoss, HasSubstr("the id 3, beyond")));
  EXPECT_THAT(UnpackIds({"\0\0\0\0\xff\xff\xff\xff", 8}, 4, 70'000,
                        absl::MakeSpan(ids)),
              StatusIs(kDataLoss, HasSubstr("4294967295")));
}

}  // namespace
}  // namespace charrnn
