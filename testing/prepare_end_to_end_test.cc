// `prepare` as users run it, undisturbed and disturbed, and what it makes in
// the hands of the other programs.

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/run_outcome.h"
#include "testing/small_disk.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

// Of scripts of one to four bytes, with combining marks and joined emoji.
std::string MixedText(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) {
    absl::StrAppend(&text, PlainText(1), "\u041D\u043E\u0447\u044C, ", i,
                    " \u4E2D\u6587 e\u0301\u0308 \U0001F469\u200D\U0001F680\n");
  }
  return text;
}

class PrepareEndToEndTest : public testing::Test {
 protected:
  // Flags with which any program ends soon.
  SubprocessResult Train(std::vector<std::string> more) const {
    std::vector<std::string> flags = {"--embedding_dim=8", "--hidden_dim=8",
                                      "--batch_size=16",   "--seq_len=16",
                                      "--num_epochs=1",    "--max_generate=5"};
    flags.insert(flags.end(), more.begin(), more.end());
    return Run("train", std::move(flags));
  }

  SubprocessResult Run(absl::string_view program,
                       std::vector<std::string> arguments) const {
    SubprocessResult result = workplace_.Run(program, std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    return result;
  }

  // The contents of the files of a shard set, by name.
  std::map<std::string, std::string> Set(const std::string& folder) const {
    std::map<std::string, std::string> files;
    for (const std::string& name : workplace_.List()) {
      if (!absl::StartsWith(name, folder + "/")) continue;
      files[name.substr(folder.size())] = workplace_.Read(name);
    }
    return files;
  }

  // Makes a text that is being read for long: a hole, which takes no space.
  void MakeLongText() const {
    workplace_.Write("long.txt", "");
    std::filesystem::resize_file(workplace_.Path("long.txt"),
                                 uint64_t{1} << 40);
  }

  std::unique_ptr<Subprocess> Start(std::vector<std::string> arguments) const {
    auto prepare = Subprocess::Start(RunfilePath("cmd/prepare"),
                                     workplace_.Here(std::move(arguments)));
    EXPECT_THAT(prepare, IsOk());
    return *std::move(prepare);
  }

  const Workplace workplace_;
};

TEST_F(PrepareEndToEndTest, TextsInAFolderAreTrainedOnAsTheirWhole) {
  const std::string text = MixedText(100);
  workplace_.Write("whole.txt", text);
  // Cut within a character.
  const size_t cut = text.find("\u4E2D") + 1;
  workplace_.Write("texts/1.txt", text.substr(0, cut));
  workplace_.Write("texts/2/a.txt", text.substr(cut, 2000));
  workplace_.Write("texts/3.txt", text.substr(cut + 2000));
  workplace_.Write("texts/.hidden", "\xFF");
  for (const char* encoding : {"utf8", "bytes"}) {
    const std::string flag = absl::StrCat("--encoding=", encoding);
    const std::string set = absl::StrCat("set_", encoding);
    const SubprocessResult result = Run(
        "prepare", {"--output=" + set, "--shard_bytes=1000", flag, "texts"});
    EXPECT_THAT(result.stderr_text,
                AllOf(HasSubstr("3 files: "), HasSubstr(" to validate with"),
                      HasSubstr("MB/s")));
    Train(
        {"--data_path=whole.txt", flag, absl::StrCat("--run_dir=a", encoding)});
    Train({"--data_path=" + set, absl::StrCat("--run_dir=b", encoding)});
    ExpectSameOutcome(RunOutcome(workplace_, absl::StrCat("b", encoding)),
                      RunOutcome(workplace_, absl::StrCat("a", encoding)));
  }
}

TEST_F(PrepareEndToEndTest, RareCharactersBecomeOneThatAllProgramsUnderstand) {
  workplace_.Write("text.txt", PlainText(200) + "\u4E2D\u6587 x \u4E2D\n");
  const SubprocessResult prepared =
      Run("prepare", {"--output=set", "--min_count=3", "text.txt"});
  EXPECT_THAT(prepared.stderr_text,
              HasSubstr("4 characters (\u4E2D \u6587 x) that occur fewer than "
                        "3 times are read as U+FFFD"));
  Train({"--data_path=set", "--run_dir=run"});

  const SubprocessResult sample =
      Run("sample",
          {"--checkpoint=run", "--prompt=\u6587 the", "--max_generate=1"});
  EXPECT_THAT(sample.stdout_text, StartsWith("\uFFFD the"));
  EXPECT_THAT(sample.stderr_text, HasSubstr("read as U+FFFD in the prompt"));

  workplace_.Write("other.txt", PlainText(20) + "\u20AC");
  const SubprocessResult evaluation = Run(
      "evaluate", {"--checkpoint=run", "--data_path=other.txt", "--part=all"});
  EXPECT_THAT(evaluation.stderr_text,
              HasSubstr("characters are not in the vocabulary (\u20AC)"));
}

TEST_F(PrepareEndToEndTest, MoreTextsArePreparedForAModelThatThereIs) {
  workplace_.Write("first.txt", PlainText(200));
  Train({"--data_path=first.txt", "--run_dir=first"});
  workplace_.Write("more.txt", PlainText(50) + "\u4E2Dx\n");
  const SubprocessResult prepared = Run(
      "prepare",
      {"--output=more", "--vocab_from=first", "--unknown=drop", "more.txt"});
  EXPECT_THAT(prepared.stderr_text,
              HasSubstr("2 characters (\u4E2D x) that the vocabulary lacks "
                        "were left out"));
  Train({"--data_path=more", "--init_from=first", "--run_dir=second"});
  Run("prepare",
      {"--output=again", "--vocab_from=more", "--unknown=drop", "more.txt"});
  EXPECT_EQ(Set("again"), Set("more"));
}

// Preparing on a disk whose operations go wrong, one at a time.
class PrepareOnAFailingDiskTest : public PrepareEndToEndTest {
 protected:
  PrepareOnAFailingDiskTest() {
    workplace_.Write("text.txt", MixedText(50));
    EXPECT_EQ(PrepareWhere(-1, /*kills=*/false).exit_code, 0);
    expected_ = Set("disk/set");
    operations_ = static_cast<int>(workplace_.Read("disk.count").size());
    EXPECT_GT(operations_, 20);
  }

  // Prepares on an empty disk where operation number `operation` fails or
  // kills; -1: none does.
  SubprocessResult PrepareWhere(int operation, bool kills) const {
    std::filesystem::remove_all(workplace_.Path("disk"));
    workplace_.Write("disk/", "");
    SubprocessOptions options = workplace_.Here(arguments_);
    options.environment = {
        {"LD_PRELOAD", RunfilePath("testing/libfailing_disk.so")},
        {"FAILING_DISK_FOLDER", workplace_.Path("disk")},
        {"FAILING_DISK_OPERATION", absl::StrCat(operation)}};
    if (kills) options.environment["FAILING_DISK_KILLS"] = "1";
    return workplace_.Run("prepare", options);
  }

  // Expects that the set is whole, or that it is not there and is made by
  // running once more, which says so if there is anything to start over.
  void ExpectWholeInTheEnd() const {
    const bool left =
        std::filesystem::exists(workplace_.Path("disk/set.unfinished"));
    if (Set("disk/set").empty()) {
      const SubprocessResult again = Run("prepare", arguments_);
      EXPECT_EQ(absl::StrContains(again.stderr_text, "starting over"), left);
    }
    auto made = Set("disk/set");
    made.erase("/.lock");  // if that was all that was left to be done
    EXPECT_EQ(made, expected_);
    EXPECT_THAT(Set("disk/set.unfinished"), IsEmpty());
  }

  const std::vector<std::string> arguments_ = {
      "--output=disk/set", "--shard_bytes=1000", "text.txt"};
  std::map<std::string, std::string> expected_;
  int operations_ = 0;
};

TEST_F(PrepareOnAFailingDiskTest, AKillLeavesNothingThatLooksFinished) {
  for (int operation = 0; operation < operations_; ++operation) {
    SCOPED_TRACE(operation);
    EXPECT_EQ(PrepareWhere(operation, /*kills=*/true).signal, SIGKILL);
    ExpectWholeInTheEnd();
  }
}

TEST_F(PrepareOnAFailingDiskTest, AFailureIsOneLineAndLeavesNoHalfSet) {
  for (int operation = 0; operation < operations_; ++operation) {
    const SubprocessResult result = PrepareWhere(operation, /*kills=*/false);
    SCOPED_TRACE(absl::StrCat(operation, "\n", result.stderr_text));
    EXPECT_THAT(result.exit_code, AnyOf(0, 1));
    if (result.exit_code == 1) {
      EXPECT_THAT(result.stderr_text,
                  MatchesRegex("prepare: [^\n]*Input/output error\n"));
    }
    ExpectWholeInTheEnd();
  }
}

TEST_F(PrepareEndToEndTest, AStopLeavesNothing) {
  MakeLongText();
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto prepare = Start({"--output=set", "long.txt"});
    ASSERT_THAT(prepare->WaitForOutput("pass 1 of 2"), IsOk());
    prepare->Signal(signal);
    const absl::StatusOr<SubprocessResult> result = prepare->Wait();
    ASSERT_THAT(result, IsOk());
    EXPECT_EQ(result->exit_code, 3);
    EXPECT_THAT(result->stderr_text,
                AllOf(HasSubstr("prepare: stopping"),
                      EndsWith("prepare: set: stopped before it was whole\n")));
    EXPECT_THAT(workplace_.List(), ElementsAre("long.txt"));
  }
}

TEST_F(PrepareEndToEndTest, WhoComesSecondIsRefused) {
  workplace_.Write("text.txt", PlainText(100));
  // As a process does that is at work.
  FileSystem& files = *FileSystem::Real();
  workplace_.Write("set.unfinished/shard-00000.ids", "half");
  {
    const auto lock = files.Lock(workplace_.Path("set.unfinished/.lock"));
    ASSERT_THAT(lock, IsOk());
    const SubprocessResult result =
        workplace_.Run("prepare", {"--output=set", "text.txt"});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.stderr_text,
                AllOf(HasSubstr("prepare: set: is being made already"),
                      HasSubstr("(process ")));
    EXPECT_EQ(workplace_.Read("set.unfinished/shard-00000.ids"), "half");
  }
  const SubprocessResult result = Run("prepare", {"--output=set", "text.txt"});
  EXPECT_THAT(result.stderr_text, HasSubstr("starting over"));
}

TEST_F(PrepareEndToEndTest, OfTwoAtOnceOneMakesTheSet) {
  workplace_.Write("text.txt", MixedText(2000));
  Run("prepare", {"--output=alone", "text.txt"});
  const auto one = Start({"--output=set", "text.txt"});
  const auto two = Start({"--output=set", "text.txt"});
  const absl::StatusOr<SubprocessResult> first = one->Wait();
  const absl::StatusOr<SubprocessResult> second = two->Wait();
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT((std::vector<int>{first->exit_code, second->exit_code}),
              AnyOf(ElementsAre(0, 2), ElementsAre(2, 0)))
      << first->stderr_text << second->stderr_text;
  EXPECT_EQ(Set("set"), Set("alone"));
}

TEST_F(PrepareEndToEndTest, ADiskThatIsTooSmallIsToldBeforehand) {
  workplace_.Write("text.txt", MixedText(2000));
  const SubprocessResult result = RunOnASmallDisk(
      workplace_, "disk", "64k", "\"$@\"; echo $?; ls -A disk",
      {RunfilePath("cmd/prepare"), "--output=disk/set", "text.txt"});
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  EXPECT_EQ(result.stdout_text, "1\n");
  EXPECT_THAT(result.stderr_text,
              AllOf(HasSubstr("prepare: disk/set: 0.1 MB are free where "),
                    HasSubstr("--output")));
}

TEST_F(PrepareEndToEndTest, ADiskThatFillsUpIsOneLineAndLeavesNothing) {
  workplace_.Write("text.txt", MixedText(2000));
  // How many characters there will be is not known beforehand.
  const SubprocessResult result = RunOnASmallDisk(
      workplace_, "disk", "64k", "\"$@\"; echo $?; ls -A disk",
      {RunfilePath("cmd/prepare"), "--output=disk/set", "--shard_bytes=20000",
       "--vocab_from=text.txt", "text.txt"});
  if (result.exit_code == kNoSmallDisk) GTEST_SKIP() << result.stderr_text;
  EXPECT_EQ(result.stdout_text, "1\n");
  EXPECT_THAT(result.stderr_text,
              AllOf(HasSubstr("prepare: disk/set.unfinished/shard-0000"),
                    EndsWith("No space left on device\n")));
}

}  // namespace
}  // namespace charrnn
