#include "cmd/run_config.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "cmd/preset.h"
#include "cmd/training_flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/kernels/arithmetic.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

// As train_dist has them.
ABSL_FLAG(std::string, nproc_per_node, "auto", "Workers on this host.");
ABSL_FLAG(std::string, collective_timeout, "10s", "How long they wait.");

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunConfigTest : public testing::Test {
 protected:
  RunConfigTest() { Set("data_path", Text("a.txt", Words("be"))); }

  // Long enough for every default.
  static std::string Words(const std::string& last) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += "to be or not to ";
    return text + last;
  }

  std::string Text(const std::string& name, const std::string& text) {
    std::string path = folder_.File(name);
    EXPECT_THAT(WriteFileAtomically(*FileSystem::Real(), path, text), IsOk());
    return path;
  }

  static void Set(absl::string_view name, const std::string& value) {
    std::string error;
    ASSERT_TRUE(absl::FindCommandLineFlag(name)->ParseFrom(value, &error))
        << error;
  }
  static std::string Get(absl::string_view name) {
    return absl::FindCommandLineFlag(name)->CurrentValue();
  }

  // What the flags ask for as they are now.
  static TrainingRequest Request() {
    return *TrainingRequestFromFlags(*FileSystem::Real(), {"data_path"});
  }
  static std::string Config() {
    return RunConfigJson(Request(), {"data_path"}, "cpu");
  }

  // Compares the run of `config` with the flags as they are now.
  static absl::StatusOr<std::vector<std::string>> Compare(
      const std::string& config, bool allow_changes = false) {
    return CompareWithRun(config, Request(), "cpu", allow_changes);
  }

  const absl::FlagSaver saver_;
  const TempDirectory folder_;
};

TEST_F(RunConfigTest, SaysWhatWasAskedAndWhatItCameTo) {
  const nlohmann::json config = nlohmann::json::parse(Config(), nullptr, false);
  ASSERT_TRUE(config.is_object());
  EXPECT_EQ(config["corpus"]["chars"], 48002);
  EXPECT_EQ(config["flags"]["seq_len"], "128");
  EXPECT_EQ(config["training"]["seq_len"], 128);
  EXPECT_EQ(config["model"]["vocab_size"], 7);
  EXPECT_EQ(config["device"], "cpu");
  EXPECT_EQ(config["typed"], nlohmann::json::array({"data_path"}));
}

TEST_F(RunConfigTest, APathThatIsNotUtf8IsNoObstacle) {
  Set("data_path", Text("caf\xe9.txt", Words("be")));
  EXPECT_THAT(Config(), HasSubstr(u8"caf\ufffd.txt"));
}

TEST_F(RunConfigTest, WhatIsNotTypedIsAsItWas) {
  Set("hidden_dim", "64");
  Set("num_epochs", "7");
  const std::string config =
      RunConfigJson(Request(), {"data_path", "hidden_dim", "resume"}, "cpu");
  Set("hidden_dim", "256");
  Set("num_epochs", "9");
  std::set<std::string> typed = {"num_epochs"};
  ASSERT_THAT(TakeOverFlags(config, typed), IsOk());
  EXPECT_EQ(Get("hidden_dim"), "64");
  EXPECT_EQ(Get("num_epochs"), "9");
  EXPECT_THAT(
      typed, ElementsAre("data_path", "hidden_dim", "num_epochs", "precision"));
}

TEST_F(RunConfigTest,
       APresetDoesNotChangeTheRunsPrecisionWhereTheCpuIsAnother) {
  const std::string config = RunConfigJson(Request(), {"preset"}, "cpu");
  Set("preset", "best");
  std::set<std::string> typed = {"preset"};
  ASSERT_THAT(TakeOverFlags(config, typed), IsOk());
  EXPECT_THAT(ApplyPreset(typed), IsOk());
  EXPECT_EQ(Get("precision"), "fp32");
}

TEST_F(RunConfigTest, ABrokenOneIsAnError) {
  std::set<std::string> typed;
  for (const char* text :
       {"", "{", "[]", "{}", "null",
        "{\"corpus\":{},\"model\":{},\"training\":{}}",
        "{\"corpus\":{},\"model\":{},\"training\":{},\"flags\":1}",
        "{\"corpus\":{},\"model\":{},\"training\":{},"
        "\"flags\":{\"sail\":\"1\"}}",
        "{\"corpus\":{},\"model\":{},\"training\":{},"
        "\"flags\":{\"hidden_dim\":\"wide\"}}"}) {
    EXPECT_THAT(TakeOverFlags(text, typed),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
  EXPECT_THAT(Compare("{}"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(RunConfigTest, WithoutAChangeThereIsNothingToSay) {
  EXPECT_THAT(Compare(Config()), IsOkAndHolds(IsEmpty()));
}

TEST_F(RunConfigTest, WhatNoNumberDependsOnMayChange) {
  const std::string config = Config();
  for (const char* flag :
       {"num_epochs", "max_steps", "log_every", "sample_every", "save_every",
        "keep_checkpoints", "temperature", "top_k"}) {
    Set(flag, "1");
  }
  EXPECT_THAT(Compare(config), IsOkAndHolds(IsEmpty()));
}

TEST_F(RunConfigTest, WhatNumbersDependOnIsRefusedOrSaid) {
  for (const char* flag :
       {"seq_len", "learning_rate", "grad_clip", "val_fraction", "overlap_step",
        "seed", "grains", "warmup_steps", "dropout"}) {
    const absl::FlagSaver saver;
    const std::string config = Config();
    const std::string value = absl::string_view(flag) == "dropout" ||
                                      absl::string_view(flag) == "val_fraction"
                                  ? "0.5"
                                  : "3";
    Set(flag, value);
    EXPECT_THAT(Compare(config),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr(absl::StrCat("--", flag, "=", value))));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto notes, Compare(config, true));
    EXPECT_THAT(notes,
                testing::Contains(HasSubstr(absl::StrCat("--", flag, " is "))));
  }
}

TEST_F(RunConfigTest, MoreEpochsChangeASchedule) {
  Set("lr_schedule", "cosine");
  const std::string config = Config();
  Set("num_epochs", "9");
  EXPECT_THAT(Compare(config),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("--num_epochs=9: the run to resume has 5")));
}

TEST_F(RunConfigTest, AnotherTextIsNoticed) {
  const std::string config = Config();
  Text("a.txt", Words("bo"));
  EXPECT_THAT(Compare(config),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("is not the text of the run")));
  EXPECT_THAT(Compare(config, true),
              IsOkAndHolds(ElementsAre(HasSubstr("which is another one"))));
  // The same text elsewhere is the same text.
  Set("data_path", Text("b.txt", Words("be")));
  EXPECT_THAT(Compare(config), IsOkAndHolds(IsEmpty()));
}

TEST_F(RunConfigTest, KernelsWithOtherBitsAreSaid) {
  Set("isa", "portable");
  const std::string config = Config();
  EXPECT_THAT(Compare(config), IsOkAndHolds(IsEmpty()));
  if (BestIsa() == Isa::kPortable) {
    GTEST_SKIP() << "this CPU has no other instruction set";
  }
  Set("isa", "avx2");
  EXPECT_THAT(Compare(config),
              IsOkAndHolds(ElementsAre(HasSubstr("the bits of avx from here "
                                                 "on, no longer those of "
                                                 "portable"))));
  const std::string vectors = Config();
  Set("isa", "auto");
  EXPECT_THAT(Compare(vectors), IsOkAndHolds(IsEmpty()));
}

TEST_F(RunConfigTest, AmxHasItsOwnBitsInBf16Alone) {
  if (BestIsa() != Isa::kAmxBf16) GTEST_SKIP() << "this CPU has no AMX";
  Set("isa", "avx512_bf16");
  const std::string fp32 = Config();
  Set("precision", "bf16");
  const std::string bf16 = Config();
  Set("isa", "auto");
  EXPECT_THAT(Compare(bf16), IsOkAndHolds(ElementsAre(HasSubstr(
                                 "the bits of amx from here on, no longer "
                                 "those of avx"))));
  Set("precision", "fp32");
  EXPECT_THAT(Compare(fp32), IsOkAndHolds(IsEmpty()));
}

TEST_F(RunConfigTest, WhatCpusHaveAndPresetsSayIsNotTakenOver) {
  Set("isa", "portable");
  Set("preset", "quick");
  const std::string config = Config();
  Set("isa", "auto");
  Set("preset", "");
  std::set<std::string> typed;
  ASSERT_THAT(TakeOverFlags(config, typed), IsOk());
  EXPECT_EQ(absl::FindCommandLineFlag("isa")->CurrentValue(), "auto");
  EXPECT_EQ(absl::FindCommandLineFlag("preset")->CurrentValue(), "");
}

TEST_F(RunConfigTest, AnotherReductionIsSaid) {
  const std::string config = Config();
  EXPECT_THAT(config, HasSubstr("\"reduction\": \"invariant\""));
  Set("reduction", "invariant");  // what auto came to
  EXPECT_THAT(Compare(config), IsOkAndHolds(IsEmpty()));
  Set("reduction", "overlap");
  EXPECT_THAT(Config(), HasSubstr("\"reduction\": \"overlap\""));
  EXPECT_THAT(Compare(config),
              IsOkAndHolds(ElementsAre(
                  HasSubstr("--reduction=overlap, no longer invariant"))));
}

TEST_F(RunConfigTest, OtherKernelsAreSaid) {
  const std::string config = Config();
  Set("kernels", "libtorch");
  EXPECT_THAT(Compare(config), IsOkAndHolds(ElementsAre(HasSubstr(
                                   "--kernels is libtorch from here on"))));
}

TEST_F(RunConfigTest, AnotherPrecisionIsMeantOrRefused) {
  const std::string config = Config();
  Set("precision", "bf16");
  EXPECT_THAT(Compare(config),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("--precision=bf16: the run to resume has fp32"
                                 ", and its numbers depend on it")));
  EXPECT_THAT(Compare(config, /*allow_changes=*/true),
              IsOkAndHolds(ElementsAre(
                  HasSubstr("--precision is bf16 from here on; it was fp32"))));
}

TEST_F(RunConfigTest, WhichHostsTrainIsNoPartOfARun) {
  Set("nproc_per_node", "7");
  Set("collective_timeout", "9s");
  const std::string text = RunConfigJson(
      Request(), {"data_path", "collective_timeout", "nproc_per_node"}, "cpu");
  const nlohmann::json config = nlohmann::json::parse(text);
  EXPECT_EQ(config["typed"], nlohmann::json::array({"data_path"}));
  for (const char* flag : {"nproc_per_node", "collective_timeout"}) {
    EXPECT_FALSE(config["flags"].contains(flag)) << flag;
  }
  Set("nproc_per_node", "2");
  std::set<std::string> typed;
  ASSERT_THAT(TakeOverFlags(text, typed), IsOk());
  EXPECT_EQ(Get("nproc_per_node"), "2");
}

TEST_F(RunConfigTest, AnotherDeviceIsSaid) {
  EXPECT_THAT(CompareWithRun(Config(), Request(), "cuda:0", false),
              IsOkAndHolds(ElementsAre(HasSubstr("--reduction=overlap"),
                                       HasSubstr("cuda:0, no longer on"))));
}

}  // namespace
}  // namespace charrnn
