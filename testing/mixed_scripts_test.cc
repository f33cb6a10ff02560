// Texts of many scripts, as characters and as bytes, through all programs.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "data/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/run_outcome.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Cyrillic, Han, kana, Hangul, Devanagari, Latin; combining marks; emoji with a
// skin tone, with joiners and of regional indicators: one to four bytes a
// character.
constexpr absl::string_view kWords[] = {
    u8"быстрая",
    u8"лиса",
    u8"прыгает",
    u8"東京",
    u8"日本語",
    u8"漢字",
    u8"こんにちは",
    u8"한국어",
    u8"नमस्ते",
    "the",
    u8"cafe\u0301",
    u8"Z\u0363\u0351",
    u8"\U0001F44D\U0001F3FD",
    u8"\U0001F469\u200D\U0001F469\u200D\U0001F467",
    u8"\U0001F1FA\U0001F1F3",
    "cat"};
constexpr double kBitsPerWord = 4;  // in a random order
constexpr int kNumWords = 1200;

// Lines of these words in a fixed order that is as good as random.
std::string MixedText() {
  std::string text;
  uint32_t state = 1;
  for (int word = 1; word <= kNumWords; ++word) {
    // Knuth's linear congruential generator; its high bits are the good ones.
    state = state * 1664525 + 1013904223;
    absl::StrAppend(&text, kWords[state >> 28], word % 8 == 0 ? "\n" : " ");
  }
  return text;
}

// How many characters `text` has, which must be UTF-8.
int64_t Characters(absl::string_view text) {
  int64_t count = 0;
  EXPECT_THAT(DecodeUtf8(text, [&](char32_t) { ++count; }), IsOk());
  return count;
}

std::vector<std::string> Flags(const std::string& encoding,
                               const std::vector<std::string>& more) {
  std::vector<std::string> flags = {
      "--data_path=text.txt", absl::StrCat("--encoding=", encoding),
      "--embedding_dim=16",   "--hidden_dim=48",
      "--batch_size=16",      "--seq_len=32",
      "--learning_rate=1e-2", "--max_generate=30"};
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

// One model of each encoding, in the runs "utf8" and "bytes".
class MixedScriptsTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    workplace_ = new Workplace;
    workplace_->Write("text.txt", MixedText());
    for (const std::string encoding : {"utf8", "bytes"}) {
      Run("train", Flags(encoding, {"--num_epochs=8",
                                    absl::StrCat("--run_dir=", encoding)}));
    }
  }
  static void TearDownTestSuite() { delete workplace_; }

  static const Workplace& workplace() { return *workplace_; }

  // What `program` writes to standard output.
  static std::string Run(const std::string& program,
                         std::vector<std::string> flags,
                         const std::string& stdin_text = "") {
    SubprocessOptions options = workplace().Here(std::move(flags));
    options.stdin_text = stdin_text;
    const SubprocessResult result = workplace().Run(program, options);
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    return result.stdout_text;
  }

  static json Evaluate(const std::string& checkpoint) {
    return json::parse(
        Run("evaluate", {absl::StrCat("--checkpoint=", checkpoint), "--json",
                         "--data_path=text.txt", "--part=all"}),
        nullptr, /*allow_exceptions=*/false);
  }

  static std::string Checkpoint() {
    return absl::StrCat("--checkpoint=", GetParam());
  }
  static bool OfBytes() { return absl::string_view(GetParam()) == "bytes"; }

 private:
  static const Workplace* workplace_;
};

const Workplace* MixedScriptsTest::workplace_ = nullptr;

TEST_P(MixedScriptsTest, EveryScriptIsLearntAndWritten) {
  const std::string text = Run("sample", {Checkpoint(), "--max_generate=5000"});
  Characters(text);
  for (const absl::string_view word : kWords) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat(" ", word, " ")));
  }
}

TEST_P(MixedScriptsTest, ATextIsUtf8WhereverItIsCut) {
  const std::string prompt = u8"東京 ";
  const std::string flag = absl::StrCat("--prompt=", prompt);
  for (int size = 1; size < 8; ++size) {
    const std::string length = absl::StrCat("--max_generate=", size);
    const std::string text = Run("sample", {Checkpoint(), length, flag});
    EXPECT_THAT(text, StartsWith(prompt));
    const int64_t most = Characters(prompt) + size + 1;
    if (OfBytes()) {
      EXPECT_LE(Characters(text), most);
    } else {
      EXPECT_EQ(Characters(text), most);
    }
    // Nearly random symbols, too.
    Characters(Run("sample", {Checkpoint(), length, "--num_samples=50",
                              "--top_k=0", "--top_p=1", "--temperature=5"}));
    Characters(Run("sample", {Checkpoint(), length, "--interactive"},
                   absl::StrCat(prompt, "\n\n", prompt)));
  }
}

TEST_P(MixedScriptsTest, APromptMayEndInTheMiddleOfACharacterOfBytes) {
  const std::string prompt = u8"лиса 日本語";
  const std::string cut =
      absl::StrCat("--prompt=", prompt.substr(0, prompt.size() - 1));
  if (OfBytes()) {
    EXPECT_EQ(Run("sample", {Checkpoint(), "--max_generate=0", cut}),
              absl::StrCat(prompt.substr(0, prompt.size() - 3), "\n"));
    EXPECT_EQ(Run("sample",
                  {Checkpoint(), "--max_generate=1", "--temperature=0", cut}),
              absl::StrCat(prompt, "\n"));
    return;
  }
  const SubprocessResult result =
      workplace().Run("sample", {Checkpoint(), cut});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("--prompt: not UTF-8"));
}

TEST_P(MixedScriptsTest, WhatTrainingRecordsIsUtf8OnAnyNumberOfWorkers) {
  const std::string run_dir = absl::StrCat("early-", GetParam());
  const std::vector<std::string> flags =
      Flags(GetParam(), {"--max_steps=12", "--sample_every=1"});
  const auto train = [&](const std::string& program,
                         std::vector<std::string> more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    Run(program, more);
  };
  train("train", {absl::StrCat("--run_dir=", run_dir)});
  for (const char* name : {"samples.txt", "metrics.jsonl", "report.html"}) {
    const std::string text = workplace().Read(absl::StrCat(run_dir, "/", name));
    EXPECT_GT(Characters(text), 0) << name;
    // A model that has learnt nothing writes bytes that mean nothing.
    if (name == absl::string_view("samples.txt") && OfBytes()) {
      EXPECT_THAT(text, HasSubstr(u8"\ufffd"));
    }
  }
  const std::string dist_dir = absl::StrCat(run_dir, "-dist");
  train("train_dist",
        {absl::StrCat("--run_dir=", dist_dir), "--nproc_per_node=3"});
  ExpectSameOutcome(RunOutcome(workplace(), dist_dir),
                    RunOutcome(workplace(), run_dir));
}

TEST_P(MixedScriptsTest, AModelIsTheSameInEveryFormat) {
  const std::string run = GetParam();
  const json evaluation = Evaluate(run);
  const std::string text = Run("sample", {Checkpoint()});
  for (const char* extension : {".pt", ".safetensors"}) {
    const std::string model = absl::StrCat(run, extension);
    Run("export", {Checkpoint(), absl::StrCat("--output=", model)});
    EXPECT_EQ(Evaluate(model), evaluation);
    EXPECT_EQ(Run("sample", {absl::StrCat("--checkpoint=", model)}), text);

    const std::string next_run = absl::StrCat(run, extension, "-next");
    std::vector<std::string> flags = {absl::StrCat("--init_from=", model),
                                      "--data_path=text.txt",
                                      absl::StrCat("--run_dir=", next_run),
                                      "--batch_size=16",
                                      "--seq_len=32",
                                      "--num_epochs=1"};
    Run("train", flags);
    // It goes on from what was learnt.
    EXPECT_LT(Evaluate(next_run)["bpb"], 1.2 * evaluation["bpb"].get<double>());
    flags.push_back(absl::StrCat("--encoding=", OfBytes() ? "utf8" : "bytes"));
    const SubprocessResult other = workplace().Run("train", flags);
    EXPECT_EQ(other.exit_code, 2);
    EXPECT_THAT(other.stderr_text, HasSubstr("--encoding="));
    EXPECT_THAT(other.stderr_text, EndsWith("leave the flag out\n"));
  }
}

TEST_P(MixedScriptsTest, BitsPerByteAreThoseOfTheText) {
  const std::string text = MixedText();
  const json found = Evaluate(GetParam());
  const auto chars = found["chars"].get<double>();
  const auto bytes = found["bytes"].get<double>();
  const auto bits = found["bpb"].get<double>();
  EXPECT_NEAR(bits, found["bpc"].get<double>() * chars / bytes, 1e-12);
  // All but the first character and, at most, a chunk at the end.
  const auto size = static_cast<double>(text.size());
  EXPECT_LT(bytes, size);
  EXPECT_GE(bytes, size - 4 * (1 + 31));
  const double symbols =
      OfBytes() ? size : static_cast<double>(Characters(text));
  EXPECT_LT(chars, symbols);
  EXPECT_GE(chars, symbols - (1 + 31));
  // Either model has learnt the words, and knows nothing of their order.
  const double entropy = kBitsPerWord * kNumWords / size;
  EXPECT_GT(bits, 0.95 * entropy);
  EXPECT_LT(bits, 1.6 * entropy);
}

INSTANTIATE_TEST_SUITE_P(Encodings, MixedScriptsTest,
                         testing::Values("utf8", "bytes"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace charrnn
