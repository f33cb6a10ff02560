// A run whose disk fails once, or whose machine dies, at any operation: train
// says so in one line, nothing that was committed is lost, and the run goes on
// to what it would have been.

#include <signal.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

// Every so manieth operation is tried; a prime, so that each kind has its turn.
constexpr int kStride = 11;

class FailingDiskTest : public testing::Test {
 protected:
  // Six steps, each saved and most of them deleted again, and an export.
  static SubprocessOptions Train(const Workplace& workplace) {
    return workplace.Here({"--data_path=text.txt", "--run_dir=disk/run",
                           "--resume", "--embedding_dim=4", "--hidden_dim=4",
                           "--batch_size=16", "--seq_len=16", "--max_steps=6",
                           "--save_every=1", "--keep_checkpoints=1",
                           "--sample_every=2", "--max_generate=5",
                           "--log_every=2", "--save_path=disk/best.pt"});
  }

  // The same where operation number `operation` fails or kills; -1: none does.
  static SubprocessResult TrainOnFailingDisk(const Workplace& workplace,
                                             int operation, bool kills) {
    SubprocessOptions options = Train(workplace);
    options.environment = {
        {"LD_PRELOAD", RunfilePath("testing/libfailing_disk.so")},
        {"FAILING_DISK_FOLDER", workplace.Path("disk")},
        {"FAILING_DISK_OPERATION", absl::StrCat(operation)}};
    if (kills) options.environment["FAILING_DISK_KILLS"] = "1";
    return workplace.Run("train", options);
  }

  static void MakeText(const Workplace& workplace) {
    workplace.Write("text.txt", PlainText(30));
    workplace.Write("disk/", "");
  }

  static std::map<std::string, std::string> Outcome(
      const Workplace& workplace) {
    std::map<std::string, std::string> outcome;
    for (const char* name : {"disk/run/latest/model.safetensors",
                             "disk/run/latest/optimizer.safetensors",
                             "disk/run/samples.txt", "disk/best.pt"}) {
      outcome[name] = workplace.Read(name);
    }
    return outcome;
  }

  // Lets one operation go wrong, and then goes on with the run.
  static void TryOne(int operation, bool kills,
                     const std::map<std::string, std::string>& expected) {
    const Workplace workplace;
    MakeText(workplace);
    const SubprocessResult broken =
        TrainOnFailingDisk(workplace, operation, kills);
    SCOPED_TRACE(
        absl::StrCat("operation ", operation, "\n", broken.stderr_text));
    if (kills) {
      EXPECT_EQ(broken.signal, SIGKILL);
    } else {
      EXPECT_THAT(broken.exit_code, AnyOf(0, 1));
      if (broken.exit_code != 0) {
        EXPECT_TRUE(absl::EndsWith(broken.stderr_text, "Input/output error\n"));
      }
      EXPECT_THAT(broken.stderr_text, Not(HasSubstr("terminate called")));
    }
    // Whatever is committed is whole, wherever the links lead.
    const bool committed = !workplace.Checkpoints("disk/run").empty();
    const SubprocessResult sample =
        workplace.Run("sample", {"--checkpoint=disk/run", "--max_generate=1"});
    EXPECT_THAT(sample.exit_code, AnyOf(0, committed ? 0 : 2))
        << sample.stderr_text;

    const SubprocessResult resumed = workplace.Run("train", Train(workplace));
    EXPECT_EQ(resumed.exit_code, 0) << resumed.stderr_text;
    EXPECT_THAT(resumed.stderr_text, Not(HasSubstr("broken")));
    if (committed) {
      EXPECT_THAT(resumed.stderr_text, AnyOf(HasSubstr("going on from step "),
                                             HasSubstr("finished at step 6")));
    }
    for (const auto& [name, contents] : Outcome(workplace)) {
      EXPECT_TRUE(expected.at(name) == contents) << name << " differs";
    }
    for (const std::string& name : workplace.List()) {
      EXPECT_THAT(name, Not(HasSubstr(".unfinished")));
      EXPECT_THAT(name, Not(HasSubstr(".deleted")));
    }
  }

  static void TryAll(bool kills) {
    const Workplace undisturbed;
    MakeText(undisturbed);
    const SubprocessResult whole =
        TrainOnFailingDisk(undisturbed, -1, /*kills=*/false);
    ASSERT_EQ(whole.exit_code, 0) << whole.stderr_text;
    const auto expected = Outcome(undisturbed);
    const auto operations =
        static_cast<int>(undisturbed.Read("disk.count").size());
    const int points = operations / kStride;
    ASSERT_GE(points, 20);
    std::printf("%d of %d operations\n", points, operations);
    ThreadPool pool(2);
    pool.ParallelFor(points, [&](int64_t i) {
      TryOne(static_cast<int>(i) * kStride, kills, expected);
    });
  }
};

TEST_F(FailingDiskTest, AnOperationThatFailsIsMadeUpFor) {
  TryAll(/*kills=*/false);
}

TEST_F(FailingDiskTest, ACrashAtAnOperationLosesNothing) {
  TryAll(/*kills=*/true);
}

}  // namespace
}  // namespace charrnn
