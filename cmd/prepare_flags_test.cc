#include "cmd/prepare_flags.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/usable_cores.h"
#include "cmd/command_line.h"
#include "data/text_encoder.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/shard_set.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class PrepareFlagsTest : public testing::Test {
 protected:
  PrepareFlagsTest() {
    EXPECT_THAT(files_.CreateDirectories(directory_.File("texts")), IsOk());
    for (const char* name : {"texts/b.txt", "texts/a.txt", "c.txt"}) {
      EXPECT_THAT(WriteFile(files_, directory_.File(name), "abab"), IsOk());
    }
  }

  // What `arguments` ask for, with an output and a text unless they say others.
  absl::StatusOr<PrepareRequest> Request(
      const std::vector<std::string>& arguments) {
    const absl::FlagSaver saver;
    const std::string output = "--output=" + directory_.File("set");
    const std::string text = directory_.File("c.txt");
    std::vector<const char*> argv = {"prepare", output.c_str(), text.c_str()};
    for (const std::string& argument : arguments) {
      argv.push_back(argument.c_str());
    }
    CHARRNN_ASSIGN_OR_RETURN(
        const CommandLine command_line,
        ParseCommandLine(static_cast<int>(argv.size()), argv.data(),
                         {"prepare", "Prepares.", "FILE_OR_FOLDER..."}));
    return PrepareRequestFromFlags(files_, command_line);
  }

  // Expects that `arguments` are refused with a message that begins so.
  void ExpectRefused(const std::vector<std::string>& arguments,
                     const std::string& message) {
    EXPECT_THAT(Request(arguments), StatusIs(absl::StatusCode::kInvalidArgument,
                                             StartsWith(message)));
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
};

TEST_F(PrepareFlagsTest, TheDefaultsAreThoseOfTraining) {
  const absl::StatusOr<PrepareRequest> request = Request({});
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->options.encoding, Encoding::kUtf8);
  EXPECT_EQ(request->options.fractions.validation, 0.05);
  EXPECT_EQ(request->options.fractions.test, 0);
  EXPECT_EQ(request->options.shard_bytes, 64 << 20);
  EXPECT_EQ(request->options.min_count, 1);
  EXPECT_FALSE(request->options.vocab.has_value());
  EXPECT_EQ(request->num_threads, std::min(NumUsableCores(), 16));
}

TEST_F(PrepareFlagsTest, FoldersStandForTheirFiles) {
  const absl::StatusOr<PrepareRequest> request =
      Request({directory_.File("texts")});
  ASSERT_THAT(request, IsOk());
  EXPECT_THAT(
      request->options.inputs,
      ElementsAre(directory_.File("c.txt"), directory_.File("texts/a.txt"),
                  directory_.File("texts/b.txt")));
}

TEST_F(PrepareFlagsTest, AVocabularyThatIsNamedIsUsed) {
  const std::string path = directory_.File("vocab.txt");
  EXPECT_THAT(WriteFile(files_, path, "az\uFFFD"), IsOk());
  const absl::StatusOr<PrepareRequest> request =
      Request({"--vocab_from=" + path, "--unknown=replace"});
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->options.vocab,
            Vocab::FromSymbols({U'a', U'z', kReplacementCharacter}));
  EXPECT_EQ(request->options.unknown, UnknownPolicy::kReplace);
}

TEST_F(PrepareFlagsTest, FlagsThatDoNotGoTogetherAreRefused) {
  const std::string vocab = "--vocab_from=" + directory_.File("c.txt");
  ExpectRefused({vocab, "--min_count=2"}, "--min_count: makes a vocabulary");
  ExpectRefused({"--unknown=drop"}, "--unknown: the vocabulary of the texts");
  ExpectRefused({"--min_count=2", "--encoding=bytes"}, "--min_count: there");
  ExpectRefused({vocab, "--unknown=keep"}, "--unknown=keep: must be error");
}

TEST_F(PrepareFlagsTest, AnEncodingOtherThanTheVocabularysIsRefused) {
  ShardSetOptions options;
  options.encoding = Encoding::kBytes;
  WriteShardSet(directory_.File("bytes"), "ababab", options);
  const std::string vocab = "--vocab_from=" + directory_.File("bytes");
  ExpectRefused({vocab, "--encoding=utf8"}, "--encoding=utf8: ");
  EXPECT_THAT(Request({vocab, "--encoding=bytes"}), IsOk());
  const absl::StatusOr<PrepareRequest> request = Request({vocab});
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->options.vocab->encoding(), Encoding::kBytes);
  // A text is read as the flag says.
  EXPECT_THAT(
      Request({"--encoding=bytes", "--vocab_from=" + directory_.File("c.txt")}),
      IsOk());
}

TEST_F(PrepareFlagsTest, NumbersOutOfRangeAreRefused) {
  ExpectRefused({"--threads=-1"}, "--threads=-1: must be");
  ExpectRefused({"--threads=17"},
                "--threads=17: must be at least 0 and at most 16");
  ExpectRefused({"--min_count=0"}, "--min_count=0: must be");
  ExpectRefused({"--val_fraction=1"}, "--val_fraction=1: must be");
  ExpectRefused({"--test_fraction=-0.1"}, "--test_fraction=-0.1: must be");
  ExpectRefused({"--val_fraction=0.5", "--test_fraction=0.5"},
                "--val_fraction=0.5 and --test_fraction=0.5: must be");
  ExpectRefused({"--shard_bytes=3"}, "--shard_bytes=3: must be from 4 to ");
  ExpectRefused({"--shard_bytes=17179869185"}, "--shard_bytes=17179869185: ");
  EXPECT_THAT(Request({"--threads=16"}), IsOk());
}

TEST_F(PrepareFlagsTest, AnOutputThatCannotBeIsRefused) {
  ExpectRefused({"--output="}, "--output: name the folder");
  ExpectRefused(
      {"--output=" + directory_.File("texts/set"), directory_.File("texts")},
      "--output=" + directory_.File("texts/set") + ": lies in ");
}

}  // namespace
}  // namespace charrnn
