#include "data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "data/chunk_index.h"
#include "data/split.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "testing/lines.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using CorpusOr = absl::StatusOr<std::unique_ptr<Corpus>>;

// The path of a new file of `contents`.
std::string FileOf(absl::string_view contents) {
  static int count = 0;
  const std::string path =
      JoinPath(::testing::TempDir(), absl::StrCat("corpus", count++, ".txt"));
  const absl::Status status =
      WriteFileAtomically(*FileSystem::Real(), path, contents);
  EXPECT_TRUE(status.ok()) << status;
  return path;
}

CorpusOr Open(absl::string_view text, Encoding encoding = Encoding::kUtf8) {
  return OpenTextCorpus(*FileSystem::Real(), FileOf(text), encoding);
}

CorpusOr OpenUnder(const Vocab& vocab, absl::string_view text) {
  return OpenTextCorpusWithVocab(*FileSystem::Real(), FileOf(text), vocab);
}

std::vector<int32_t> AllIds(const Corpus& corpus) {
  std::vector<int32_t> ids(corpus.size());
  EXPECT_TRUE(corpus.Read(0, absl::MakeSpan(ids)).ok());
  return ids;
}

// Each of the first `count` code points from U+0100 on, surrogates left out.
std::string DistinctCharacters(int count) {
  std::string text;
  for (char32_t c = 0x100; count > 0; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    AppendUtf8(c, &text);
    --count;
  }
  return text;
}

TEST(CorpusTest, TheIdsAreThoseOfTheSortedCharacters) {
  const CorpusOr corpus = Open("ba\u00E9b");
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ((*corpus)->size(), 4);
  EXPECT_EQ((*corpus)->vocab().size(), 3);
  EXPECT_THAT(AllIds(**corpus), ElementsAre(1, 0, 2, 1));
}

TEST(CorpusTest, UnderBytesTheIdsAreTheBytes) {
  const CorpusOr corpus = Open("a\xFF\u00E9", Encoding::kBytes);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ((*corpus)->vocab().size(), 256);
  EXPECT_THAT(AllIds(**corpus), ElementsAre('a', 0xFF, 0xC3, 0xA9));
}

TEST(CorpusTest, AnyRangeCanBeRead) {
  const CorpusOr corpus = Open("abcde");
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  for (int64_t begin = 0; begin <= 5; ++begin) {
    for (int64_t end = begin; end <= 5; ++end) {
      std::vector<int32_t> ids(end - begin);
      ASSERT_TRUE((*corpus)->Read(begin, absl::MakeSpan(ids)).ok());
      for (int64_t i = begin; i < end; ++i) ASSERT_EQ(ids[i - begin], i);
    }
  }
}

// 256 and 65,536 are the most that one and two bytes can tell apart.
TEST(CorpusTest, VocabulariesAroundTheLimitsOfEachStorageTypeKeepTheirIds) {
  for (int size : {255, 256, 257, 65'535, 65'536, 65'537}) {
    const CorpusOr corpus = Open(DistinctCharacters(size));
    ASSERT_TRUE(corpus.ok()) << corpus.status();
    ASSERT_EQ((*corpus)->vocab().size(), size);
    std::vector<int32_t> expected(size);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_TRUE(AllIds(**corpus) == expected) << size;
  }
}

TEST(CorpusTest, IsNamedByItsPath) {
  const std::string path = FileOf("ab");
  const CorpusOr corpus =
      OpenTextCorpus(*FileSystem::Real(), path, Encoding::kUtf8);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ((*corpus)->name(), path);
}

TEST(CorpusTest, TextsThatCannotBeLearntAreRefusedByPathAndReason) {
  struct Case {
    std::string text;
    Encoding encoding;
    const char* reason;
  };
  const Case cases[] = {
      {"", Encoding::kUtf8, "empty"},
      {"", Encoding::kBytes, "empty"},
      {"aaaa", Encoding::kUtf8, "one distinct symbol"},
      {"aaaa", Encoding::kBytes, "one distinct symbol"},
      {"ab\xFF", Encoding::kUtf8, "byte offset 2 (0xFF)"},
  };
  for (const Case& c : cases) {
    const std::string path = FileOf(c.text);
    const absl::Status status =
        OpenTextCorpus(*FileSystem::Real(), path, c.encoding).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_THAT(std::string(status.message()),
                AllOf(StartsWith(path + ": "), HasSubstr(c.reason)));
  }
}

TEST(CorpusTest, AMissingFileIsNotFound) {
  const std::string path = JoinPath(::testing::TempDir(), "missing.txt");
  for (const absl::Status& status :
       {OpenTextCorpus(*FileSystem::Real(), path, Encoding::kUtf8).status(),
        OpenTextCorpusWithVocab(*FileSystem::Real(), path,
                                SnippetCorpus(Encoding::kUtf8)->vocab())
            .status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
}

// A file system whose files are larger than the memory.
class LargeFiles : public FaultInjectingFileSystem {
 public:
  LargeFiles() : FaultInjectingFileSystem(FileSystem::Real()) {}

  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": is large"));
  }
};

TEST(CorpusTest, ATextThatDoesNotFitIntoMemoryIsToBePrepared) {
  LargeFiles files;
  for (const absl::Status& status :
       {OpenTextCorpus(files, "big.txt", Encoding::kUtf8).status(),
        OpenTextCorpusWithVocab(files, "big.txt",
                                SnippetCorpus(Encoding::kUtf8)->vocab())
            .status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status.message(),
              "big.txt: is large: make a shard set of it with `prepare "
              "--output=FOLDER`, and name that");
  }
}

TEST(CorpusWithVocabTest, TheIdsAreTheVocabularysNotTheTexts) {
  const auto vocab = Vocab::FromText("abcdef", Encoding::kUtf8);
  const CorpusOr corpus = OpenUnder(*vocab, "fed");
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ((*corpus)->vocab(), *vocab);
  EXPECT_THAT(AllIds(**corpus), ElementsAre(5, 4, 3));
}

TEST(CorpusWithVocabTest, TheFirstUnknownCharacterIsNamedWithLineAndColumn) {
  const auto vocab = Vocab::FromText("ab\n\u00E9", Encoding::kUtf8);
  const absl::Status status =
      OpenUnder(*vocab, "ab\n\n\u00E9b\u4E2Da\u6587").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the character \u4E2D at line 3, column 3 is not"));
}

TEST(CorpusWithVocabTest, UnknownCharactersAreReadAsTheReplacementCharacter) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'b', kReplacementCharacter});
  Lines lines;
  CorpusOr corpus = absl::UnknownError("");
  {
    const LogCapture capture(&lines);
    corpus = OpenUnder(vocab, "xaby\uFFFDx");
  }
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_THAT(AllIds(**corpus), ElementsAre(2, 0, 1, 2, 2, 2));
  EXPECT_TRUE(lines.Has(absl::StrCat("warning: ", (*corpus)->name(),
                                     ": 3 of 6 characters are not in the "
                                     "vocabulary (x y)")));
}

TEST(CorpusWithVocabTest, UnderBytesNoTextIsForeign) {
  const auto vocab = Vocab::FromText("a", Encoding::kBytes);
  const CorpusOr corpus = OpenUnder(*vocab, "\xFF\x01");
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_THAT(AllIds(**corpus), ElementsAre(0xFF, 1));
}

TEST(CorpusWithVocabTest, OneDistinctCharacterIsEnoughToEvaluate) {
  const auto vocab = Vocab::FromText("ab", Encoding::kUtf8);
  EXPECT_TRUE(OpenUnder(*vocab, "bbb").ok());
  EXPECT_FALSE(OpenUnder(*vocab, "").ok());
}

// The content of another corpus, stored otherwise.
class OtherCorpus : public Corpus {
 public:
  explicit OtherCorpus(const Corpus& corpus)
      : vocab_(corpus.vocab()), ids_(AllIds(corpus)) {}
  int64_t size() const override { return ids_.size(); }
  const Vocab& vocab() const override { return vocab_; }
  std::string name() const override { return "elsewhere"; }
  absl::Status Read(int64_t offset, absl::Span<int32_t> ids) const override {
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = ids_[offset + i];
    return absl::OkStatus();
  }

 protected:
  uint32_t ids_crc32c() const override {
    return Crc32c({reinterpret_cast<const char*>(ids_.data()),
                   ids_.size() * sizeof(ids_[0])});
  }

 private:
  Vocab vocab_;
  std::vector<int32_t> ids_;
};

TEST(FingerprintTest, IsTheSameForTheSameContentHoweverItIsStored) {
  // Longer than what is summed at once.
  std::string text;
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&text, i);
  const CorpusOr corpus = Open(text);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ((*Open(text))->fingerprint(), (*corpus)->fingerprint());
  EXPECT_EQ(OtherCorpus(**corpus).fingerprint(), (*corpus)->fingerprint());
}

TEST(FingerprintTest, DiffersInIdsVocabularyAndLength) {
  std::string changed_at_the_end(100'000, 'a');
  changed_at_the_end.back() = 'b';
  const std::set<std::string> fingerprints = {
      (*Open("abab"))->fingerprint(),
      (*Open("abba"))->fingerprint(),
      (*Open("ababa"))->fingerprint(),
      (*Open("acac"))->fingerprint(),  // The ids of "abab".
      (*Open("abab", Encoding::kBytes))->fingerprint(),
      (*Open(changed_at_the_end))->fingerprint(),
      (*Open("b" + std::string(99'999, 'a')))->fingerprint(),
  };
  EXPECT_EQ(fingerprints.size(), 7);
}

// Runs are resumed by fingerprint, so it must not change between versions. The
// value was computed by a few lines of Python from the definition of CRC32C.
TEST(FingerprintTest, HasItsDocumentedValue) {
  EXPECT_EQ((*Open("abba"))->fingerprint(), "3a3d33fd-747dd324-4");
}

TEST(SnippetTest, IsTheBalconyScenesOpening) {
  const absl::string_view text = SnippetText();
  EXPECT_EQ(text.size(), 347);
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 45);
  EXPECT_EQ(text.substr(0, 16), "ROMEO:\nBut soft,");
  const std::unique_ptr<Corpus> corpus = SnippetCorpus(Encoding::kUtf8);
  EXPECT_EQ(corpus->size(), 347);
  EXPECT_EQ(corpus->vocab().size(), 45);
  EXPECT_EQ(corpus->name(), "built-in snippet");
  EXPECT_EQ(corpus->vocab().Decode(AllIds(*corpus)), text);
}

TEST(SnippetTest, CanBeReadAsBytes) {
  const std::unique_ptr<Corpus> corpus = SnippetCorpus(Encoding::kBytes);
  EXPECT_EQ(corpus->vocab().size(), 256);
  EXPECT_EQ(corpus->vocab().Decode(AllIds(*corpus)), SnippetText());
}

TEST(TinyShakespeareTest, GivesTheNotebooksNumbers) {
  const char* folder = std::getenv("CHARRNN_SHARED_DATA");
  if (folder == nullptr) {
    GTEST_SKIP() << "CHARRNN_SHARED_DATA does not name the folder that holds "
                    "tinyshakespeare.txt";
  }
  const CorpusOr corpus =
      OpenTextCorpus(*FileSystem::Real(),
                     JoinPath(folder, "tinyshakespeare.txt"), Encoding::kUtf8);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ((*corpus)->size(), 1'115'394);
  EXPECT_EQ((*corpus)->vocab().size(), 65);
  const auto split = SplitCorpus((*corpus)->size(), {0.05});
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->train_size, 1'059'625);
  EXPECT_EQ(split->validation_size, 55'769);
  const auto train = ChunkIndex::Training(0, split->train_size, 128, 0);
  EXPECT_EQ(train.num_chunks(), 8'278);
  EXPECT_EQ(
      ChunkIndex::Validation(split->train_size, split->validation_size, 128)
          .num_chunks(),
      435);
}

TEST(CorpusDeathTest, ReadingOutsideTheCorpusEndsTheProgram) {
  const std::unique_ptr<Corpus> corpus = SnippetCorpus(Encoding::kUtf8);
  std::vector<int32_t> ids(2);
  EXPECT_DEATH(corpus->Read(346, absl::MakeSpan(ids)).IgnoreError(),
               "2 ids at 346 of 347");
  EXPECT_DEATH(corpus->Read(-1, absl::MakeSpan(ids)).IgnoreError(),
               "2 ids at -1 of 347");
  EXPECT_DEATH(corpus->Read(INT64_MAX, absl::MakeSpan(ids)).IgnoreError(),
               "of 347");
}

}  // namespace
}  // namespace charrnn
