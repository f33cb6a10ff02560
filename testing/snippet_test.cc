// Somebody who has nothing but the programs trains and samples at once.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "data/corpus.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

TEST(SnippetTest, InAnEmptyFolderTrainLearnsTheSnippetByHeart) {
  const Workplace workplace;
  SubprocessOptions options = workplace.Here({});
  options.deadline = absl::Minutes(4);  // on a busy machine
  const SubprocessResult train = workplace.Run("train", options);
  ASSERT_EQ(train.exit_code, 0) << train.stderr_text;
  EXPECT_THAT(train.stderr_text, HasSubstr("built-in snippet"));

  // The last character is held out: a newline, as `sample` ends with.
  const std::string text(SnippetText());
  const std::string prompt = text.substr(0, 8);
  const SubprocessResult sample = workplace.Run(
      "sample", {"--temperature=0", "--prompt", prompt,
                 absl::StrCat("--max_generate=", text.size() - 1 - 8)});
  EXPECT_EQ(sample.exit_code, 0) << sample.stderr_text;
  EXPECT_EQ(sample.stdout_text, text);
}

}  // namespace
}  // namespace charrnn
