#include "data/text_encoder.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/packed_ids.h"
#include "data/shard_format.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Flaw = EncodedText::Flaw;

EncodedText Encode(const Vocab& vocab, UnknownPolicy unknown,
                   absl::string_view text) {
  EncodedText encoded;
  TextEncoder(&vocab, unknown).Encode(text, &encoded);
  return encoded;
}

std::vector<int32_t> Ids(const Vocab& vocab, const EncodedText& encoded) {
  EXPECT_EQ(encoded.flaw(), Flaw::kNone);
  const int id_bytes = IdBytes(vocab.size());
  std::vector<int32_t> ids(encoded.packed().size() / id_bytes);
  EXPECT_THAT(
      UnpackIds(encoded.packed(), id_bytes, vocab.size(), absl::MakeSpan(ids)),
      IsOk());
  return ids;
}

// The first `count` code points from U+0100 on.
Vocab VocabOfSize(int count) {
  std::vector<char32_t> symbols;
  for (char32_t c = 0x100; static_cast<int>(symbols.size()) < count; ++c) {
    if (c < 0xD800 || c > 0xDFFF) symbols.push_back(c);
  }
  return Vocab::FromSymbols(std::move(symbols));
}

TEST(TextEncoderTest, MixedScriptsBecomeTheVocabularysIds) {
  const std::string text =
      "ab \u0416\u4E2D\u6587\U0001F469\u200D\U0001F680e\u0301\n";
  const absl::StatusOr<Vocab> vocab = Vocab::FromText(text, Encoding::kUtf8);
  ASSERT_THAT(vocab, IsOk());
  const EncodedText encoded = Encode(*vocab, UnknownPolicy::kError, text);
  EXPECT_EQ(vocab->Decode(Ids(*vocab, encoded)), text);
  EXPECT_EQ(encoded.unknown().count(), 0);
}

TEST(TextEncoderTest, EveryWidthKeepsItsIds) {
  for (const int size : {1, 255, 256, 257, 65535, 65536, 65537}) {
    const Vocab vocab = VocabOfSize(size);
    std::string text;
    for (int id = 0; id < size; ++id) text += std::string(vocab.Symbol(id));
    const std::vector<int32_t> ids =
        Ids(vocab, Encode(vocab, UnknownPolicy::kError, text));
    ASSERT_EQ(ids.size(), size);
    for (int id = 0; id < size; ++id) ASSERT_EQ(ids[id], id);
  }
}

TEST(TextEncoderTest, AByteIsItsOwnId) {
  const absl::StatusOr<Vocab> vocab = Vocab::FromText("a", Encoding::kBytes);
  const std::string text =
      "a\xFF\0\xE4\x80"
      "b";
  EXPECT_EQ(Encode(*vocab, UnknownPolicy::kError, text).packed(), text);
}

TEST(TextEncoderTest, UnknownCharactersAreDroppedAndCounted) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'b'});
  const EncodedText encoded =
      Encode(vocab, UnknownPolicy::kDrop, "xa\u4E2Db\U0001F600x");
  EXPECT_THAT(Ids(vocab, encoded), ElementsAre(0, 1));
  EXPECT_EQ(encoded.unknown().count(), 4);
  EXPECT_EQ(encoded.unknown().Shown(), "x \u4E2D \U0001F600");
  EXPECT_EQ(encoded.dropped_bytes(), 1 + 3 + 4 + 1);
}

TEST(TextEncoderTest, UnknownCharactersAreReplacedAndCounted) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'b', kReplacementCharacter});
  const EncodedText encoded =
      Encode(vocab, UnknownPolicy::kReplace, "xa\u4E2D\uFFFDb");
  EXPECT_THAT(Ids(vocab, encoded), ElementsAre(2, 0, 2, 2, 1));
  EXPECT_EQ(encoded.unknown().count(), 2);
  EXPECT_EQ(encoded.dropped_bytes(), 0);
}

TEST(TextEncoderTest, AnUnknownCharacterThatMayNotBeIsFound) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'\u4E2D'});
  const EncodedText encoded =
      Encode(vocab, UnknownPolicy::kError, "a\u4E2D\u4E2Dxay");
  EXPECT_EQ(encoded.flaw(), Flaw::kUnknown);
  EXPECT_EQ(encoded.flaw_offset(), 7);
}

TEST(TextEncoderTest, TheFirstFlawIsFound) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'\u4E2D'});
  for (const UnknownPolicy policy :
       {UnknownPolicy::kError, UnknownPolicy::kDrop}) {
    const EncodedText encoded = Encode(vocab, policy, "a\u4E2D\xFFx");
    EXPECT_EQ(encoded.flaw(), Flaw::kIllFormed);
    EXPECT_EQ(encoded.flaw_offset(), 4);
  }
  const EncodedText encoded = Encode(vocab, UnknownPolicy::kError, "ax\xFF");
  EXPECT_EQ(encoded.flaw(), Flaw::kUnknown);
  EXPECT_EQ(encoded.flaw_offset(), 1);
}

TEST(TextEncoderTest, WhatWasEncodedBeforeIsForgotten) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'b'});
  const TextEncoder encoder(&vocab, UnknownPolicy::kDrop);
  EncodedText encoded;
  encoder.Encode("abx\xFF", &encoded);
  encoder.Encode("b", &encoded);
  EXPECT_THAT(Ids(vocab, encoded), ElementsAre(1));
  EXPECT_EQ(encoded.unknown().count(), 0);
  EXPECT_EQ(encoded.dropped_bytes(), 0);
}

TEST(UnknownPolicyTest, IsNamedAsInTheFlag) {
  EXPECT_THAT(ParseUnknownPolicy("error"), IsOkAndHolds(UnknownPolicy::kError));
  EXPECT_THAT(ParseUnknownPolicy("drop"), IsOkAndHolds(UnknownPolicy::kDrop));
  EXPECT_THAT(ParseUnknownPolicy("replace"),
              IsOkAndHolds(UnknownPolicy::kReplace));
  EXPECT_THAT(ParseUnknownPolicy("skip"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--unknown=skip: must be error, drop")));
}

}  // namespace
}  // namespace charrnn
