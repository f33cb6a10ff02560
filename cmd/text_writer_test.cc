#include "cmd/text_writer.h"

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/thread_pool.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/sampler.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

SamplingConfig FiveCharacters() {
  SamplingConfig config;
  config.max_generate = 5;
  return config;
}

CharRnn MakeModel(const Vocab& vocab) {
  ModelConfig config;
  config.vocab_size = vocab.size();
  config.embedding_dim = 5;
  config.hidden_dim = 8;
  return CharRnn(
      config,
      TrainState::Initial(ParameterLayout(config), 1, "cpu")->parameters);
}

class TextWriterTest : public testing::Test {
 protected:
  TextWriterTest()
      : vocab_(*Vocab::FromText("abc", Encoding::kUtf8)),
        model_(MakeModel(vocab_)),
        sampler_(&model_, FiveCharacters()),
        writer_(&sampler_, &vocab_) {}

  // What `write` puts on standard output.
  static std::string Output(absl::FunctionRef<absl::Status()> write) {
    testing::internal::CaptureStdout();
    const absl::Status status = write();
    std::string output = testing::internal::GetCapturedStdout();
    EXPECT_THAT(status, IsOk());
    return output;
  }

  const Vocab vocab_;
  const CharRnn model_;
  const Sampler sampler_;
  const TextWriter writer_;
};

TEST_F(TextWriterTest, APromptLosesWhatTheModelDoesNotKnow) {
  EXPECT_THAT(EncodePrompt(vocab_, "caxb"), IsOkAndHolds(ElementsAre(2, 0, 1)));
  EXPECT_THAT(EncodePrompt(vocab_, ""), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(EncodePrompt(vocab_, "xyz"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("x y z")));
}

TEST_F(TextWriterTest, APromptKeepsTheUnknownAsTheReplacementCharacter) {
  const Vocab vocab = Vocab::FromSymbols({U'a', U'b', kReplacementCharacter});
  EXPECT_THAT(EncodePrompt(vocab, "xbxa"),
              IsOkAndHolds(ElementsAre(2, 1, 2, 0)));
}

TEST_F(TextWriterTest, OneTextIsThePromptAndItsContinuation) {
  EXPECT_THAT(Output([&] { return writer_.WriteOne({2, 0}, 0); }),
              MatchesRegex("ca[abc]{5}\n"));
}

// A text's number is its stream, however many are written side by side.
TEST_F(TextWriterTest, ManyTextsAreThoseOfTheirStreams) {
  ThreadPool pool(2);
  const std::vector<int32_t> prompt = {1};
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    expected += "==== sample " + std::to_string(i + 1) + " of 20 ====\n" +
                Output([&] { return writer_.WriteOne(prompt, i); });
  }
  EXPECT_EQ(Output([&] { return writer_.WriteMany(prompt, 20, pool); }),
            expected);
}

// A model of bytes that says the same one again and again.
CharRnn MakeParrot(const Vocab& vocab, unsigned char byte) {
  ModelConfig config;
  config.vocab_size = vocab.size();
  config.embedding_dim = 5;
  config.hidden_dim = 8;
  const ParameterLayout layout(config);
  std::vector<float> parameters(layout.flat_size(), 0.0F);
  const ParameterSpec& bias = layout.parameters().back();
  EXPECT_EQ(bias.name, "fc.bias");
  parameters[bias.offset + byte] = 100;
  return CharRnn(config,
                 TrainState::FromParameters(parameters, "cpu")->parameters);
}

class BytesWriterTest : public TextWriterTest {
 protected:
  // What a model says after `prompt` that has nothing to say but `byte`, five
  // times.
  static std::string Said(absl::string_view prompt, unsigned char byte) {
    const Vocab vocab = *Vocab::FromText("x", Encoding::kBytes);
    const CharRnn model = MakeParrot(vocab, byte);
    const Sampler sampler(&model, FiveCharacters());
    const TextWriter writer(&sampler, &vocab);
    const std::vector<int32_t> ids = vocab.Encode(prompt)->ids;
    ThreadPool pool(2);
    const std::string text = Output([&] { return writer.WriteOne(ids, 0); });
    EXPECT_EQ(Output([&] { return writer.WriteMany(ids, 1, pool); }),
              "==== sample 1 of 1 ====\n" + text);
    std::istringstream input{std::string(prompt)};
    EXPECT_EQ(Output([&] { return writer.Converse(input); }), text);
    return text;
  }
};

TEST_F(BytesWriterTest, APromptMayEndInTheMiddleOfACharacter) {
  EXPECT_EQ(Said("a\xC3", 0xA9), u8"a\u00e9\ufffd\ufffd\ufffd\ufffd\n");
  EXPECT_EQ(Said("\xE2\x82", 0xAC), u8"\u20ac\ufffd\ufffd\ufffd\ufffd\n");
  EXPECT_EQ(Said("\xF0\xBF", 0xBF), u8"\U0003ffff\ufffd\ufffd\ufffd\n");
  EXPECT_EQ(Said("a\xC3", 'z'), u8"a\ufffdzzzzz\n");
}

TEST_F(BytesWriterTest, ACharacterThatIsNotWholeAtTheEndIsLeftOut) {
  EXPECT_EQ(Said("ab", 0xC3), u8"ab\ufffd\ufffd\ufffd\ufffd\n");
}

TEST_F(TextWriterTest, AConversationOutlivesALineThatMakesNoSense) {
  std::istringstream input("ab\nxyz\nc\n");
  EXPECT_THAT(Output([&] { return writer_.Converse(input); }),
              MatchesRegex("ab[abc]{5}\nc[abc]{5}\n"));
}

}  // namespace
}  // namespace charrnn
