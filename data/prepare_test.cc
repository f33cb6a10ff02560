#include "data/prepare.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "base/thread_pool.h"
#include "data/corpus.h"
#include "data/shard_format.h"
#include "data/shard_writer.h"
#include "data/split.h"
#include "data/text_encoder.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Scripts of one to four bytes, combining marks and joined emoji, so that no
// two blocks of it are cut alike.
std::string MixedText(int lines) {
  std::string text;
  for (int line = 0; line < lines; ++line) {
    absl::StrAppend(&text, line, " the cat, \u043A\u043E\u0442, \u732B\u306F, ",
                    "e\u0301a\u0308, \U0001F469\u200D\U0001F680\U0001F600\n");
  }
  return text;
}

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() {
    options_.output = directory_.File("set");
    options_.fractions = {0.05, 0.1};
    options_.shard_bytes = 256;
    options_.block_bytes = 64;
  }

  // Makes files of these contents the input.
  void Read(const std::vector<std::string>& contents) {
    options_.inputs.clear();
    for (size_t i = 0; i < contents.size(); ++i) {
      options_.inputs.push_back(directory_.File(absl::StrCat(i, ".txt")));
      EXPECT_THAT(
          WriteFileAtomically(files_, options_.inputs.back(), contents[i]),
          IsOk());
    }
  }

  absl::StatusOr<PrepareResult> Run(int threads = 3) {
    ThreadPool pool(threads);
    return Prepare(files_, pool, options_);
  }

  ShardManifest Manifest() {
    const absl::StatusOr<std::string> text =
        files_.ReadFile(JoinPath(options_.output, kShardManifestFileName));
    EXPECT_THAT(text, IsOk());
    absl::StatusOr<ShardManifest> manifest = DecodeShardManifest(*text);
    EXPECT_THAT(manifest, IsOk());
    return *std::move(manifest);
  }

  std::vector<int32_t> Ids() {
    const ShardManifest manifest = Manifest();
    std::vector<int32_t> ids;
    for (size_t i = 0; i < manifest.shards.size(); ++i) {
      const std::string bytes = *files_.ReadFile(
          JoinPath(options_.output, ShardFileName(static_cast<int64_t>(i))));
      std::vector<int32_t> part(manifest.shards[i].num_ids);
      EXPECT_THAT(UnpackIds(absl::string_view(bytes).substr(
                                0, part.size() * manifest.id_bytes),
                            manifest.id_bytes, manifest.vocab.size(),
                            absl::MakeSpan(part)),
                  IsOk());
      ids.insert(ids.end(), part.begin(), part.end());
    }
    return ids;
  }

  // Expects that the set which was made is what `corpus` is.
  void ExpectSameAs(const Corpus& corpus) {
    EXPECT_EQ(Manifest().vocab, corpus.vocab());
    std::vector<int32_t> ids(corpus.size());
    EXPECT_THAT(corpus.Read(0, absl::MakeSpan(ids)), IsOk());
    EXPECT_EQ(Ids(), ids);
  }

  void ExpectNothingLeft() {
    EXPECT_FALSE(files_.Exists(options_.output));
    EXPECT_FALSE(files_.Exists(options_.output + ".unfinished"));
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
  PrepareOptions options_;
};

TEST_F(PrepareTest, TheSetIsWhatTheTextItselfIsAtAnyBlockSizeAndThreadCount) {
  Read({MixedText(40)});
  for (const Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    const auto corpus =
        OpenTextCorpus(files_, options_.inputs.front(), encoding);
    ASSERT_THAT(corpus, IsOk());
    options_.encoding = encoding;
    for (const size_t block_bytes : {4, 5, 63, 64, 4096}) {
      for (const int threads : {1, 2, 5}) {
        options_.block_bytes = block_bytes;
        ASSERT_THAT(Run(threads), IsOk());
        ExpectSameAs(**corpus);
        EXPECT_THAT(RemoveRecursively(files_, options_.output), IsOk());
      }
    }
  }
}

TEST_F(PrepareTest, FilesAreJoinedWhereverTheyAreCut) {
  const std::string text = MixedText(3);
  Read({text});
  const auto corpus =
      OpenTextCorpus(files_, options_.inputs.front(), Encoding::kUtf8);
  ASSERT_THAT(corpus, IsOk());
  for (const size_t cut : {1, 7, 16, 17, 18, 61, 62, 63}) {
    Read({text.substr(0, cut), "", text.substr(cut)});
    ASSERT_THAT(Run(), IsOk());
    ExpectSameAs(**corpus);
    EXPECT_THAT(RemoveRecursively(files_, options_.output), IsOk());
  }
}

TEST_F(PrepareTest, SourcesSizesAndSplitAreRecordedAndTold) {
  const std::string text = MixedText(20);
  Read({text, "\u043A\u043E\u0442\n"});
  const absl::StatusOr<PrepareResult> result = Run();
  ASSERT_THAT(result, IsOk());
  const ShardManifest manifest = Manifest();
  ASSERT_EQ(manifest.sources.size(), 2);
  EXPECT_EQ(manifest.sources[0].name, options_.inputs[0]);
  EXPECT_EQ(manifest.sources[0].bytes, text.size());
  EXPECT_EQ(manifest.sources[0].crc32c, Crc32c(text));
  EXPECT_EQ(manifest.sources[1].bytes, 7);
  EXPECT_EQ(manifest.text_bytes, text.size() + 7);
  EXPECT_EQ(manifest.fractions.test, 0.1);

  EXPECT_EQ(result->text_bytes, manifest.text_bytes);
  EXPECT_EQ(result->num_ids, manifest.num_ids);
  EXPECT_EQ(result->num_shards, manifest.shards.size());
  EXPECT_GT(result->num_shards, 2);
  EXPECT_EQ(result->vocab_size, manifest.vocab.size());
  EXPECT_EQ(result->split.train_size, manifest.split.train_size);
  EXPECT_EQ(result->split.test_size, manifest.num_ids / 10);
  EXPECT_EQ(result->unknown.count(), 0);
}

TEST_F(PrepareTest, ProgressComesInOrderAndToTheEndOfEachPass) {
  Read({MixedText(10)});
  std::vector<std::pair<int, int64_t>> seen;
  options_.progress = [&](const PrepareOptions::Progress& progress) {
    EXPECT_EQ(progress.num_passes, 2);
    seen.emplace_back(progress.pass, progress.bytes);
    if (progress.bytes == progress.total_bytes) seen.emplace_back(0, 0);
  };
  ASSERT_THAT(Run(), IsOk());
  EXPECT_EQ(seen.front().first, 1);
  EXPECT_EQ(seen.back().first, 0);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), std::make_pair(0, int64_t{0})),
            2);
}

TEST_F(PrepareTest, RareCharactersAreReadAsTheReplacementCharacter) {
  Read({"aaabbbccx\u4E2Dab"});
  options_.min_count = 3;
  const absl::StatusOr<PrepareResult> result = Run();
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(Manifest().vocab,
            Vocab::FromSymbols({U'a', U'b', kReplacementCharacter}));
  EXPECT_THAT(Ids(), ElementsAre(0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 0, 1));
  EXPECT_EQ(result->unknown.count(), 4);
  EXPECT_EQ(result->unknown.Shown(), "c x \u4E2D");
  EXPECT_TRUE(result->vocab_has_unknown);
}

TEST_F(PrepareTest, AMinimumThatAllCharactersReachAddsNothing) {
  Read({"aabbaabb"});
  options_.min_count = 4;
  ASSERT_THAT(Run(), IsOk());
  EXPECT_EQ(Manifest().vocab, Vocab::FromSymbols({U'a', U'b'}));
}

TEST_F(PrepareTest, AMinimumThatNoCharacterReachesIsRefused) {
  Read({"aabbaabb"});
  options_.min_count = 5;
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("--min_count=5: no character")));
  ExpectNothingLeft();
}

TEST_F(PrepareTest, CharactersOutsideAGivenVocabularyFollowThePolicy) {
  Read({"abab", "ab\u4E2Dcab"});
  options_.vocab = Vocab::FromSymbols({U'a', U'b', kReplacementCharacter});
  EXPECT_THAT(
      Run(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("1.txt: the character \u4E2D at byte offset 2"),
                     HasSubstr("--unknown=drop or replace"))));
  ExpectNothingLeft();

  options_.unknown = UnknownPolicy::kReplace;
  ASSERT_THAT(Run(), IsOk());
  EXPECT_THAT(Ids(), ElementsAre(0, 1, 0, 1, 0, 1, 2, 2, 0, 1));
  EXPECT_EQ(Manifest().text_bytes, 12);
  EXPECT_THAT(RemoveRecursively(files_, options_.output), IsOk());

  options_.vocab = Vocab::FromSymbols({U'a', U'b'});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              AllOf(HasSubstr("--unknown=replace: "),
                                    HasSubstr("use --unknown=drop"))));
  options_.unknown = UnknownPolicy::kDrop;
  const absl::StatusOr<PrepareResult> result = Run();
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(Ids(), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_EQ(result->unknown.Shown(), "\u4E2D c");
  EXPECT_EQ(Manifest().text_bytes, 8);
}

TEST_F(PrepareTest, WhatIsLeftOutIsToldWhereTooLittleIsLeft) {
  options_.unknown = UnknownPolicy::kDrop;
  options_.vocab = Vocab::FromSymbols({U'a', U'b'});
  Read({"xyzx"});
  EXPECT_THAT(Run(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("0.txt: all 4 characters were dropped"),
                             HasSubstr("(x y z): use another --vocab_from"))));
  Read({"xaxb"});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("0.txt: without the 2 characters that "
                                        "the vocabulary lacks (x): a text of "
                                        "2 characters leaves")));
  Read({"ab"});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("0.txt: a text of 2 characters")));
  ExpectNothingLeft();
}

TEST_F(PrepareTest, AmongBytesNoneIsUnknown) {
  Read({MixedText(3)});
  options_.vocab = *Vocab::FromText("any", Encoding::kBytes);
  for (const UnknownPolicy unknown :
       {UnknownPolicy::kDrop, UnknownPolicy::kReplace}) {
    options_.unknown = unknown;
    EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                                AllOf(HasSubstr("--unknown: "),
                                      HasSubstr("leave the flag out"))));
  }
  options_.unknown = UnknownPolicy::kError;
  EXPECT_THAT(Run(), IsOk());
}

TEST_F(PrepareTest, NumbersOutOfRangeAreRefusedBeforeAnythingIsRead) {
  Read({MixedText(3)});
  options_.progress = [](const PrepareOptions::Progress&) { FAIL(); };
  options_.shard_bytes = 3;
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("--shard_bytes=3: must be from 4")));
  options_.shard_bytes = 256;
  options_.min_count = 0;
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("--min_count=0: must be")));
}

TEST_F(PrepareTest, IllFormedTextIsFoundInItsFile) {
  const std::string good = MixedText(30);
  Read({good, good, absl::StrCat(good, "\xFF", good), good, "\xFE"});
  EXPECT_THAT(
      Run(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr(absl::StrCat(options_.inputs[2],
                                            ": not UTF-8: ill-formed sequence "
                                            "at byte offset ",
                                            good.size(), " (0xFF)")),
                     HasSubstr("--encoding=bytes"))));
  ExpectNothingLeft();
  // So is one that the text's end cuts.
  Read({"ab", "ab\xE4\xB8"});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("1.txt: not UTF-8: ill-formed sequence "
                                        "at byte offset 2 (0xE4)")));
  options_.encoding = Encoding::kBytes;
  EXPECT_THAT(Run(), IsOk());
}

TEST_F(PrepareTest, UnderAGivenVocabularyIllFormedTextHasOtherWaysOut) {
  Read({"ab", "ab\xFF"});
  options_.vocab = Vocab::FromSymbols({U'a', U'b'});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              AllOf(HasSubstr("1.txt: not UTF-8"),
                                    Not(HasSubstr("--encoding")))));
}

TEST_F(PrepareTest, ATextThatCannotBeLearntIsRefused) {
  const auto refuse = [&](const std::vector<std::string>& texts,
                          const std::string& why) {
    Read(texts);
    EXPECT_THAT(Run(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
    ExpectNothingLeft();
  };
  for (const Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    options_.encoding = encoding;
    refuse({""}, "0.txt: the file is empty");
    refuse({"", ""}, "these 2 texts are empty");
    refuse({"aaaaaaaaaaaa"}, "0.txt: holds one distinct symbol only");
    refuse({"aaaaaa", "aaaaaaa"}, "these 2 texts: holds one distinct symbol");
    refuse({"ab"}, "0.txt: a text of 2 characters leaves 1 to train on");
  }
}

TEST_F(PrepareTest, TooManyShardsAreRefusedBeforehand) {
  options_.shard_bytes = 4;
  options_.block_bytes = 1 << 20;
  const auto expect_refused = [&](int characters) {
    Read({std::string(characters, 'a') + "b"});
    bool written = false;
    options_.progress = [&](const PrepareOptions::Progress& progress) {
      written = written || progress.pass == progress.num_passes;
    };
    EXPECT_THAT(
        Run(),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(HasSubstr("0.txt: --shard_bytes=4: makes more than "),
                       HasSubstr("use larger ones"))));
    EXPECT_FALSE(written);
    ExpectNothingLeft();
  };
  const auto most = static_cast<int>(4 * ShardWriter::kMaxShards);
  expect_refused(most);
  options_.encoding = Encoding::kBytes;
  expect_refused(most);
  // How many characters there are is not known, but how many at least.
  options_.vocab = Vocab::FromSymbols({U'a', U'b'});
  expect_refused(4 * most + 3);
}

// A disk on which few bytes are free.
class SmallDisk : public FaultInjectingFileSystem {
 public:
  explicit SmallDisk(int64_t free)
      : FaultInjectingFileSystem(FileSystem::Real()), free_(free) {}
  absl::StatusOr<int64_t> FreeSpace(const std::string& /*path*/) override {
    return free_;
  }

 private:
  const int64_t free_;
};

TEST_F(PrepareTest, ADiskThatCannotSufficeIsToldBeforehand) {
  Read({std::string(4000, 'a') + "b"});
  options_.shard_bytes = 4000;
  SmallDisk disk(/*free=*/1000);
  ThreadPool pool(2);
  const auto expect_refused = [&] {
    EXPECT_THAT(
        Prepare(disk, pool, options_),
        StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("are free")));
    ExpectNothingLeft();
  };
  expect_refused();
  options_.vocab = Vocab::FromSymbols({U'a', U'b'});
  expect_refused();
  // All may be dropped.
  options_.unknown = UnknownPolicy::kDrop;
  EXPECT_THAT(Prepare(disk, pool, options_), IsOk());
}

TEST_F(PrepareTest, ATextThatChangesBetweenThePassesIsNoticed) {
  const std::string text = MixedText(30);
  std::string other = text;
  other[3] = other[3] == 't' ? 'h' : 't';
  for (const std::string& changed :
       {other, text + "a", text.substr(0, text.size() - 1),
        absl::StrCat("\U0001F4A9", text), absl::StrCat("\xFF", text)}) {
    Read({MixedText(3), text});
    options_.progress = [&](const PrepareOptions::Progress& progress) {
      if (progress.pass == 1 && progress.bytes == progress.total_bytes) {
        EXPECT_THAT(WriteFile(files_, options_.inputs[1], changed), IsOk());
      }
    };
    EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr("1.txt: has changed"),
                                      HasSubstr("try again"))));
    ExpectNothingLeft();
  }
}

TEST_F(PrepareTest, AStopLeavesNothing) {
  Read({MixedText(30)});
  for (const int blocks : {0, 5, 30}) {
    int left = blocks;
    options_.stop = [&] { return left-- == 0; };
    EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kCancelled));
    ExpectNothingLeft();
  }
}

TEST_F(PrepareTest, WhateverFailsTheSetIsWholeOrNotThere) {
  Read({MixedText(20)});
  ThreadPool pool(2);
  FaultInjectingFileSystem files(&files_);
  bool done = false;
  for (int operation = 0; !done; ++operation) {
    files.Inject({operation});
    const absl::StatusOr<PrepareResult> result = Prepare(files, pool, options_);
    done = result.ok();
    if (files_.Exists(options_.output)) {
      Manifest();
      EXPECT_THAT(RemoveRecursively(files_, options_.output), IsOk());
    }
    ASSERT_LT(operation, 1000);
  }
}

TEST_F(PrepareTest, AfterACrashAtAnyPointTheNextRunStartsOver) {
  Read({MixedText(20)});
  ThreadPool pool(2);
  const auto corpus =
      OpenTextCorpus(files_, options_.inputs.front(), Encoding::kUtf8);
  ASSERT_THAT(corpus, IsOk());
  bool done = false;
  for (int operation = 0; !done; ++operation) {
    FaultInjectingFileSystem files(&files_);
    files.Inject({operation, absl::DataLossError("dead"), /*crash=*/true});
    done = Prepare(files, pool, options_).ok();
    if (!files_.Exists(options_.output)) {
      ASSERT_THAT(Run(), IsOk());
    }
    ExpectSameAs(**corpus);
    EXPECT_FALSE(files_.Exists(options_.output + ".unfinished"));
    EXPECT_THAT(RemoveRecursively(files_, options_.output), IsOk());
    ASSERT_LT(operation, 1000);
  }
}

}  // namespace
}  // namespace charrnn
