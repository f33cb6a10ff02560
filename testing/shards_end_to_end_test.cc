// `train` and `evaluate` on a shard set, as a user runs them: the same as on
// the text that it was made of, and a clear word where the set is not whole.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/mistakes.h"
#include "testing/run_outcome.h"
#include "testing/shard_set.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string LastLine(absl::string_view text) {
  const std::vector<std::string> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  return lines.empty() ? "" : lines.back();
}

// Of several scripts, so that ids have one byte and characters one to four.
std::string MixedText() {
  std::string text;
  for (int i = 0; i < 80; ++i) {
    absl::StrAppend(&text, PlainText(3), "Ночь, ", i, "\n中文 \U0001F600 é\n");
  }
  return text;
}

class ShardsEndToEndTest : public testing::Test {
 protected:
  ShardsEndToEndTest() {
    workplace_.Write("text.txt", MixedText());
    WriteShardSet(workplace_.Path("set"), MixedText());
  }

  // Small enough to be trained within a second.
  static std::vector<std::string> Flags(std::vector<std::string> more) {
    std::vector<std::string> flags = {"--embedding_dim=8", "--hidden_dim=16",
                                      "--batch_size=16",   "--seq_len=16",
                                      "--num_epochs=2",    "--max_generate=20",
                                      "--log_every=1"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }

  SubprocessResult Run(absl::string_view program,
                       std::vector<std::string> flags) const {
    SubprocessResult result = workplace_.Run(program, std::move(flags));
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    return result;
  }

  void Train(std::vector<std::string> more) const {
    Run("train", Flags(std::move(more)));
  }

  std::string Evaluate(std::vector<std::string> more) const {
    more.insert(more.begin(), {"--json", "--checkpoint=run"});
    return Run("evaluate", std::move(more)).stdout_text;
  }

  // The shards of the set in `folder`, in their order.
  std::vector<std::string> NamesOfShards(absl::string_view folder) const {
    std::vector<std::string> names;
    for (const std::string& name : workplace_.List()) {
      if (absl::StartsWith(name, absl::StrCat(folder, "/shard-"))) {
        names.push_back(name);
      }
    }
    return names;
  }

  const Workplace workplace_;
};

TEST_F(ShardsEndToEndTest, TrainingIsTheSameToTheByteAsFromTheText) {
  Train({"--data_path=text.txt", "--run_dir=text"});
  Train({"--data_path=set", "--run_dir=set_run"});
  const auto expected = RunOutcome(workplace_, "text");
  ExpectSameOutcome(RunOutcome(workplace_, "set_run"), expected);
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_EQ(workplace_.Read(absl::StrCat("set_run/latest/", file)),
              workplace_.Read(absl::StrCat("text/latest/", file)))
        << file;
  }
}

TEST_F(ShardsEndToEndTest, BytesAreTheSameToTheByteToo) {
  ShardSetOptions options;
  options.encoding = Encoding::kBytes;
  WriteShardSet(workplace_.Path("bytes"), MixedText(), options);
  Train({"--data_path=text.txt", "--encoding=bytes", "--run_dir=text"});
  Train({"--data_path=bytes", "--run_dir=set_run"});
  ExpectSameOutcome(RunOutcome(workplace_, "set_run"),
                    RunOutcome(workplace_, "text"));
  EXPECT_THAT(workplace_.Read("set_run/config.json"),
              HasSubstr("\"encoding\": \"bytes\""));
}

TEST_F(ShardsEndToEndTest, EvaluationGivesTheSameNumberAsFromTheText) {
  Train({"--data_path=text.txt", "--run_dir=run"});
  for (const char* part : {"--part=validation", "--part=all"}) {
    EXPECT_EQ(Evaluate({"--data_path=set", part}),
              Evaluate({"--data_path=text.txt", part}));
  }
}

// The parts are the set's, and the model knows them: also in a notebook's file.
TEST_F(ShardsEndToEndTest, TheTextHasTheTestPartThatItsShardsHad) {
  ShardSetOptions options;
  options.fractions = {0.1, 0.2};
  WriteShardSet(workplace_.Path("parts"), MixedText(), options);
  Train({"--data_path=parts", "--run_dir=run", "--save_path=best.pt"});
  for (const char* part : {"--part=validation", "--part=test", "--part=all"}) {
    const std::string of_set = Evaluate({"--data_path=parts", part});
    EXPECT_EQ(Evaluate({"--data_path=text.txt", part}), of_set) << part;
    EXPECT_EQ(Evaluate({"--data_path=text.txt", part, "--checkpoint=best.pt"}),
              of_set)
        << part;
  }
}

TEST_F(ShardsEndToEndTest, BitsPerByteAreNotClaimedWhereACharacterStandsIn) {
  WriteShardSet(workplace_.Path("rare"), MixedText() + u8"\ufffd");
  Train({"--data_path=rare", "--run_dir=run", "--max_steps=1"});
  EXPECT_THAT(Evaluate({"--data_path=rare"}),
              AllOf(HasSubstr("\"bpb\":null,"), HasSubstr("\"bytes\":null}")));
  EXPECT_THAT(
      Run("evaluate", {"--data_path=rare", "--checkpoint=run"}).stdout_text,
      HasSubstr(", ? bits per byte, "));
  EXPECT_THAT(workplace_.Read("run/metrics.jsonl"), HasSubstr("\"bpb\":null,"));
}

TEST_F(ShardsEndToEndTest, TheTestPartIsNeitherTrainedOnNorValidated) {
  ShardSetOptions options;
  options.fractions = {0.1, 0.1};
  options.shard_bytes = 100;
  WriteShardSet(workplace_.Path("parts"), MixedText(), options);
  Run("train", Flags({"--data_path=parts", "--run_dir=run"}));
  const std::string whole = Evaluate({"--data_path=parts", "--part=test"});
  EXPECT_THAT(whole, HasSubstr("\"chars\":"));
  EXPECT_NE(whole, Evaluate({"--data_path=parts"}));

  // Whoever reads of the last tenth fails from here on.
  ASSERT_TRUE(
      std::filesystem::remove(workplace_.Path(NamesOfShards("parts").back())));
  Train({"--data_path=parts", "--run_dir=again"});
  EXPECT_EQ(workplace_.Read("again/latest/model.safetensors"),
            workplace_.Read("run/latest/model.safetensors"));
  Evaluate({"--data_path=parts"});
  const SubprocessResult test = workplace_.Run(
      "evaluate", {"--checkpoint=run", "--data_path=parts", "--part=test"});
  EXPECT_EQ(test.exit_code, 2);
  EXPECT_THAT(test.stderr_text, HasSubstr("this host lacks shard-"));
}

// A run goes from the text to its shards and back, as if nothing had happened.
TEST_F(ShardsEndToEndTest, ARunGoesOnFromTheShardsOfItsText) {
  Train({"--data_path=text.txt", "--run_dir=whole"});
  Train({"--data_path=text.txt", "--run_dir=run", "--max_steps=5"});
  Train({"--data_path=set", "--run_dir=run", "--resume", "--max_steps=10"});
  Train({"--data_path=text.txt", "--run_dir=run", "--resume", "--max_steps=0"});
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_EQ(workplace_.Read(absl::StrCat("run/latest/", file)),
              workplace_.Read(absl::StrCat("whole/latest/", file)))
        << file;
  }
}

// The split is the set's, and stays the run's.
TEST_F(ShardsEndToEndTest, ARunGoesOnFromTheTextOfItsShards) {
  ShardSetOptions options;
  options.fractions = {0.2};
  WriteShardSet(workplace_.Path("fifth"), MixedText(), options);
  Train({"--data_path=fifth", "--run_dir=run", "--max_steps=5"});
  Train({"--data_path=text.txt", "--run_dir=run", "--resume", "--max_steps=0"});
  Train({"--data_path=text.txt", "--val_fraction=0.2", "--run_dir=whole"});
  EXPECT_EQ(workplace_.Read("run/latest/model.safetensors"),
            workplace_.Read("whole/latest/model.safetensors"));
}

TEST_F(ShardsEndToEndTest, ARunThatGoesOnFromTheTextKeepsOffTheTestPart) {
  ShardSetOptions options;
  options.fractions = {0.1, 0.2};
  WriteShardSet(workplace_.Path("parts"), MixedText(), options);
  Train({"--data_path=parts", "--run_dir=whole"});
  Train({"--data_path=parts", "--run_dir=run", "--max_steps=5"});
  Train({"--data_path=text.txt", "--run_dir=run", "--resume", "--max_steps=0"});
  EXPECT_EQ(workplace_.Read("run/latest/model.safetensors"),
            workplace_.Read("whole/latest/model.safetensors"));
}

TEST_F(ShardsEndToEndTest, ARunDoesNotGoOnWithOtherShards) {
  Train({"--data_path=set", "--run_dir=run", "--max_steps=5"});
  std::string text = MixedText();
  std::swap(text[0], text[1]);
  std::filesystem::remove_all(workplace_.Path("set"));
  WriteShardSet(workplace_.Path("set"), text);
  const std::string metrics = workplace_.Read("run/metrics.jsonl");
  const SubprocessResult result =
      workplace_.Run("train", {"--run_dir=run", "--resume", "--max_steps=10"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text,
              HasSubstr("is not the text of the run to resume"));
  EXPECT_EQ(workplace_.Read("run/metrics.jsonl"), metrics);
  EXPECT_EQ(workplace_.Checkpoints("run").back(), "step-00000005");
}

// Nobody reads all of a corpus before the first step.
TEST_F(ShardsEndToEndTest, DamageThatIsComeUponEndsAProgramWithOneLine) {
  Train({"--data_path=set", "--run_dir=run", "--max_steps=1"});
  // In the validation part, which is read at the end of the first epoch.
  const std::string last = NamesOfShards("set").back();
  std::string bytes = workplace_.Read(last);
  bytes[bytes.size() - 60] ^= 1;
  workplace_.Write(last, bytes);
  const auto expect_told = [&](const char* program,
                               std::vector<std::string> flags) {
    const SubprocessResult result = workplace_.Run(program, std::move(flags));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.stdout_text, "");
    EXPECT_THAT(LastLine(result.stderr_text),
                AllOf(StartsWith(absl::StrCat(program, ": ")), HasSubstr(last),
                      HasSubstr("is damaged"), EndsWith("prepare it again")));
    EXPECT_EQ(workplace_.Read(last), bytes);
  };
  expect_told("train", Flags({"--data_path=set", "--run_dir=other"}));
  expect_told("evaluate", {"--data_path=set", "--checkpoint=run"});
}

// Sets for ExpectRefused(), whose texts are GoodText().
void MakeSet(const Workplace& workplace) {
  ShardSetOptions options;
  options.shard_bytes = 400;
  WriteShardSet(workplace.Path("set"), GoodText(), options);
}

void Flip(const Workplace& workplace, const char* name, size_t at) {
  std::string bytes = workplace.Read(name);
  bytes[at] ^= 1;
  workplace.Write(name, bytes);
}

void Swap(const Workplace& workplace) {
  const std::string first = workplace.Read("set/shard-00000.ids");
  workplace.Write("set/shard-00000.ids", workplace.Read("set/shard-00001.ids"));
  workplace.Write("set/shard-00001.ids", first);
}

// Another set's shard of the same place and size.
void TakeFromAnother(const Workplace& workplace) {
  std::string text = GoodText();
  std::swap(text[0], text[1]);
  ShardSetOptions options;
  options.shard_bytes = 400;
  WriteShardSet(workplace.Path("other"), text, options);
  workplace.Write("set/shard-00000.ids",
                  workplace.Read("other/shard-00000.ids"));
}

// A manifest under its own checksum, with one thing changed.
void Lie(const Workplace& workplace, const char* truth, const char* lie) {
  std::string text = workplace.Read("set/manifest.json");
  text.resize(text.rfind(",\"crc32c\""));
  text = absl::StrReplaceAll(text, {{truth, lie}});
  workplace.Write("set/manifest.json",
                  absl::StrCat(text, absl::StrFormat(",\"crc32c\":\"%08x\"}\n",
                                                     Crc32c(text))));
}

// One way to spoil a set, and what is said of it.
struct Damage {
  std::function<void(const Workplace&)> spoil;
  std::vector<std::string> told;
};

std::vector<Damage> EveryDamage() {
  return {
      {[](const Workplace& w) {
         std::filesystem::remove(w.Path("set/shard-00001.ids"));
       },
       {"set: ", "lacks shard-00001.ids"}},
      {[](const Workplace& w) {
         std::filesystem::resize_file(w.Path("set/shard-00001.ids"), 300);
       },
       {"set/shard-00001.ids: has 300 bytes"}},
      {[](const Workplace& w) {
         w.Write("set/shard-00001.ids", w.Read("set/shard-00001.ids") + "more");
       },
       {"set/shard-00001.ids: has ", "cut off, or of another set"}},
      {[](const Workplace& w) { Flip(w, "set/manifest.json", 100); },
       {"set: manifest.json: its bytes are not those"}},
      {[](const Workplace& w) { w.Write("set/manifest.json", ""); },
       {"set: manifest.json: its bytes are not those"}},
      {[](const Workplace& w) {
         std::filesystem::remove(w.Path("set/manifest.json"));
       },
       {"set: has no manifest.json", "has not finished it"}},
      {[](const Workplace& w) { Lie(w, "shards.1", "shards.2"); },
       {"set: manifest.json: its format is 'charrnn.shards.2'"}},
      {[](const Workplace& w) { Lie(w, "\"ids\":400,", "\"ids\":399,"); },
       {"set: manifest.json: ", "and its shards have"}},
      {[](const Workplace& w) { Lie(w, "\"id_bytes\":1", "\"id_bytes\":4"); },
       {"set: manifest.json: it says that an id has 4 bytes"}},
      {[](const Workplace& w) {
         Lie(w, "\"val_fraction\":0.05", "\"val_fraction\":0.5");
       },
       {"set: manifest.json: it splits "}},
      {[](const Workplace& w) { Flip(w, "set/shard-00000.ids", 401); },
       {"set/shard-00000.ids: its end is damaged"}},
      {Swap, {"set/shard-00000.ids: is shard 1 of a set"}},
      {TakeFromAnother, {"set/shard-00000.ids: belongs to another set"}},
  };
}

TEST(ShardsBadInputTest, ASetThatIsNotWholeIsRefused) {
  std::vector<Mistake> mistakes;
  for (const Damage& damage : EveryDamage()) {
    for (const char* program : {"train", "evaluate"}) {
      Mistake mistake = {program, {"--data_path=set"}, damage.told};
      if (program == std::string("evaluate")) {
        mistake.arguments.push_back("--part=all");
      }
      mistake.told.push_back("--data_path: ");
      mistake.prepare = [spoil = damage.spoil](const Workplace& workplace) {
        MakeSet(workplace);
        spoil(workplace);
      };
      mistakes.push_back(mistake);
    }
  }
  ExpectRefused(mistakes);
}

TEST(ShardsBadInputTest, FlagsThatContradictTheSetAreRefused) {
  ExpectRefused({
      {"train",
       {"--data_path=set", "--val_fraction=0.1"},
       {"--val_fraction=0.1: ", "set was prepared with 0.05",
        "leave the flag out"},
       {},
       MakeSet},
      {"train",
       {"--data_path=set", "--encoding=bytes"},
       {"--encoding=bytes: ", "set was prepared with utf8",
        "leave the flag out"},
       {},
       MakeSet},
      {"evaluate",
       {"--data_path=set", "--part=test"},
       {"--part=test: ", "set has no test part", "prepare --test_fraction"},
       {},
       MakeSet},
      {"evaluate",
       {"--part=test"},
       {"--part=test: ", "text.txt has no test part",
        "prepare --test_fraction"}},
      {"evaluate",
       {"--part=tset"},
       {"--part=tset: must be validation, test or all"}},
      {"train",
       {"--data_path=set/manifest.json"},
       {"--data_path: ", "set/manifest.json: is a file of a shard set",
        "name its folder, "},
       {},
       MakeSet},
      {"train",
       {"--data_path=texts"},
       {"--data_path: ", "texts: has no manifest.json", "prepare --output="},
       {{"texts/a.txt", "some text"}}},
      {"train",
       {"--data_path=set", "--init_from=model.safetensors"},
       {"--data_path: ", "set: its ids are those of another vocabulary",
        "prepare --vocab_from="},
       {},
       [](const Workplace& workplace) {
         WriteShardSet(workplace.Path("set"), GoodText() + "#");
       }},
  });
}

// The same values as the set's contradict nothing.
TEST_F(ShardsEndToEndTest, FlagsThatAgreeWithTheSetMayBeTyped) {
  Train({"--data_path=set", "--val_fraction=0.05", "--encoding=utf8",
         "--max_steps=1", "--run_dir=run"});
}

}  // namespace
}  // namespace charrnn
