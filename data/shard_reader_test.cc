#include "data/shard_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "data/corpus.h"
#include "data/corpus_error.h"
#include "data/shard_format.h"
#include "data/shard_writer.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "testing/shard_set.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr absl::StatusCode kUnimplemented = absl::StatusCode::kUnimplemented;

using CorpusOr = absl::StatusOr<std::unique_ptr<Corpus>>;

FileSystem& Files() { return *FileSystem::Real(); }

CorpusOr Open(const std::string& folder) { return OpenShards(Files(), folder); }

std::string ReadFile(const std::string& path) {
  const auto contents = Files().ReadFile(path);
  EXPECT_THAT(contents, IsOk());
  return contents.value_or("");
}

// Unlike WriteFile, without waiting for the disk.
void Replace(const std::string& path, absl::string_view contents) {
  std::ofstream file(path, std::ios::binary);
  file << contents;
  file.close();
  EXPECT_TRUE(file.good()) << path;
}

std::vector<int32_t> Ids(const Corpus& corpus, int64_t begin, int64_t end) {
  std::vector<int32_t> ids(end - begin);
  EXPECT_THAT(corpus.Read(begin, absl::MakeSpan(ids)), IsOk());
  return ids;
}

absl::Status ReadAll(const Corpus& corpus) {
  std::vector<int32_t> ids(corpus.size());
  return corpus.Read(0, absl::MakeSpan(ids));
}

// The first error of who opens the set and reads all of it, which is marked as
// the corpus's own.
absl::Status Use(const std::string& folder) {
  const CorpusOr corpus = Open(folder);
  const absl::Status status = corpus.ok() ? ReadAll(**corpus) : corpus.status();
  EXPECT_EQ(IsCorpusError(status), !status.ok()) << status;
  return status;
}

// `count` characters, `different` of them distinct, in no simple order.
std::string SomeText(int count, int different) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    AppendUtf8(0x10000 + (i < different ? i : i * i % 10'007 % different),
               &text);
  }
  return text;
}

class ShardReaderTest : public ::testing::Test {
 protected:
  // The set that most tests are about: three shards, the first two of two
  // blocks.
  void WriteSet() { WriteShardSet(set_, SomeText(12'000, 100)); }

  std::string ShardPath(int64_t index) const {
    return JoinPath(set_, ShardFileName(index));
  }

  const TempDirectory directory_;
  const std::string set_ = directory_.File("set");
};

TEST_F(ShardReaderTest, TheIdsAndTheirSummaryAreThoseOfTheText) {
  for (const int different : {2, 300, 70'000}) {
    const TempDirectory directory;
    const std::string text = SomeText(std::max(30'000, different), different);
    const std::string path = directory.File("text.txt");
    Replace(path, text);
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const auto expected, OpenTextCorpus(Files(), path, Encoding::kUtf8));
    const std::string set = directory.File("set");
    ShardSetOptions options;
    options.shard_bytes = 20'000;
    WriteShardSet(set, text, options);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set));
    ASSERT_EQ(corpus->size(), expected->size());
    EXPECT_EQ(corpus->vocab(), expected->vocab());
    EXPECT_EQ(corpus->name(), set);
    EXPECT_EQ(corpus->fingerprint(), expected->fingerprint());
    EXPECT_TRUE(Ids(*corpus, 0, corpus->size()) ==
                Ids(*expected, 0, expected->size()));
    ASSERT_TRUE(corpus->split_fractions().has_value());
    EXPECT_EQ(corpus->split_fractions()->validation, 0.05);
    EXPECT_EQ(corpus->split_fractions()->test, 0);
  }
}

TEST_F(ShardReaderTest, AnyRangeCanBeRead) {
  WriteSet();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  const std::vector<int32_t> all = Ids(*corpus, 0, corpus->size());
  // Around where blocks and shards begin, and far over them.
  for (const int64_t edge : {0, 4'096, 5'000, 9'096, 10'000, 12'000}) {
    for (int64_t begin = edge - 2; begin <= edge + 2; ++begin) {
      for (const int64_t size : {0, 1, 2, 5, 128, 4'096, 5'000, 9'000}) {
        if (begin < 0 || begin + size > corpus->size()) continue;
        EXPECT_TRUE(Ids(*corpus, begin, begin + size) ==
                    std::vector<int32_t>(all.begin() + begin,
                                         all.begin() + begin + size))
            << begin << " " << size;
      }
    }
  }
}

TEST_F(ShardReaderTest, ManyThreadsReadAtOnce) {
  WriteSet();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto other, Open(set_));
  const std::vector<int32_t> all = Ids(*other, 0, other->size());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int64_t begin = 0; begin < 11'900; begin += 37) {
        EXPECT_TRUE(Ids(*corpus, begin, begin + 100) ==
                    std::vector<int32_t>(all.begin() + begin,
                                         all.begin() + begin + 100));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ShardReaderTest, AShardThatIsMissingIsMissedByWhoReadsIt) {
  WriteSet();
  ASSERT_THAT(Files().Remove(ShardPath(1)), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  std::vector<int32_t> ids(10);
  EXPECT_THAT(corpus->Read(4'990, absl::MakeSpan(ids)), IsOk());
  EXPECT_THAT(corpus->Read(10'000, absl::MakeSpan(ids)), IsOk());
  for (const int64_t offset : {4'991, 7'000, 9'999}) {
    const absl::Status status = corpus->Read(offset, absl::MakeSpan(ids));
    EXPECT_THAT(status,
                StatusIs(kNotFound,
                         AllOf(HasSubstr(set_), HasSubstr("shard-00001.ids"))));
    EXPECT_TRUE(IsCorpusError(status));
  }
}

TEST_F(ShardReaderTest, WhatIsMissingOfARangeIsNamed) {
  ShardSetOptions options;
  options.shard_bytes = 1'000;
  WriteShardSet(set_, SomeText(12'000, 100), options);
  for (const int64_t index : {1, 2, 5, 7, 11}) {
    ASSERT_THAT(Files().Remove(ShardPath(index)), IsOk());
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  EXPECT_THAT(corpus->CheckPresent(0, 1'000), IsOk());
  EXPECT_THAT(corpus->CheckPresent(3'000, 5'000), IsOk());
  EXPECT_THAT(corpus->CheckPresent(2'000, 2'000), IsOk());
  EXPECT_THAT(
      corpus->CheckPresent(2'999, 5'001),
      StatusIs(kNotFound, AllOf(HasSubstr("of its 12 shards this host lacks "
                                          "shard-00002.ids, shard-00005.ids:"),
                                Not(HasSubstr("more")))));
  EXPECT_THAT(corpus->CheckPresent(0, corpus->size()),
              StatusIs(kNotFound, HasSubstr("shard-00001.ids, shard-00002.ids, "
                                            "shard-00005.ids and 2 more:")));
}

TEST_F(ShardReaderTest, AFolderWithoutAManifestIsNoSet) {
  EXPECT_THAT(Use(directory_.path()),
              StatusIs(kNotFound, AllOf(HasSubstr(directory_.path()),
                                        HasSubstr("prepare --output=FOLDER"))));
  WriteSet();
  ASSERT_THAT(Files().Remove(JoinPath(set_, "manifest.json")), IsOk());
  EXPECT_THAT(Use(set_), StatusIs(kNotFound, HasSubstr("has not finished it")));
}

TEST_F(ShardReaderTest, AShardCutOffOrTooLongIsRefusedAtOnce) {
  WriteSet();
  const std::string path = ShardPath(2);
  const std::string whole = ReadFile(path);
  for (size_t size = whole.size(); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    EXPECT_THAT(Open(set_), StatusIs(kDataLoss, HasSubstr(path))) << size;
  }
  Replace(path, whole + "a");
  EXPECT_THAT(Open(set_), StatusIs(kDataLoss, HasSubstr(path)));
}

TEST_F(ShardReaderTest, EveryFlippedByteOfASmallSetIsFound) {
  ShardSetOptions options;
  options.shard_bytes = 60;
  WriteShardSet(set_, SomeText(100, 40), options);
  ASSERT_THAT(Use(set_), IsOk());
  for (const char* name :
       {"shard-00000.ids", "shard-00001.ids", "manifest.json"}) {
    const std::string path = JoinPath(set_, name);
    const std::string whole = ReadFile(path);
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string flipped = whole;
      flipped[i] ^= static_cast<char>(1 << i % 8);
      Replace(path, flipped);
      EXPECT_THAT(Use(set_), StatusIs(kDataLoss, HasSubstr(name))) << i;
    }
    Replace(path, whole);
  }
}

TEST_F(ShardReaderTest, ADamagedBlockSpoilsNothingBesideIt) {
  WriteSet();
  std::string bytes = ReadFile(ShardPath(1));
  bytes[4'096 + 17] ^= 1;
  Replace(ShardPath(1), bytes);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  Ids(*corpus, 0, 9'096);
  Ids(*corpus, 10'000, 12'000);
  std::vector<int32_t> ids(2);
  EXPECT_THAT(corpus->Read(9'095, absl::MakeSpan(ids)),
              StatusIs(kDataLoss, AllOf(HasSubstr(ShardPath(1)),
                                        HasSubstr("bytes 4096 to 5000"))));
}

TEST_F(ShardReaderTest, SwappedShardsAreToldFromThoseOfAnotherSet) {
  WriteSet();
  std::filesystem::rename(ShardPath(0), directory_.File("0"));
  std::filesystem::rename(ShardPath(1), ShardPath(0));
  std::filesystem::rename(directory_.File("0"), ShardPath(1));
  EXPECT_THAT(Use(set_),
              StatusIs(kDataLoss, HasSubstr("shard-00000.ids: is shard 1 of a "
                                            "set where shard 0 should be")));

  const std::string other = directory_.File("other");
  WriteShardSet(other, SomeText(12'000, 99));
  Replace(JoinPath(other, ShardFileName(1)), ReadFile(ShardPath(0)));
  EXPECT_THAT(Use(other),
              StatusIs(kDataLoss, HasSubstr("shard-00001.ids: belongs to "
                                            "another set than manifest.json")));
}

// Before hours of training lead there.
TEST_F(ShardReaderTest, WhoAsksWhatIsThereLearnsWhatIsNotItself) {
  WriteSet();
  Replace(ShardPath(2), absl::StrReplaceAll(ReadFile(ShardPath(2)),
                                            {{"charrnn\n", "charrnn "}}));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  EXPECT_THAT(corpus->CheckPresent(0, 10'000), IsOk());
  const absl::Status status = corpus->CheckPresent(9'999, 10'001);
  EXPECT_THAT(status, StatusIs(kDataLoss, HasSubstr(ShardPath(2))));
  EXPECT_TRUE(IsCorpusError(status));
}

TEST_F(ShardReaderTest, AFutureVersionIsNamed) {
  WriteSet();
  const std::string path = JoinPath(set_, "manifest.json");
  std::string text = absl::StrReplaceAll(
      ReadFile(path), {{"charrnn.shards.1", "charrnn.shards.9"}});
  text.resize(text.rfind(",\"crc32c\""));
  Replace(path, absl::StrCat(text, absl::StrFormat(",\"crc32c\":\"%08x\"}\n",
                                                   Crc32c(text))));
  EXPECT_THAT(Use(set_),
              StatusIs(kUnimplemented,
                       AllOf(HasSubstr(set_), HasSubstr("charrnn.shards.9"))));
}

// Every checksum is as it should be, so that only the id itself is wrong: it
// would lead out of a model's tables.
TEST_F(ShardReaderTest, AnIdBeyondTheVocabularyIsDamage) {
  const auto vocab = Vocab::FromText("ab", Encoding::kUtf8);
  ASSERT_THAT(Files().CreateDirectories(set_), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const auto writer, ShardWriter::Create(&Files(), set_, *vocab, 100));
  ASSERT_THAT(writer->Append({"\0\1\0\2\0", 5}), IsOk());
  ASSERT_THAT(writer->Finish({0.1}, {}, 5), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  Ids(*corpus, 0, 3);
  EXPECT_THAT(ReadAll(*corpus), StatusIs(kDataLoss, HasSubstr("the id 2")));
}

// A copy of a set that is made while it is read, for one.
TEST_F(ShardReaderTest, AFileCutOffWhileItIsReadIsAnErrorOfTheDisk) {
  ShardSetOptions options;
  options.shard_bytes = 20'000;
  WriteShardSet(set_, SomeText(20'000, 100), options);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  ASSERT_THAT(ReadAll(*corpus), IsOk());
  ASSERT_EQ(truncate(ShardPath(0).c_str(), 4'096), 0);
  const absl::Status status = ReadAll(*corpus);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable,
                               HasSubstr(ShardPath(0))));
  EXPECT_FALSE(IsCorpusError(status));
}

TEST_F(ShardReaderTest, AShardThatIsNoFileIsRefused) {
  WriteSet();
  ASSERT_THAT(Files().Remove(ShardPath(1)), IsOk());
  ASSERT_THAT(Files().CreateDirectories(ShardPath(1)), IsOk());
  EXPECT_THAT(Open(set_), StatusIs(absl::StatusCode::kFailedPrecondition,
                                   HasSubstr(ShardPath(1))));
}

// Leaves this process room for fewer than `left` mappings while it lives.
class FewMappings {
 public:
  explicit FewMappings(int64_t left)
      : page_(sysconf(_SC_PAGESIZE)),
        size_(kMostPages * page_),
        begin_(static_cast<char*>(
            mmap(nullptr, size_, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    // Neighbours of different rights are mappings of their own.
    int64_t page = 1;
    while (page < kMostPages && Protect(page, PROT_READ)) page += 2;
    full_ = page < kMostPages;
    for (; left > 0 && page > 2; left -= 2) Protect(page -= 2, PROT_NONE);
  }
  ~FewMappings() { munmap(begin_, size_); }

  // Whether this machine has a limit that could be reached.
  bool full() const { return full_; }

 private:
  static constexpr int64_t kMostPages = 1 << 18;

  bool Protect(int64_t page, int rights) {
    return mprotect(begin_ + page * page_, page_, rights) == 0;
  }

  const int64_t page_;
  const int64_t size_;
  char* const begin_;
  bool full_ = false;
};

TEST_F(ShardReaderTest, MoreShardsThanCanBeMappedAreToldWithAWayOut) {
  ShardSetOptions options;
  options.shard_bytes = 50;
  WriteShardSet(set_, SomeText(12'000, 100), options);
  absl::Status status;
  {
    const FewMappings few(/*left=*/100);
    if (!few.full()) GTEST_SKIP() << "vm.max_map_count is large here";
    status = Open(set_).status();
  }
  EXPECT_THAT(
      status,
      StatusIs(absl::StatusCode::kResourceExhausted,
               AllOf(HasSubstr(".ids: cannot map: "), HasSubstr(" of 240 "),
                     HasSubstr("again with larger --shard_bytes"))));
  EXPECT_TRUE(IsCorpusError(status));
}

TEST_F(ShardReaderTest, ManifestsCanBeReadAlone) {
  WriteSet();
  ASSERT_THAT(Files().Remove(ShardPath(0)), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ShardManifest manifest,
                               ReadShardManifest(Files(), set_));
  EXPECT_EQ(manifest.num_ids, 12'000);
}

using ShardReaderDeathTest = ShardReaderTest;

TEST_F(ShardReaderDeathTest, ReadingOutsideTheCorpusEndsTheProgram) {
  WriteSet();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto corpus, Open(set_));
  std::vector<int32_t> ids(2);
  EXPECT_DEATH(corpus->Read(11'999, absl::MakeSpan(ids)).IgnoreError(),
               "2 ids at 11999 of 12000");
  EXPECT_DEATH(corpus->Read(-1, absl::MakeSpan(ids)).IgnoreError(),
               "2 ids at -1 of 12000");
}

}  // namespace
}  // namespace charrnn
