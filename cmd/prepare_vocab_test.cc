#include "cmd/prepare_vocab.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "data/corpus_error.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/model_file.h"
#include "model/model_snapshot.h"
#include "model/parameter_layout.h"
#include "testing/shard_set.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PrepareVocabTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& contents) {
    const std::string path = directory_.File(name);
    EXPECT_THAT(files_.CreateDirectories(Dirname(path)), IsOk());
    EXPECT_THAT(WriteFile(files_, path, contents), IsOk());
    return path;
  }

  absl::StatusOr<Vocab> From(const std::string& path,
                             Encoding encoding = Encoding::kUtf8) {
    return VocabFrom(files_, path, encoding);
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
  const Vocab abc_ = Vocab::FromSymbols({U'a', U'b', U'\u4E2D'});
};

TEST_F(PrepareVocabTest, ATextsIsThatOfItsCharacters) {
  EXPECT_THAT(From(Write("a.txt", "b\u4E2Dab")), IsOkAndHolds(abc_));
  // Of more than a block, with characters at all places of a block's end.
  std::string text;
  for (int i = 0; i < 200000; ++i) absl::StrAppend(&text, "ab\u4E2D");
  EXPECT_THAT(From(Write("long.txt", text)), IsOkAndHolds(abc_));
}

TEST_F(PrepareVocabTest, UnderBytesItIsAllBytes) {
  const absl::StatusOr<Vocab> vocab =
      From(Write("a.txt", "b\xFF"), Encoding::kBytes);
  ASSERT_THAT(vocab, IsOk());
  EXPECT_EQ(vocab->size(), 256);
}

TEST_F(PrepareVocabTest, ATextThatHasNoneIsRefused) {
  for (const Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    EXPECT_THAT(From(Write("empty.txt", ""), encoding),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("empty.txt: the file is empty")));
  }
  EXPECT_THAT(From(Write("bad.txt", "ab\xFF")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("bad.txt: not UTF-8"),
                             HasSubstr("byte offset 2 (0xFF)"))));
  EXPECT_THAT(From(directory_.File("absent.txt")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.txt")));
}

TEST_F(PrepareVocabTest, AShardSetsIsTheOneOfItsManifest) {
  WriteShardSet(directory_.File("set"), "ab\u4E2Dababab\u4E2D");
  EXPECT_THAT(From(directory_.File("set")), IsOkAndHolds(abc_));
  const absl::StatusOr<Vocab> bad =
      From(Dirname(Write("bad/manifest.json", "{}")));
  EXPECT_THAT(bad, StatusIs(absl::StatusCode::kDataLoss,
                            HasSubstr("bad: manifest.json: its bytes are")));
  EXPECT_TRUE(IsCorpusError(bad.status()));
}

TEST_F(PrepareVocabTest, AModelsIsTheOneItWasTrainedWith) {
  ModelSnapshot model = {{}, {}, abc_, {}};
  model.config.vocab_size = 3;
  model.config.embedding_dim = 2;
  model.config.hidden_dim = 2;
  model.parameters.resize(ParameterLayout(model.config).flat_size());
  const std::string file = directory_.File("step/model.safetensors");
  EXPECT_THAT(files_.CreateDirectories(Dirname(file)), IsOk());
  ASSERT_THAT(SaveModel(files_, model, file), IsOk());
  EXPECT_THAT(From(file), IsOkAndHolds(abc_));
  EXPECT_THAT(From(Dirname(file)), IsOkAndHolds(abc_));
  ASSERT_THAT(SaveModel(files_, model, directory_.File("model.pt")), IsOk());
  EXPECT_THAT(From(directory_.File("model.pt")), IsOkAndHolds(abc_));
}

TEST_F(PrepareVocabTest, AFolderWithoutAModelIsRefused) {
  EXPECT_THAT(From(Dirname(Write("texts/a.txt", "ab"))),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("texts: holds no checkpoint")));
}

}  // namespace
}  // namespace charrnn
