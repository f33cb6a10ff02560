#include "data/vocab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Vocab VocabOf(absl::string_view text, Encoding encoding = Encoding::kUtf8) {
  absl::StatusOr<Vocab> vocab = Vocab::FromText(text, encoding);
  EXPECT_TRUE(vocab.ok()) << vocab.status();
  return *std::move(vocab);
}

std::string AllByteValues() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(byte);
  return bytes;
}

TEST(VocabTest, SymbolsAreTheSortedDistinctCharacters) {
  const Vocab vocab = VocabOf("banana \U0001F600\u00E9\u4E2D\n");
  ASSERT_EQ(vocab.size(), 8);
  const char* expected[] = {"\n", " ",      "a",      "b",
                            "n",  "\u00E9", "\u4E2D", "\U0001F600"};
  for (int id = 0; id < vocab.size(); ++id) {
    EXPECT_EQ(vocab.Symbol(id), expected[id]) << id;
  }
}

TEST(VocabTest, FindsEachSymbolAndNoOther) {
  // Below, at and above the end of the table, which is the greatest symbol
  // under U+10000.
  const Vocab vocab = VocabOf("b\u4E2D\U0001F600\U0001F602");
  EXPECT_EQ(vocab.Find(U'b'), 0);
  EXPECT_EQ(vocab.Find(U'\u4E2D'), 1);
  EXPECT_EQ(vocab.Find(U'\U0001F600'), 2);
  EXPECT_EQ(vocab.Find(U'\U0001F602'), 3);
  for (char32_t absent :
       {U'a', U'c', U'\u4E2C', U'\u4E2E', U'\uFFFF', U'\U0001F5FF',
        U'\U0001F601', U'\U0001F603', U'\U0010FFFF'}) {
    EXPECT_EQ(vocab.Find(absent), -1) << static_cast<uint32_t>(absent);
  }
}

TEST(VocabTest, AVocabularyBeyondTheBasicPlaneOnlyWorks) {
  const Vocab vocab = VocabOf("\U0001F602\U0001F600");
  EXPECT_EQ(vocab.size(), 2);
  EXPECT_EQ(vocab.Find(U'\U0001F602'), 1);
  EXPECT_EQ(vocab.Find(U'\0'), -1);
}

TEST(VocabTest, BytesAreAlwaysAll256) {
  const Vocab vocab = VocabOf("a", Encoding::kBytes);
  ASSERT_EQ(vocab.size(), 256);
  for (int id = 0; id < 256; ++id) {
    EXPECT_EQ(vocab.Symbol(id), std::string(1, static_cast<char>(id)));
    EXPECT_EQ(vocab.Find(id), id);
  }
  EXPECT_EQ(vocab.Find(256), -1);
}

TEST(VocabTest, DecodingUndoesEncoding) {
  const std::string text = "na\u00EFve \u4E2D\u6587 \U0001F600\n";
  const std::string bytes = AllByteValues();
  for (const Vocab& vocab : {VocabOf(text), VocabOf(text, Encoding::kBytes)}) {
    const auto encoded = vocab.Encode(text);
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    EXPECT_EQ(encoded->unknown.count(), 0);
    EXPECT_EQ(vocab.Decode(encoded->ids), text);
  }
  const Vocab vocab = VocabOf("a", Encoding::kBytes);
  const auto encoded = vocab.Encode(bytes);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_EQ(vocab.Decode(encoded->ids), bytes);
}

TEST(VocabTest, EncodingDropsCountsAndShowsUnknownCharacters) {
  const auto encoded = VocabOf("abc").Encode("xa\u202E\u00E9bx\u00E9c");
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_THAT(encoded->ids, ElementsAre(0, 1, 2));
  EXPECT_EQ(encoded->unknown.count(), 5);
  EXPECT_EQ(encoded->unknown.Shown(), "x U+202E \u00E9");
}

TEST(VocabTest, TheReplacementCharacterStandsForTheUnknown) {
  const Vocab vocab = VocabOf("abc\uFFFD\U0001F600");
  EXPECT_EQ(vocab.unknown_id(), 3);
  EXPECT_EQ(vocab.Find(U'x'), -1);
  const auto encoded = vocab.Encode("xa\uFFFD\U0001F601");
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_THAT(encoded->ids, ElementsAre(3, 0, 3, 3));
  EXPECT_EQ(encoded->unknown.count(), 2);
  EXPECT_EQ(encoded->unknown.Shown(), "x \U0001F601");
}

TEST(VocabTest, WithoutTheReplacementCharacterNothingStandsForTheUnknown) {
  EXPECT_EQ(VocabOf("abc").unknown_id(), -1);
  EXPECT_EQ(VocabOf("\uFFFC\U0001F600").unknown_id(), -1);
  EXPECT_EQ(VocabOf("\uFFFD", Encoding::kBytes).unknown_id(), -1);
}

TEST(VocabTest, CanBeMadeOfItsSymbols) {
  EXPECT_EQ(Vocab::FromSymbols({U'a', U'b', U'\u4E2D'}), VocabOf("b\u4E2Da"));
}

TEST(VocabDeathTest, SymbolsThatDoNotAscendEndTheProgram) {
  EXPECT_DEATH(Vocab::FromSymbols({}), "check failed");
  EXPECT_DEATH(Vocab::FromSymbols({U'a', U'a'}), "ascending");
  EXPECT_DEATH(Vocab::FromSymbols({U'b', U'a'}), "ascending");
}

TEST(VocabTest, IllFormedTextIsRefusedUnlessReadAsBytes) {
  const std::string text = "ab\xFF";
  EXPECT_EQ(Vocab::FromText(text, Encoding::kUtf8).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(VocabOf("ab").Encode(text).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Vocab::FromText(text, Encoding::kBytes).ok());
}

TEST(VocabTest, AnEmptyTextHasNoVocabulary) {
  for (Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    EXPECT_EQ(Vocab::FromText("", encoding).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(VocabTest, EqualityIsOfEncodingAndSymbols) {
  EXPECT_EQ(VocabOf("abba"), VocabOf("ba"));
  EXPECT_NE(VocabOf("ab"), VocabOf("abc"));
  std::string latin1;
  for (char32_t c = 0; c < 256; ++c) AppendUtf8(c, &latin1);
  EXPECT_NE(VocabOf(latin1), VocabOf(latin1, Encoding::kBytes));
}

TEST(VocabTest, EncodingsAreNamedAsInTheFlag) {
  for (Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    const auto parsed = ParseEncoding(EncodingName(encoding));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, encoding);
  }
  EXPECT_EQ(EncodingName(Encoding::kUtf8), "utf8");
  EXPECT_EQ(EncodingName(Encoding::kBytes), "bytes");
  const absl::Status status = ParseEncoding("utf-16").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "--encoding=utf-16: must be utf8 or bytes");
}

TEST(VocabJsonTest, HasTheDocumentedForm) {
  EXPECT_EQ(VocabOf("b\u00E9 \"\n\U0001F600").ToJson(),
            "{\"encoding\":\"utf8\",\"symbols\":"
            "[\"\\n\",\" \",\"\\\"\",\"b\",\"\u00E9\",\"\U0001F600\"]}");
  EXPECT_EQ(VocabOf("a", Encoding::kBytes).ToJson(),
            "{\"encoding\":\"bytes\"}");
}

TEST(VocabJsonTest, ComesBackAsTheSameVocabulary) {
  std::string text("\0\\/", 3);
  for (char32_t c = 1; c < 0x3000; ++c) AppendUtf8(c, &text);
  for (char32_t c : {0xFEFF, 0xFFFF, 0x10000, 0x10FFFF}) AppendUtf8(c, &text);
  for (Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    const Vocab vocab = VocabOf(text, encoding);
    const auto read = Vocab::FromJson(vocab.ToJson());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, vocab);
  }
}

TEST(VocabJsonTest, EscapesAndBlanksAreRead) {
  const auto read = Vocab::FromJson(
      " { \"symbols\" : [ \"\\u0061\", \"\\ud83d\\ude00\" ],\n"
      " \"encoding\" : \"utf8\" } ");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, VocabOf("a\U0001F600"));
}

TEST(VocabJsonTest, EveryKindOfDamageIsRefused) {
  const std::string damaged[] = {
      "",
      "null",
      "[]",
      "{}",
      "{\"encoding\":\"utf8\"}",
      "{\"symbols\":[\"a\",\"b\"]}",
      R"({"encoding":"utf8","symbols":[]})",
      R"({"encoding":"utf8","symbols":{}})",
      R"({"encoding":"utf8","symbols":"ab"})",
      R"({"encoding":"latin1","symbols":["a","b"]})",
      R"({"encoding":8,"symbols":["a","b"]})",
      R"({"encoding":"bytes","symbols":["a","b"]})",
      // Symbols of the wrong type, size or order.
      R"({"encoding":"utf8","symbols":["a",98]})",
      R"({"encoding":"utf8","symbols":["a",["b"]]})",
      R"({"encoding":"utf8","symbols":["a",""]})",
      R"({"encoding":"utf8","symbols":["a","bc"]})",
      R"({"encoding":"utf8","symbols":["a","a"]})",
      R"({"encoding":"utf8","symbols":["b","a"]})",
      // Surrogates and ill-formed UTF-8.
      R"({"encoding":"utf8","symbols":["a","\ud800"]})",
      "{\"encoding\":\"utf8\",\"symbols\":[\"a\",\"\xED\xA0\x80\"]}",
      "{\"encoding\":\"utf8\",\"symbols\":[\"a\",\"\xFF\"]}",
      // Keys repeated, unknown, or deeper than they belong.
      R"({"encoding":"bytes","encoding":"bytes"})",
      R"({"encoding":"utf8","symbols":["a"],"symbols":["a","b"]})",
      R"({"encoding":"bytes","size":256})",
      R"({"a":{"encoding":"bytes"}})",
      // More than one value.
      R"({"encoding":"bytes"}{})",
      R"({"encoding":"bytes"} x)",
  };
  for (const std::string& json : damaged) {
    EXPECT_EQ(Vocab::FromJson(json).status().code(),
              absl::StatusCode::kInvalidArgument)
        << json;
  }
}

TEST(VocabJsonTest, EveryTruncationIsRefused) {
  const std::string json = VocabOf("ab\u00E9\U0001F600").ToJson();
  for (size_t length = 0; length < json.size(); ++length) {
    EXPECT_FALSE(Vocab::FromJson(json.substr(0, length)).ok()) << length;
  }
}

TEST(VocabJsonTest, AFlippedBitIsRefusedOrGivesAnotherVocabulary) {
  const Vocab vocab = VocabOf("ab\u00E9\U0001F600");
  const std::string json = vocab.ToJson();
  for (size_t i = 0; i < json.size() * 8; ++i) {
    std::string flipped = json;
    flipped[i / 8] ^= 1 << i % 8;
    const auto read = Vocab::FromJson(flipped);
    if (read.ok()) {
      EXPECT_NE(*read, vocab) << flipped;
    } else {
      EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(VocabJsonTest, DeepNestingIsRefusedWithoutExhaustingTheStack) {
  const std::string deep(1 << 20, '[');
  EXPECT_FALSE(Vocab::FromJson(deep).ok());
  const std::string closed = deep + std::string(1 << 20, ']');
  EXPECT_FALSE(Vocab::FromJson(closed).ok());
  EXPECT_FALSE(Vocab::FromJson(absl::StrCat(R"({"encoding":"utf8","symbols":)",
                                            closed, "}"))
                   .ok());
}

TEST(VocabJsonTest, AnErrorIsOneShortPrintableLine) {
  const absl::Status status =
      Vocab::FromJson("{\"\\u001b\\u009b\\n" + std::string(5000, 'k') + "\":1}")
          .status();
  EXPECT_LT(status.message().size(), 200);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is unknown"));
  for (char c : status.message()) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(VocabTest, ATextBeginsWithAWholeCharacter) {
  EXPECT_EQ(Vocab::FromText(u8"a\u00e9", Encoding::kUtf8)->Beginnings(),
            (std::vector<int32_t>{0, 1}));
  const Vocab bytes = *Vocab::FromText("a", Encoding::kBytes);
  EXPECT_EQ(bytes.Beginnings().size(), 95);
  for (const int32_t id : bytes.Beginnings()) {
    EXPECT_EQ(PrintableCharacter(bytes.Symbol(id).front()),
              id == ' ' ? "U+0020" : std::string(bytes.Symbol(id)));
  }
}

}  // namespace
}  // namespace charrnn
