// `train` as a user runs it, from the flags to the files.

#include <signal.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/small_disk.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using nlohmann::json;
using testing::AnyOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::Ge;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;

constexpr char kBest[] = "run/best/model.safetensors";

// The lines of a run's metrics.jsonl that tell of `event`; all if it is empty.
std::vector<json> Metrics(const Workplace& workplace,
                          const std::string& event = "") {
  std::vector<json> lines;
  for (const absl::string_view line : absl::StrSplit(
           workplace.Read("run/metrics.jsonl"), '\n', absl::SkipEmpty())) {
    lines.push_back(json::parse(std::string(line), nullptr, false));
    EXPECT_TRUE(lines.back().is_object()) << line;
    if (!event.empty() && lines.back()["event"] != event) lines.pop_back();
  }
  return lines;
}

// One field of each event.
template <typename T>
std::vector<T> Field(const std::vector<json>& events, const char* name) {
  std::vector<T> values;
  for (const json& event : events) values.push_back(event[name].get<T>());
  return values;
}

std::set<std::string> Keys(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

class TrainingEndToEndTest : public testing::Test {
 protected:
  TrainingEndToEndTest() { workplace_.Write("text.txt", PlainText(100)); }

  // Small enough to be trained within a second: 12 steps an epoch.
  static std::vector<std::string> Flags(std::vector<std::string> more = {}) {
    std::vector<std::string> flags = {
        "--data_path=text.txt", "--run_dir=run",    "--embedding_dim=8",
        "--hidden_dim=16",      "--batch_size=16",  "--seq_len=16",
        "--num_epochs=2",       "--max_generate=20"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }

  void Train(std::vector<std::string> more = {}) const {
    const SubprocessResult result =
        workplace_.Run("train", Flags(std::move(more)));
    ASSERT_EQ(result.exit_code, 0) << result.stderr_text;
    EXPECT_EQ(result.stdout_text, "");
  }

  // The best model after training with the given flags in a run of its own.
  std::string Model(std::vector<std::string> more = {}) const {
    std::filesystem::remove_all(workplace_.Path("run"));
    Train(std::move(more));
    return workplace_.Read(kBest);
  }

  // The committed checkpoints' folders, oldest first.
  std::vector<std::string> Checkpoints() const {
    std::vector<std::string> names;
    for (const std::string& name : workplace_.List()) {
      // Written last; what was not finished has another folder's name.
      if (absl::EndsWith(name, "/MANIFEST.json") &&
          !absl::StrContains(name, ".unfinished")) {
        names.push_back(std::filesystem::path(name).parent_path().filename());
      }
    }
    return names;
  }

  const Workplace workplace_;
};

TEST_F(TrainingEndToEndTest, ARunsFolderHoldsWhatIsPromised) {
  Train({"--log_every=5", "--sample_every=10"});
  EXPECT_THAT(workplace_.List(),
              ElementsAre("run/.lock", "run/best",
                          "run/checkpoints/step-00000012/MANIFEST.json",
                          "run/checkpoints/step-00000012/model.safetensors",
                          "run/checkpoints/step-00000012/optimizer.safetensors",
                          "run/checkpoints/step-00000012/trainer.json",
                          "run/checkpoints/step-00000024/MANIFEST.json",
                          "run/checkpoints/step-00000024/model.safetensors",
                          "run/checkpoints/step-00000024/optimizer.safetensors",
                          "run/checkpoints/step-00000024/trainer.json",
                          "run/config.json",
                          MatchesRegex("run/events\\.out\\.tfevents\\..*"),
                          "run/latest", "run/metrics.jsonl", "run/report.html",
                          "run/samples.txt", "text.txt"));
  const auto snapshot = workplace_.Snapshot();
  EXPECT_EQ(snapshot.at("run/latest"), "checkpoints/step-00000024");
  EXPECT_EQ(snapshot.at("run/best"), "checkpoints/step-00000024");
  EXPECT_THAT(snapshot.at("run/samples.txt"), HasSubstr("==== step 20, loss "));
  EXPECT_THAT(snapshot.at("run/report.html"), HasSubstr("<svg"));
  const json config =
      json::parse(snapshot.at("run/config.json"), nullptr, false);
  EXPECT_THAT(Keys(config), IsSupersetOf({"version", "corpus", "model",
                                          "training", "sampling", "flags"}));
  EXPECT_EQ(config["flags"]["hidden_dim"], "16");
  EXPECT_EQ(config["training"]["num_epochs"], 2);
}

TEST_F(TrainingEndToEndTest, MetricsTellEveryReportOnceAndInOrder) {
  Train({"--log_every=5", "--save_every=10"});
  const std::vector<json> train = Metrics(workplace_, "train");
  EXPECT_THAT(Field<int>(train, "step"), ElementsAre(5, 10, 15, 20, 24));
  EXPECT_THAT(Field<int>(train, "epoch"), ElementsAre(1, 1, 2, 2, 2));
  for (const json& event : train) {
    EXPECT_THAT(Keys(event),
                ElementsAre("bpc", "chars_per_s", "epoch", "event", "grad_norm",
                            "loss", "lr", "step", "wall_s"));
    EXPECT_EQ(event["lr"], 2e-3);
    EXPECT_GT(event["chars_per_s"], 0);
    EXPECT_GT(event["grad_norm"], 0);
  }
  const std::vector<json> validation = Metrics(workplace_, "validation");
  EXPECT_THAT(Field<int>(validation, "step"), ElementsAre(12, 24));
  EXPECT_THAT(Field<int>(validation, "epoch"), ElementsAre(1, 2));
  for (const json& event : validation) {
    EXPECT_THAT(Keys(event), ElementsAre("bpb", "bpc", "bytes", "chars",
                                         "epoch", "event", "loss", "step"));
    EXPECT_NEAR(event["bpc"].get<double>(),
                event["loss"].get<double>() / std::log(2.0), 1e-12);
  }
  EXPECT_THAT(Field<int>(Metrics(workplace_, "checkpoint"), "step"),
              ElementsAre(10, 12, 20, 24));
  const std::vector<json> all = Metrics(workplace_);
  EXPECT_EQ(all.back()["event"], "end");
  EXPECT_EQ(all.back()["reason"], "finished");
  EXPECT_EQ(all.back()["step"], 24);
}

TEST_F(TrainingEndToEndTest, KeepsTheNewestCheckpointsAndTheBest) {
  // The more is learnt of this text, the less expected is its end.
  std::string text;
  for (int i = 0; i < 1000; ++i) text += i < 950 ? "ab" : "cd";
  workplace_.Write("text.txt", text);
  Train({"--num_epochs=4", "--keep_checkpoints=2", "--save_every=1"});
  EXPECT_THAT(Field<int>(Metrics(workplace_, "validation"), "step"),
              ElementsAre(7, 14, 21, 28));
  EXPECT_EQ(workplace_.Snapshot().at("run/best"), "checkpoints/step-00000007");
  EXPECT_THAT(Checkpoints(),
              ElementsAre("step-00000007", "step-00000027", "step-00000028"));
}

TEST_F(TrainingEndToEndTest, TheBestModelIsExported) {
  Train({"--save_path=export.safetensors"});
  EXPECT_EQ(workplace_.Read("export.safetensors"), workplace_.Read(kBest));
}

TEST_F(TrainingEndToEndTest, TheBestModelIsExportedForTheNotebook) {
  Train({"--save_path=export.pt"});
  const auto run = [&](const char* program, std::vector<std::string> flags) {
    const SubprocessResult result = workplace_.Run(program, std::move(flags));
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    return result.stdout_text;
  };
  // There and back, byte for byte, and the same text from either.
  run("export", {"--checkpoint=export.pt", "--output=back.safetensors"});
  EXPECT_EQ(workplace_.Read("back.safetensors"), workplace_.Read(kBest));
  run("export", {"--checkpoint=run", "--output=again.pt"});
  EXPECT_EQ(workplace_.Read("again.pt"), workplace_.Read("export.pt"));
  EXPECT_EQ(run("sample", {"--checkpoint=export.pt"}),
            run("sample", {"--checkpoint=run"}));
  EXPECT_EQ(run("evaluate", {"--checkpoint=export.pt", "--data_path=text.txt"}),
            run("evaluate", {"--checkpoint=run", "--data_path=text.txt"}));
}

TEST_F(TrainingEndToEndTest, TheNotebooksModelIsTrainedOn) {
  const SubprocessResult result = workplace_.Run(
      "train", {absl::StrCat("--init_from=", RunfilePath("model/notebook/"
                                                         "testdata/"
                                                         "notebook_lstm.pt")),
                "--data_path=notes.txt", "--run_dir=run"});
  EXPECT_EQ(result.exit_code, 2);  // there is no such text
  std::string text;
  for (int i = 0; i < 200; ++i) text += "mild, grün\n";
  workplace_.Write("notes.txt", text);
  const SubprocessResult trained = workplace_.Run(
      "train", {absl::StrCat("--init_from=", RunfilePath("model/notebook/"
                                                         "testdata/"
                                                         "notebook_lstm.pt")),
                "--data_path=notes.txt", "--run_dir=run", "--max_steps=2",
                "--batch_size=4", "--seq_len=16"});
  EXPECT_EQ(trained.exit_code, 0) << trained.stderr_text;
  EXPECT_THAT(trained.stderr_text, HasSubstr("model    LSTM"));
}

TEST_F(TrainingEndToEndTest, EqualSeedsGiveEqualBytes) {
  const std::string model = Model();
  EXPECT_EQ(Model(), model);
  EXPECT_NE(Model({"--seed=43"}), model);
}

TEST_F(TrainingEndToEndTest, ThreadsDoNotChangeAByte) {
  for (const std::string type : {"GRU", "LSTM"}) {
    const auto model = [&](int threads) {
      return Model({absl::StrCat("--rnn_type=", type),
                    absl::StrCat("--threads=", threads), "--num_layers=2",
                    "--dropout=0.1", "--batch_size=100", "--max_steps=3"});
    };
    const std::string one = model(1);
    EXPECT_EQ(model(2), one) << type;
    EXPECT_EQ(model(3), one) << type;
  }
}

TEST_F(TrainingEndToEndTest, WhatWasTunedToASmallTextIsSaidAloud) {
  const SubprocessResult result = workplace_.Run(
      "train", Flags({"--seq_len=5000", "--batch_size=500", "--max_steps=1"}));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.stderr_text, HasSubstr("--seq_len=5000 lowered to "));
  EXPECT_THAT(result.stderr_text, HasSubstr("--batch_size=500 lowered to 1"));
}

TEST_F(TrainingEndToEndTest, PathsCountFromWhereTheUserIs) {
  const Workplace elsewhere;
  SubprocessOptions options =
      elsewhere.Here({"--data_path=text.txt", "--hidden_dim=4",
                      "--save_path=export.safetensors", "--max_steps=1"});
  options.environment = {{"BUILD_WORKING_DIRECTORY", workplace_.Path("")}};
  const SubprocessResult train = elsewhere.Run("train", options);
  EXPECT_EQ(train.exit_code, 0) << train.stderr_text;
  EXPECT_THAT(workplace_.List(),
              IsSupersetOf({"export.safetensors", "runs/latest"}));
  EXPECT_THAT(elsewhere.List(), ElementsAre());

  options.arguments = {"--max_generate=1"};  // from runs/latest
  const SubprocessResult sample = elsewhere.Run("sample", options);
  EXPECT_EQ(sample.exit_code, 0) << sample.stderr_text;
}

TEST_F(TrainingEndToEndTest, AKilledRunLeavesOnlyWholeCheckpoints) {
  // A save is under way or close when an epoch ends.
  for (const char* moment : {"epoch 1 validation", "epoch 4 validation"}) {
    std::filesystem::remove_all(workplace_.Path("run"));
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::unique_ptr<Subprocess> train,
        Subprocess::Start(
            RunfilePath("cmd/train"),
            workplace_.Here(Flags({"--save_every=1", "--num_epochs=100000"}))));
    ASSERT_THAT(train->WaitForOutput(moment), IsOk());
    train->Signal(SIGKILL);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult killed, train->Wait());
    EXPECT_EQ(killed.signal, SIGKILL);

    std::vector<std::string> checkpoints = {"run", "run/latest"};
    for (const std::string& name : Checkpoints()) {
      checkpoints.push_back(absl::StrCat("run/checkpoints/", name));
    }
    EXPECT_THAT(checkpoints, SizeIs(Ge(3)));
    for (const std::string& checkpoint : checkpoints) {
      const SubprocessResult sample = workplace_.Run(
          "sample",
          {absl::StrCat("--checkpoint=", checkpoint), "--max_generate=1"});
      EXPECT_EQ(sample.exit_code, 0) << sample.stderr_text;
    }
  }
}

TEST_F(TrainingEndToEndTest, AModelThatNoMemoryHoldsLeavesNoRunBehind) {
  // The limit, in KiB, is for machines that promise any amount of memory.
  SubprocessOptions options =
      workplace_.Here({"-c", "ulimit -v 16000000; exec \"$0\" \"$@\"",
                       RunfilePath("cmd/train")});
  for (const std::string& flag :
       Flags({"--hidden_dim=65536", "--num_layers=64"})) {
    options.arguments.push_back(flag);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("bash", options));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.stderr_text,
              MatchesRegex("train: [^\n]*out of memory[^\n]*--hidden_dim\n"));
  EXPECT_THAT(workplace_.List(), ElementsAre("text.txt"));
}

TEST_F(TrainingEndToEndTest, ClosedStandardStreamsSpoilNoFileOfTheRun) {
  SubprocessOptions options = workplace_.Here(
      {"-c", "\"$@\" <&- >&- 2>&-", "bash", RunfilePath("cmd/train")});
  for (const std::string& flag : Flags({"--log_every=5"})) {
    options.arguments.push_back(flag);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               RunSubprocess("bash", options));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(Metrics(workplace_, "train"), SizeIs(5));  // each line is JSON
  EXPECT_THAT(workplace_.Read("run/samples.txt"), Not(HasSubstr("chars/s")));
}

TEST_F(TrainingEndToEndTest, ALossThatIsNotFiniteEndsARunWithOneLine) {
  const SubprocessResult result = workplace_.Run(
      "train",
      Flags({"--learning_rate=1e37", "--grad_clip=0", "--save_every=1"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.stderr_text, HasSubstr("\ntrain: step 2: the "));
  EXPECT_THAT(result.stderr_text, HasSubstr("is not finite: lower "));
  EXPECT_THAT(result.stderr_text, EndsWith("the last checkpoint is kept\n"));
  EXPECT_THAT(Checkpoints(), ElementsAre("step-00000001"));
}

TEST_F(TrainingEndToEndTest, ASignalEndsARunWithACheckpoint) {
  Train({"--num_epochs=4", "--sample_every=3"});
  const std::string model = workplace_.Read("run/latest/model.safetensors");
  for (const int number : {SIGINT, SIGTERM}) {
    std::filesystem::remove_all(workplace_.Path("run"));
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::unique_ptr<Subprocess> train,
        Subprocess::Start(
            RunfilePath("cmd/train"),
            workplace_.Here(Flags({"--num_epochs=100000", "--sample_every=3",
                                   "--log_every=1"}))));
    ASSERT_THAT(train->WaitForOutput("step 7/"), IsOk());
    train->Signal(number);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult stopped, train->Wait());
    EXPECT_EQ(stopped.exit_code, 3);
    EXPECT_THAT(stopped.stderr_text, HasSubstr("\ntrain: stopping"));
    EXPECT_THAT(stopped.stderr_text,
                EndsWith("and saved: --resume goes on from there\n"));
    EXPECT_THAT(Checkpoints(), SizeIs(Ge(1)));
    EXPECT_EQ(Metrics(workplace_).back()["event"], "end");

    const SubprocessResult sample =
        workplace_.Run("sample", {"--checkpoint=run", "--max_generate=1"});
    EXPECT_EQ(sample.exit_code, 0) << sample.stderr_text;
    const int step = Metrics(workplace_, "checkpoint").back()["step"];
    if (step > 48) continue;  // a slow machine has learnt too much
    Train({"--num_epochs=4", "--sample_every=3", "--resume"});
    EXPECT_EQ(workplace_.Read("run/latest/model.safetensors"), model);
  }
}

TEST_F(TrainingEndToEndTest, ASecondSignalEndsARunAtOnce) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Subprocess> train,
      Subprocess::Start(
          RunfilePath("cmd/train"),
          // A text that takes far longer than any test.
          workplace_.Here(Flags({"--save_every=1", "--sample_every=2",
                                 "--max_generate=1000000000000"}))));
  ASSERT_THAT(train->WaitForOutput("run      run"), IsOk());
  train->Signal(SIGSTOP);
  train->Signal(SIGTERM);
  train->Signal(SIGINT);
  train->Signal(SIGCONT);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult killed, train->Wait());
  EXPECT_THAT(killed.signal, AnyOf(SIGTERM, SIGINT));
  for (const std::string& name : Checkpoints()) {
    const SubprocessResult sample = workplace_.Run(
        "sample", {absl::StrCat("--checkpoint=run/checkpoints/", name),
                   "--max_generate=1"});
    EXPECT_EQ(sample.exit_code, 0) << sample.stderr_text;
  }
}

TEST_F(TrainingEndToEndTest, ARunInUseIsRefusedToOthers) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Subprocess> train,
      Subprocess::Start(RunfilePath("cmd/train"),
                        workplace_.Here(Flags({"--num_epochs=100000"}))));
  ASSERT_THAT(train->WaitForOutput("run      run"), IsOk());
  const SubprocessResult other = workplace_.Run("train", Flags({"--resume"}));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.stderr_text,
              HasSubstr(absl::StrCat("run: the run is in use: run/.lock: "
                                     "another process holds the lock (process ",
                                     train->pid(), ")")));
}

TEST_F(TrainingEndToEndTest, ABrokenCheckpointIsSetAsideAndTheRunGoesOn) {
  Train({"--save_every=1", "--max_steps=10"});
  const std::string model = workplace_.Read("run/latest/model.safetensors");
  std::string broken =
      workplace_.Read("run/checkpoints/step-00000010/optimizer.safetensors");
  broken.back() ^= 1;
  workplace_.Write("run/checkpoints/step-00000010/optimizer.safetensors",
                   broken);
  workplace_.Write("run/checkpoints/step-00000011.unfinished/a", "left over");
  const SubprocessResult result =
      workplace_.Run("train", Flags({"--max_steps=10", "--resume"}));
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(result.stderr_text,
              HasSubstr("warning: the checkpoint run/checkpoints/step-00000010 "
                        "is broken and was set aside: optimizer.safetensors"));
  EXPECT_THAT(result.stderr_text, HasSubstr("going on from step 9"));
  EXPECT_EQ(workplace_.Read("run/latest/model.safetensors"), model);
  EXPECT_EQ(workplace_.Read(
                "run/checkpoints/step-00000010.corrupt/optimizer.safetensors"),
            broken);
  for (const std::string& name : workplace_.List()) {
    EXPECT_THAT(name, Not(HasSubstr(".unfinished")));
  }
}

// Runs a script where the folder "run" is a file system of its own, of 2 MB; $@
// is train.
SubprocessResult TrainOnASmallDisk(const Workplace& workplace,
                                   const std::string& script,
                                   const std::vector<std::string>& flags) {
  std::vector<std::string> command = {RunfilePath("cmd/train")};
  command.insert(command.end(), flags.begin(), flags.end());
  return RunOnASmallDisk(workplace, "run", "2m", script, command);
}

TEST_F(TrainingEndToEndTest, ADiskWithoutRoomIsRefusedBeforeTheFirstStep) {
  const SubprocessResult result = TrainOnASmallDisk(
      workplace_, "\"$@\"; echo $?; ls -A run",
      Flags({"--save_every=1", "--keep_checkpoints=1000", "--num_epochs=10"}));
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  EXPECT_EQ(result.stdout_text, "2\n");
  EXPECT_THAT(result.stderr_text,
              MatchesRegex("train: run: 2.1 MB are free where 120 x 0.1 MB "
                           "are to be kept as checkpoints: [^\n]*--run_dir\n"));
}

TEST_F(TrainingEndToEndTest, AReadOnlyDiskIsRefused) {
  for (const char* flag : {"--run_dir=run/new", "--run_dir=run/old"}) {
    const SubprocessResult result = TrainOnASmallDisk(
        workplace_, "mkdir run/old && mount -o remount,ro run\n\"$@\"; echo $?",
        Flags({flag}));
    if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
    std::filesystem::remove_all(workplace_.Path("run"));
    EXPECT_EQ(result.stdout_text, "2\n");
    EXPECT_THAT(result.stderr_text,
                MatchesRegex("train: --run_dir: run/[^\n]*: Read-only file "
                             "system\n"));
  }
}

TEST_F(TrainingEndToEndTest, ARunOnAReadOnlyDiskIsNotResumed) {
  const SubprocessResult result = TrainOnASmallDisk(
      workplace_,
      "\"$@\" 2> log; mount -o remount,ro run\n\"$@\" --max_steps=2; echo $?",
      Flags({"--resume", "--max_steps=1"}));
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  EXPECT_EQ(result.stdout_text, "2\n");
  EXPECT_THAT(result.stderr_text,
              MatchesRegex("train: --run_dir: run/[^\n]*: Read-only file "
                           "system\n"));
}

// Waits until the run has said something, in a log that is there before it,
// without a pause of its own: grep ends at the first such line.
constexpr char kUntil[] =
    ": > log\n"
    "until_said() { grep -q -m1 \"$1\" <(tail -n +1 -f log); }\n";

TEST_F(TrainingEndToEndTest, AFullDiskIsSaidAndTheNextSaveMakesUpForIt) {
  const SubprocessResult result = TrainOnASmallDisk(
      workplace_,
      absl::StrCat(kUntil,
                   "\"$@\" 2>> log & train=$!\n"
                   "until_said 'epoch 1 validation'\n"
                   "cat /dev/zero > run/ballast\n"
                   "until_said 'was not saved, the next one is the next'\n"
                   "rm run/ballast\n"
                   "kill -TERM $train; wait $train; echo $?\n"
                   "saved=$(readlink run/latest); saved=${saved##*-}\n"
                   "\"$@\" --resume --max_steps=$((10#$saved + 1)) 2>> log\n"
                   "echo $?; cat log >&2"),
      Flags({"--save_every=1", "--keep_checkpoints=1", "--num_epochs=100000"}));
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  // Stopped and saved, and a whole checkpoint is there to go on from.
  EXPECT_EQ(result.stdout_text, "3\n0\n") << result.stderr_text;
  EXPECT_THAT(result.stderr_text, HasSubstr("No space left on device"));
  EXPECT_THAT(result.stderr_text, HasSubstr("going on from step "));
}

TEST_F(TrainingEndToEndTest, ADiskThatStaysFullEndsARunWithOneLine) {
  const SubprocessResult result = TrainOnASmallDisk(
      workplace_,
      absl::StrCat(kUntil,
                   "\"$@\" 2>> log & train=$!\n"
                   "until_said 'epoch 1 validation'\n"
                   "cat /dev/zero > run/ballast\n"
                   "kill -TERM $train; wait $train; echo $?\n"
                   "cat log >&2; ls run/checkpoints | wc -l"),
      Flags({"--save_every=1", "--keep_checkpoints=1", "--num_epochs=100000"}));
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  // The newest, and the best if that is another one by then.
  EXPECT_THAT(result.stdout_text, AnyOf("1\n1\n", "1\n2\n"))
      << result.stderr_text;
  EXPECT_THAT(result.stderr_text, HasSubstr("\ntrain: run/"));
  EXPECT_THAT(result.stderr_text, EndsWith("No space left on device\n"));
}

}  // namespace
}  // namespace charrnn
