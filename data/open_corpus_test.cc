#include "data/open_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/files.h"
#include "data/corpus.h"
#include "data/corpus_error.h"
#include "data/vocab.h"
#include "testing/shard_set.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

FileSystem& Files() { return *FileSystem::Real(); }

class OpenCorpusTest : public ::testing::Test {
 protected:
  OpenCorpusTest() {
    EXPECT_THAT(WriteFile(Files(), text_, "abcabcabc"), IsOk());
    WriteShardSet(set_, "abcabcabc");
  }

  const TempDirectory directory_;
  const std::string text_ = directory_.File("text.txt");
  const std::string set_ = directory_.File("set");
};

TEST_F(OpenCorpusTest, AFolderIsAShardSetAndAFileIsAText) {
  EXPECT_TRUE(IsFolder(Files(), set_));
  EXPECT_FALSE(IsFolder(Files(), text_));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto text,
                               OpenCorpus(Files(), text_, Encoding::kUtf8));
  EXPECT_FALSE(text->split_fractions().has_value());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto set,
                               OpenCorpus(Files(), set_, Encoding::kUtf8));
  EXPECT_TRUE(set->split_fractions().has_value());
  EXPECT_EQ(set->fingerprint(), text->fingerprint());
}

TEST_F(OpenCorpusTest, ALinkToAFolderIsAFolder) {
  const std::string link = directory_.File("link");
  ASSERT_THAT(Files().CreateSymlink("set", link), IsOk());
  EXPECT_THAT(OpenCorpus(Files(), link, Encoding::kUtf8), IsOk());
}

TEST_F(OpenCorpusTest, AFileOfAShardSetIsNoTextAndItsFolderIsNamed) {
  const auto vocab = Vocab::FromText("abc", Encoding::kUtf8);
  for (const char* name : {"manifest.json", "shard-00000.ids"}) {
    const std::string path = JoinPath(set_, name);
    for (const absl::Status& status :
         {OpenCorpus(Files(), path, Encoding::kBytes).status(),
          OpenCorpusWithVocab(Files(), path, *vocab).status()}) {
      EXPECT_THAT(status,
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           AllOf(HasSubstr(path),
                                 HasSubstr("name its folder, " + set_))));
    }
  }
}

TEST_F(OpenCorpusTest, OtherFilesOfSuchNamesAreTexts) {
  for (const char* name : {"manifest.json", "words.ids"}) {
    const std::string path = directory_.File(name);
    ASSERT_THAT(WriteFile(Files(), path, "{\"a\":1}"), IsOk());
    EXPECT_THAT(OpenCorpus(Files(), path, Encoding::kUtf8), IsOk());
  }
}

TEST_F(OpenCorpusTest, WhatIsMissingIsNamed) {
  const std::string missing = directory_.File("missing");
  EXPECT_THAT(OpenCorpus(Files(), missing, Encoding::kUtf8),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(missing)));
}

TEST_F(OpenCorpusTest, AModelReadsWhatHasItsVocabulary) {
  const auto vocab = Vocab::FromText("abc", Encoding::kUtf8);
  EXPECT_THAT(OpenCorpusWithVocab(Files(), set_, *vocab), IsOk());
  EXPECT_THAT(OpenCorpusWithVocab(Files(), text_, *vocab), IsOk());
}

TEST_F(OpenCorpusTest, AnotherVocabularyThanTheModelsIsRefusedWithTheWayOut) {
  const auto vocab = Vocab::FromText("abcd", Encoding::kUtf8);
  const absl::Status status =
      OpenCorpusWithVocab(Files(), set_, *vocab).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr(set_),
                                     HasSubstr("prepare --vocab_from="))));
  EXPECT_TRUE(IsCorpusError(status));
  // A text under it has other ids, and is no error.
  EXPECT_THAT(OpenCorpusWithVocab(Files(), text_, *vocab), IsOk());
}

}  // namespace
}  // namespace charrnn
