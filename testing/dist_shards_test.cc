// Hosts that hold only a share of a corpus's shards: of streams each reads its
// own, and whoever lacks one is named.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/dist_job.h"
#include "testing/planned_faults.h"
#include "testing/run_outcome.h"
#include "testing/shard_set.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

class DistShardsTest : public testing::Test {
 protected:
  DistShardsTest() : job_(&workplace_, "run") {
    // Four shards and the rest of a fifth one, in which validation lies.
    const std::string text = PlainText(1000).substr(0, 21'000);
    WriteShardSet(workplace_.Path("set"), text);
  }

  // A host's copy of the set without some of its shards.
  void Share(const std::string& host, const std::vector<int>& missing) const {
    std::filesystem::copy(workplace_.Path("set"), workplace_.Path(host));
    for (const int shard : missing) {
      ASSERT_TRUE(std::filesystem::remove(
          workplace_.Path(absl::StrFormat("%s/shard-%05d.ids", host, shard))));
    }
  }

  static std::vector<std::string> Flags(const std::string& data_order,
                                        const std::string& data_path) {
    return {absl::StrCat("--data_order=", data_order),
            absl::StrCat("--data_path=", data_path),
            "--embedding_dim=8",
            "--hidden_dim=16",
            "--batch_size=64",
            "--seq_len=16",
            "--num_epochs=2",
            "--log_every=1",
            "--sample_every=0"};
  }

  std::unique_ptr<Subprocess> StartHost(
      const std::string& name, const std::string& data_order, int workers = 1,
      const std::map<std::string, std::string>& environment = {}) const {
    std::vector<std::string> flags = Flags(data_order, name);
    flags.push_back(absl::StrCat("--host_name=", name));
    flags.push_back(absl::StrCat("--nproc_per_node=", workers));
    flags.insert(flags.end(), {"--nnodes=2", "--threads=1"});
    return job_.StartHost(flags, environment);
  }

  // Both hosts, the first of which has the first half of the streams.
  void StartHosts(int workers = 1,
                  const std::map<std::string, std::string>& environment = {}) {
    coordinator_ = job_.StartCoordinator({"--nnodes=2"});
    first_ = StartHost("first", "streams", workers);
    ASSERT_THAT(
        first_->WaitForOutput(absl::StrCat("workers  ", workers, " on first")),
        IsOk());
    second_ = StartHost("second", "streams", workers, environment);
  }

  // Both end, with the outcome of one process that has all shards.
  void ExpectTheSameAsAlone() {
    for (Subprocess* host : {first_.get(), second_.get()}) {
      CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, host->Wait());
      EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    }
    std::vector<std::string> flags = Flags("streams", "set");
    flags.emplace_back("--run_dir=alone");
    const SubprocessResult alone = workplace_.Run("train", flags);
    ASSERT_EQ(alone.exit_code, 0) << alone.stderr_text;
    ExpectSameOutcome(RunOutcome(workplace_, "run"),
                      RunOutcome(workplace_, "alone"));
  }

  const Workplace workplace_;
  const DistJob job_;
  std::unique_ptr<Subprocess> coordinator_;
  std::unique_ptr<Subprocess> first_;
  std::unique_ptr<Subprocess> second_;
};

TEST_F(DistShardsTest, AHostThatReadsStreamsNeedsNoOthers) {
  Share("first", {2});  // validation needs the last two
  Share("second", {0});
  StartHosts();
  ExpectTheSameAsAlone();
}

TEST_F(DistShardsTest, WhoLacksAShardInASmallerWorldWaitsForTheReplacement) {
  Share("first", {2});
  Share("second", {0});
  FaultPlan plan;
  plan.folder = workplace_.Path("");
  plan.faults = {{"before the collective", PlannedFault::Kind::kKill, 1, 3}};
  StartHosts(/*workers=*/2, {{kFaultPlanVariable, plan.ToText()}});
  ExpectTheSameAsAlone();
  EXPECT_TRUE(std::filesystem::exists(workplace_.Path("fault-0")));
}

TEST_F(DistShardsTest, TheJobEndsWithWhoLacksWhichShard) {
  Share("first", {});
  Share("second", {2});
  StartHosts();
  for (Subprocess* host : {first_.get(), second_.get()}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, host->Wait());
    EXPECT_EQ(result.exit_code, 2) << result.stderr_text;
    EXPECT_THAT(result.stderr_text, HasSubstr("second"));
    EXPECT_THAT(result.stderr_text, HasSubstr("rank 1"));
    EXPECT_THAT(result.stderr_text, HasSubstr("shard-00002.ids"));
  }
}

TEST_F(DistShardsTest, ADamagedShardIsBadInputForTheWholeJob) {
  Share("first", {});
  Share("second", {});
  const std::string shard = "second/shard-00002.ids";
  std::string bytes = workplace_.Read(shard);
  bytes[1000] ^= 1;
  workplace_.Write(shard, bytes);
  StartHosts();
  for (Subprocess* host : {first_.get(), second_.get()}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, host->Wait());
    EXPECT_EQ(result.exit_code, 2) << result.stderr_text;
    EXPECT_THAT(result.stderr_text, HasSubstr(shard));
  }
}

TEST_F(DistShardsTest, AHostThatReadsAtRandomNeedsThemAll) {
  Share("first", {2});
  coordinator_ = job_.StartCoordinator({"--nnodes=2"});
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                               StartHost("first", "shuffled")->Wait());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("shard-00002.ids"));
}

}  // namespace
}  // namespace charrnn
