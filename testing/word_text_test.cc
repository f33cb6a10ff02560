#include "testing/word_text.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::Each;
using ::testing::Ge;
using ::testing::Le;
using ::testing::MatchesRegex;

TEST(WordTextTest, SyntheticWordsAreManyAndAlwaysTheSame) {
  const std::vector<std::string> words = SyntheticWords(1000);
  EXPECT_THAT(words, Each(MatchesRegex("[a-z][a-z]+")));
  EXPECT_GT(std::set<std::string>(words.begin(), words.end()).size(), 900);
  EXPECT_EQ(words, SyntheticWords(1000));
}

TEST(WordTextTest, ATextIsOfItsWordsAndAboutAsLongAsAskedFor) {
  const TempDirectory directory;
  const std::vector<std::string> words = {"the", "\u732B", "sat"};
  for (const int64_t bytes : {1, 1000, 3000000}) {
    ASSERT_THAT(WriteWords(directory.File("a"), words, bytes), IsOk());
    const absl::StatusOr<std::string> text =
        FileSystem::Real()->ReadFile(directory.File("a"));
    ASSERT_THAT(text, IsOk());
    EXPECT_THAT(text->size(), testing::AllOf(Ge(bytes), Le(bytes + 4)));
    std::set<std::string> found =
        absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
    for (const std::string& word : words) found.erase(word);
    EXPECT_TRUE(found.empty());
  }
}

}  // namespace
}  // namespace charrnn
