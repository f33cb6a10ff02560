// Whatever goes wrong, and wherever, training goes on, ends as if nothing had
// been, and leaves nothing behind: real workers, each fault at its point.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/planned_faults.h"
#include "testing/run_outcome.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using Kind = PlannedFault::Kind;

constexpr int kSteps = 60;

std::vector<std::string> Flags(const std::string& data_order) {
  return {"--data_path=text.txt",
          "--run_dir=run",
          absl::StrCat("--data_order=", data_order),
          "--embedding_dim=16",
          "--hidden_dim=32",
          "--num_layers=2",
          "--dropout=0.1",
          "--batch_size=64",
          "--seq_len=16",
          "--num_epochs=6",
          "--log_every=1",
          "--sample_every=25",
          "--max_generate=30",
          "--save_every=5"};
}

// The processes that have `text` in their environment.
std::vector<std::string> ProcessesWith(const std::string& text) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "environ");
    const std::string environment((std::istreambuf_iterator<char>(file)),
                                  std::istreambuf_iterator<char>());
    if (absl::StrContains(environment, text)) {
      found.push_back(entry.path().filename());
    }
  }
  return found;
}

using Outcome = std::map<std::string, std::string>;

// What a run comes to that nothing disturbs.
Outcome Undisturbed(const std::string& data_order) {
  const Workplace workplace;
  workplace.Write("text.txt", PlainText(400));
  const SubprocessResult result =
      workplace.Run("train", workplace.Here(Flags(data_order)));
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  return RunOutcome(workplace, "run");
}

class FaultsTest : public testing::Test {
 protected:
  // Trains while `faults` happen, and looks at what has become of it.
  static void Survives(const std::vector<PlannedFault>& faults,
                       const std::string& data_order = "shuffled") {
    static auto* const undisturbed = new std::map<std::string, Outcome>;
    if (undisturbed->count(data_order) == 0) {
      (*undisturbed)[data_order] = Undisturbed(data_order);
    }
    const Outcome& expected = undisturbed->at(data_order);
    const Workplace workplace;
    workplace.Write("text.txt", PlainText(400));
    workplace.Write("faults/", "");
    FaultPlan plan;
    plan.folder = workplace.Path("faults");
    plan.faults = faults;
    std::vector<std::string> flags = Flags(data_order);
    flags.push_back("--nproc_per_node=3");
    flags.push_back("--threads=1");
    SubprocessOptions options = workplace.Here(flags);
    options.environment[kFaultPlanVariable] = plan.ToText();
    options.deadline = absl::Minutes(4);
    const auto result =
        RunSubprocess(RunfilePath("testing/faulty_train_dist"), options);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->exit_code, 0) << result->stderr_text;
    for (size_t i = 0; i < faults.size(); ++i) {
      EXPECT_TRUE(std::filesystem::exists(
          workplace.Path(absl::StrCat("faults/fault-", i))))
          << faults[i].point << " has not happened";
    }
    Outcome outcome = RunOutcome(workplace, "run");
    // One that was not sent in time gives way to the next.
    outcome[kCheckpointRecords] = expected.at(kCheckpointRecords);
    ExpectSameOutcome(outcome, expected);
    const std::vector<int64_t> steps = RecordedSteps(workplace, "run");
    std::vector<int64_t> each_once(steps.size());
    std::iota(each_once.begin(), each_once.end(), 1);
    EXPECT_EQ(steps, each_once);
    EXPECT_THAT(ProcessesWith(plan.folder), testing::IsEmpty());
    if (HasFailure()) {
      ADD_FAILURE() << result->stderr_text
                    << workplace.Read("run/metrics.jsonl");
    }
  }
};

class EachKindTest : public FaultsTest,
                     public testing::WithParamInterface<Kind> {};

TEST_P(EachKindTest, AroundACollective) {
  Survives({{"before the collective", GetParam(), 1, 3},
            {"in the collective", GetParam(), 2, 3},
            {"after the collective", GetParam(), 0, 3}});
}

TEST_P(EachKindTest, WhileAGenerationForms) {
  Survives({{"before the collective", GetParam(), 1, 3},
            {"as it joins", GetParam(), 2, 0}});
}

TEST_P(EachKindTest, WhileAGroupFormsAndInASync) {
  Survives({{"before the collective", GetParam(), 0, 3},
            {"as a group forms", GetParam(), 2, 0},
            {"in a sync, as a receiver", GetParam(), -1, 0},
            {"in a sync, as its source", GetParam(), -1, 0}});
}

TEST_P(EachKindTest, InValidationAndInTheUpdate) {
  Survives({{"in validation", GetParam(), 1, 0},
            {"after the collective", Kind::kKillSoon, 2, 3}});
}

TEST_P(EachKindTest, WhileStreamsAreRead) {
  Survives({{"before the collective", GetParam(), 1, 3},
            {"in a sync, as a receiver", GetParam(), -1, 0},
            {"in a sync, as its source", GetParam(), -1, 0},
            {"in validation", GetParam(), 2, 0}},
           "streams");
}

TEST_P(EachKindTest, InAnUpload) {
  Survives({{"in an upload, before its commit", GetParam(), -1, 3},
            {"in an upload, after its commit", GetParam(), -1, 3}});
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachKindTest,
                         testing::Values(Kind::kKill, Kind::kStop,
                                         Kind::kError),
                         [](const auto& info) {
                           return info.param == Kind::kKill   ? "Kill"
                                  : info.param == Kind::kStop ? "Stop"
                                                              : "Error";
                         });

}  // namespace
}  // namespace charrnn
