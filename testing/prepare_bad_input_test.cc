// What users get wrong when they prepare texts: `prepare` says so in one line,
// ends with code 2, and leaves everything as it was.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/mistakes.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

// The other tests show something only if what they start from is good.
TEST(PrepareBadInputTest, WithoutAMistakeItSucceeds) {
  const Workplace workplace;
  WriteGoodFiles(workplace);
  const SubprocessResult result =
      workplace.Run("prepare", GoodFlags("prepare"));
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
}

TEST(PrepareBadInputTest, FlagsThatCannotBeAreRefused) {
  ExpectRefused({
      {"prepare", {"--ouput=a"}, {"--ouput", "did you mean --output?"}},
      {"prepare", {"--output="}, {"--output: name the folder to make"}},
      {"prepare", {"--encoding=latin1"}, {"--encoding=latin1: ", "utf8 or"}},
      {"prepare", {"--val_fraction=1"}, {"--val_fraction=1: must be"}},
      {"prepare", {"--test_fraction=nan"}, {"--test_fraction=nan: must be"}},
      {"prepare", {"--shard_bytes=0"}, {"--shard_bytes=0: must be from 4"}},
      {"prepare", {"--threads=64"}, {"--threads=64: ", "at most 16"}},
      {"prepare", {"--min_count=0"}, {"--min_count=0: must be"}},
      {"prepare", {"--min_count=1000000"}, {"--min_count=1000000: no char"}},
      {"prepare", {"--unknown=drop"}, {"--unknown: ", "--vocab_from"}},
      {"prepare", {"--vocab_from=text.txt", "--unknown=x"}, {"--unknown=x: "}},
      {"prepare",
       {"--vocab_from=model.safetensors", "--encoding=bytes"},
       {"--encoding=bytes: model.safetensors reads utf8"}},
      {"prepare",
       {"--vocab_from=text.txt", "--unknown=replace"},
       {"--unknown=replace: ", "U+FFFD", "--unknown=drop"}},
      {"prepare",
       {"--vocab_from=text.txt", "--encoding=bytes", "--unknown=replace"},
       {"--unknown: ", "leave the flag out"}},
      {"prepare",
       {"--vocab_from=text.txt", "--min_count=2"},
       {"--min_count: ", "leave one out"}},
  });
}

TEST(PrepareBadInputTest, AVocabularyThatIsNoneIsRefused) {
  ExpectRefused({
      {"prepare", {"--vocab_from=absent"}, {"--vocab_from: absent: "}},
      {"prepare",
       {"--vocab_from=folder"},
       {"--vocab_from: folder: holds no checkpoint"},
       {{"folder/a.txt", "a"}}},
      {"prepare",
       {"--vocab_from=bad.safetensors"},
       {"--vocab_from: bad.safetensors: not a model"},
       {{"bad.safetensors", "a"}}},
      {"prepare",
       {"--vocab_from=old"},
       {"--vocab_from: old: manifest.json: "},
       {{"old/manifest.json", "{}"}}},
      {"prepare",
       {"--vocab_from=bad.txt"},
       {"--vocab_from: bad.txt: not UTF-8", "byte offset 2 (0xFF)"},
       {{"bad.txt", "ab\xFF"}}},
      {"prepare",
       {"--vocab_from=few.txt"},
       {"text.txt: the character o at byte offset 0", "--unknown=drop"},
       {{"few.txt", "xyz"}}},
      {"prepare",
       {"--vocab_from=few.txt", "--unknown=drop"},
       {"text.txt: all ", "were dropped", "another --vocab_from"},
       {{"few.txt", "\u4E2D"}}},
  });
}

TEST(PrepareBadInputTest, TextsThatAreNoneAreRefused) {
  ExpectRefused({
      {"prepare", {"absent.txt"}, {"absent.txt: ", "No such file"}},
      {"prepare", {"/dev/zero"}, {"/dev/zero: is a pipe or device"}},
      {"prepare",
       {"folder"},
       {"folder: holds no files"},
       {{"folder/.hidden", "a"}}},
      {"prepare",
       {"old"},
       {"old: is a shard set", "name the texts"},
       {{"old/manifest.json", "{\"format\":\"charrnn.shards.1\","}}},
      {"prepare",
       {"2.txt", "3.txt", "4.txt", "5.txt"},
       {"3.txt: not UTF-8: ill-formed sequence at byte offset 6 (0xE9)",
        "--encoding=bytes"},
       {{"2.txt", "caf\u00E9 \u4E2D"},
        {"3.txt", "caf\u00E9 \xE9\xE9"},
        {"4.txt", "\xFF"},
        {"5.txt", "the end"}}},
  });
}

TEST(PrepareBadInputTest, TextsTooSmallToLearnFromAreRefused) {
  const auto small = [](const std::string& contents,
                        const std::vector<std::string>& told,
                        const std::string& flag) {
    return Mistake{"prepare", {flag}, told, {{"text.txt", contents}}};
  };
  std::vector<Mistake> mistakes;
  for (const char* flag : {"--encoding=utf8", "--encoding=bytes"}) {
    mistakes.push_back(small("", {"text.txt: ", "is empty"}, flag));
    mistakes.push_back(
        small("aaaaaaaa", {"text.txt: ", "one distinct symbol"}, flag));
    mistakes.push_back(
        small("ab", {"text.txt: ", "2 characters leaves 1 to train"}, flag));
  }
  ExpectRefused(mistakes);
}

TEST(PrepareBadInputTest, AnOutputThatCannotBeMadeIsRefused) {
  ExpectRefused({
      {"prepare", {"--output=text.txt"}, {"text.txt: exists already"}},
      {"prepare",
       {"--output=old"},
       {"old: exists already", "name another folder"},
       {{"old/manifest.json", "{}"}}},
      {"prepare", {"--output=a/b"}, {"a/b: there is no folder a: make it"}},
      {"prepare", {"--output=text.txt/a"}, {"text.txt/a: ", "Not a dir"}},
      {"prepare",
       {"--output=texts/set", "texts"},
       {"--output=texts/set: lies in texts", "elsewhere"},
       {{"texts/a.txt", "ab"}}},
      {"prepare",
       {},
       {"set.unfinished/notes.txt: was not made by"},
       {{"set.unfinished/notes.txt", "mine"},
        {"set.unfinished/shard-00000.ids", "ours"}}},
  });
}

TEST(PrepareBadInputTest, NothingToPrepareIsRefused) {
  const Workplace workplace;
  const SubprocessResult result = workplace.Run("prepare", {"--output=set"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text,
              testing::StartsWith("prepare: nothing to prepare: name texts"));
}

}  // namespace
}  // namespace charrnn
