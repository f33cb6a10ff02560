#include "testing/run_outcome.h"

#include <filesystem>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A run as the programs leave it, with what its tests look at.
class RunOutcomeTest : public testing::Test {
 protected:
  RunOutcomeTest() { WriteRun("run"); }

  void WriteRun(const std::string& run_dir) const {
    const auto write = [&](absl::string_view name, absl::string_view text) {
      workplace_.Write(absl::StrCat(run_dir, "/", name), text);
    };
    write("config.json", "{}");
    write("report.html", "<html>");
    for (const char* step : {"1", "2"}) {
      const std::string folder = absl::StrCat("checkpoints/step-", step, "/");
      write(folder + "model.safetensors", absl::StrCat("weights ", step));
      write(folder + "optimizer.safetensors", absl::StrCat("moments ", step));
      write(folder + "trainer.json",
            "{\"step\":2,\"wall_s\":1.5,\"training_s\":1.25,"
            "\"metrics_bytes\":100}");
    }
    write("samples.txt", "to be");
    write("metrics.jsonl",
          "{\"event\":\"generation\",\"generation\":1,\"world_size\":2}\n"
          "{\"event\":\"train\",\"step\":1,\"loss\":2.5,\"wall_s\":0.5,"
          "\"chars_per_s\":1000}\n"
          "{\"event\":\"checkpoint\",\"step\":1,\"path\":\"here/step-1\"}\n"
          "{\"event\":\"train\",\"step\":2,\"loss\":2.25}\n"
          "{\"event\":\"end\",\"step\":2,\"wall_s\":1.5}\n");
    const std::filesystem::path root = workplace_.Path(run_dir);
    std::filesystem::create_symlink("checkpoints/step-2", root / "latest");
    std::filesystem::create_symlink("checkpoints/step-1", root / "best");
  }

  // Replaces what `name`, a file of the run "run", has of `was` by `now`.
  void Change(absl::string_view name, const std::string& was,
              const std::string& now) const {
    const std::string path = absl::StrCat("run/", name);
    std::string text = workplace_.Read(path);
    const size_t at = text.find(was);
    ASSERT_NE(at, std::string::npos) << name;
    workplace_.Write(path, text.replace(at, was.size(), now));
  }

  std::map<std::string, std::string> Outcome() const {
    return RunOutcome(workplace_, "run");
  }

  const Workplace workplace_;
};

TEST_F(RunOutcomeTest, IsWhatARunHasComeTo) {
  const auto outcome = Outcome();
  EXPECT_EQ(outcome.at("model.safetensors"), "weights 2");
  EXPECT_EQ(outcome.at("optimizer.safetensors"), "moments 2");
  EXPECT_EQ(outcome.at("trainer.json"), "{\"step\":2}");
  EXPECT_EQ(outcome.at("samples.txt"), "to be");
  EXPECT_EQ(outcome.at("metrics.jsonl"),
            "{\"event\":\"train\",\"loss\":2.5,\"step\":1}\n"
            "{\"event\":\"train\",\"loss\":2.25,\"step\":2}\n"
            "{\"event\":\"end\",\"step\":2}\n");
  EXPECT_EQ(outcome.at(kCheckpointRecords),
            "{\"event\":\"checkpoint\",\"step\":1}\n");
  EXPECT_EQ(outcome.at("best"), "checkpoints/step-1");
  EXPECT_EQ(outcome.at("latest"), "checkpoints/step-2");
  EXPECT_EQ(outcome.count("checkpoints/step-1/model.safetensors"), 1);
  EXPECT_EQ(outcome.count("report.html"), 0);
}

TEST_F(RunOutcomeTest, WhereARunIsDoesNotCount) {
  WriteRun("elsewhere/run");
  EXPECT_EQ(RunOutcome(workplace_, "elsewhere/run"), Outcome());
}

TEST_F(RunOutcomeTest, ClocksGenerationsAndReportsDoNotCount) {
  const auto before = Outcome();
  for (const char* change : {"0.5", "1000", "1.5"}) {
    Change("metrics.jsonl", change, "77");
  }
  Change("metrics.jsonl", "here/step-1", "there/step-1");
  Change("metrics.jsonl", "\"world_size\":2", "\"world_size\":3");
  Change("latest/trainer.json", "1.25", "7");
  Change("latest/trainer.json", "100", "101");
  workplace_.Write("run/report.html", "another");
  workplace_.Write("run/config.json", "{\"device\":\"cuda:0\"}");
  EXPECT_EQ(Outcome(), before);
}

TEST_F(RunOutcomeTest, ACheckpointsRecordMayComeLater) {
  const auto before = Outcome();
  const std::string record =
      "{\"event\":\"checkpoint\",\"step\":1,\"path\":\"here/step-1\"}\n";
  Change("metrics.jsonl", record, "");
  workplace_.Write("run/metrics.jsonl",
                   workplace_.Read("run/metrics.jsonl") + record);
  EXPECT_EQ(Outcome(), before);
}

TEST_F(RunOutcomeTest, WeightsMomentsProgressSamplesAndLossesCount) {
  struct Difference {
    const char *file, *was, *now, *key;
  };
  for (const Difference& difference :
       {Difference{"latest/model.safetensors", "weights", "weighty",
                   "model.safetensors"},
        Difference{"latest/optimizer.safetensors", "moments", "moment",
                   "optimizer.safetensors"},
        Difference{"latest/trainer.json", "\"step\":2", "\"step\":3",
                   "trainer.json"},
        Difference{"samples.txt", "to be", "or not", "samples.txt"},
        Difference{"metrics.jsonl", "2.25", "2.26", "metrics.jsonl"},
        Difference{"metrics.jsonl", "\"checkpoint\",\"step\":1",
                   "\"checkpoint\",\"step\":2", kCheckpointRecords}}) {
    const auto before = Outcome();
    Change(difference.file, difference.was, difference.now);
    const auto after = Outcome();
    EXPECT_NE(after.at(difference.key), before.at(difference.key));
    EXPECT_NONFATAL_FAILURE(ExpectSameOutcome(after, before), difference.key);
  }
}

TEST_F(RunOutcomeTest, LinksAndCheckpointsThatAreKeptCount) {
  const auto before = Outcome();
  std::filesystem::remove(workplace_.Path("run/best"));
  EXPECT_NONFATAL_FAILURE(ExpectSameOutcome(Outcome(), before),
                          "best is missing");
  std::filesystem::create_symlink("checkpoints/step-2",
                                  workplace_.Path("run/best"));
  EXPECT_NONFATAL_FAILURE(ExpectSameOutcome(Outcome(), before), "best");
  std::filesystem::remove(workplace_.Path("run/best"));
  std::filesystem::create_symlink("checkpoints/step-1",
                                  workplace_.Path("run/best"));
  ExpectSameOutcome(Outcome(), before);
  workplace_.Write("run/checkpoints/step-3.unfinished", "");
  EXPECT_NONFATAL_FAILURE(ExpectSameOutcome(Outcome(), before),
                          "checkpoints/step-3.unfinished is left");
}

TEST_F(RunOutcomeTest, TheLedgerIsOfTrainingRecordsInTheirOrder) {
  EXPECT_THAT(RecordedSteps(workplace_, "run"), ElementsAre(1, 2));
  Change("metrics.jsonl", "\"train\",\"step\":2", "\"train\",\"step\":1");
  EXPECT_THAT(RecordedSteps(workplace_, "run"), ElementsAre(1, 1));
  workplace_.Write("run/metrics.jsonl", "");
  EXPECT_THAT(RecordedSteps(workplace_, "run"), IsEmpty());
}

}  // namespace
}  // namespace charrnn
