// What users get wrong where several processes train: train_dist and
// coordinator say so in one line, end with code 2, and leave everything as it
// was.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/dist_job.h"
#include "testing/mistakes.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::Not;

using Environment = std::map<std::string, std::string>;

// The other tests show something only if what they start from is good.
TEST(DistBadInputTest, WithoutAMistakeAJobSucceeds) {
  const Workplace workplace;
  WriteGoodFiles(workplace);
  const SubprocessResult result =
      workplace.Run("train_dist", GoodFlags("train_dist"));
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
}

TEST(DistBadInputTest, ALossThatIsNotFiniteEndsTheJobWithOneLine) {
  const Workplace workplace;
  WriteGoodFiles(workplace);
  std::vector<std::string> flags = GoodFlags("train_dist");
  for (const char* flag :
       {"--learning_rate=1e37", "--grad_clip=0", "--save_every=1",
        "--nproc_per_node=2", "--max_steps=3"}) {
    flags.emplace_back(flag);
  }
  const SubprocessResult result = workplace.Run("train_dist", flags);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.stderr_text,
              ContainsRegex("\ntrain_dist: [^\n]*/[01] [(]rank [01][)], step "
                            "[0-9]+: (the|a) [a-z ]*is not finite: lower "));
  EXPECT_THAT(result.stderr_text, EndsWith("the last checkpoint is kept\n"));
}

TEST(DistBadInputTest, ANumberOfWorkersThatCannotBeIsRefused) {
  ExpectRefused({
      {"train_dist",
       {"--nproc_per_node=0"},
       {"--nproc_per_node=0: must be auto or a number from 1"}},
      {"train_dist",
       {"--nproc_per_node=x"},
       {"--nproc_per_node=x: must be auto or a number from 1"}},
      {"train_dist",
       {"--nproc_per_node=9"},
       {"--nproc_per_node=9: 9 workers", "8 grains", "raise --grains"}},
      {"train_dist",
       {"--nproc_per_node=3", "--grains=2"},
       {"--nproc_per_node=3: 3 workers", "2 grains", "lower it"}},
      {"train_dist",
       {"--address=192.0.2.1"},
       {"--address=192.0.2.1: is no address of this host"}},
      {"train_dist",
       {"--backend=mpi"},
       {"--backend=mpi: must be auto, gloo or nccl"}},
      {"train_dist",
       {"--backend=nccl", "--device=cpu"},
       {"--backend=nccl: it is for GPUs", "--device=cuda"}},
  });
}

TEST(DistBadInputTest, HostsThatCannotBeAreRefused) {
  std::vector<Mistake> mistakes;
  for (const char* program : {"train_dist", "coordinator"}) {
    for (const char* hosts : {"0", "2:1", "x"}) {
      const std::string flag = absl::StrCat("--nnodes=", hosts);
      mistakes.push_back(
          {program, {flag}, {flag + ": must be a number of hosts, or MIN"}});
    }
  }
  mistakes.push_back({"train_dist",
                      {"--nnodes=2"},
                      {"--nnodes: ", "--coordinator=host:port", "`launch`"}});
  for (const char* address : {"nonsense", "host:", ":1", "host:65536"}) {
    const std::string flag = absl::StrCat("--coordinator=", address);
    mistakes.push_back(
        {"train_dist", {flag, "--nnodes=2"}, {flag + ": must be host:port"}});
  }
  ExpectRefused(mistakes);
}

TEST(DistBadInputTest, TimesAndNamesThatAreNoneAreRefused) {
  ExpectRefused({
      {"train_dist",
       {"--reduction=foo"},
       {"--reduction=foo: must be auto, invariant or overlap"}},
      {"train_dist",
       {"--collective_timeout=0"},
       {"--collective_timeout=0: must be more than 0"}},
      {"train_dist",
       {"--collective_timeout=5"},
       {"--collective_timeout=5: must be a time with its unit"}},
      {"coordinator",
       {"--join_window=-1s"},
       {"--join_window=-1s: must be more than 0"}},
      {"train_dist", {"--lisen=a:1"}, {"unknown flag --lisen"}},
      {"coordinator", {"--lisen=a:1"}, {"did you mean --listen?"}},
      {"coordinator", {"run"}, {"unexpected argument 'run'"}},
      {"train_dist", {"--data_path=absent"}, {"--data_path: absent: "}},
      {"train_dist", {"--allow_changes"}, {"--allow_changes: ", "--resume"}},
  });
}

TEST(DistBadInputTest, FilesOfSecretsThatAreNoneAreRefused) {
  std::vector<Mistake> mistakes;
  for (const char* program : {"train_dist", "coordinator"}) {
    mistakes.push_back({program,
                        {"--token_file=absent"},
                        {"--token_file: absent: ", "No such file"}});
    mistakes.push_back({program,
                        {"--token_file=empty"},
                        {"--token_file: empty: the file is empty"},
                        {{"empty", "\n"}}});
    mistakes.push_back({program,
                        {"--token_file=lines"},
                        {"--token_file: ", "one line"},
                        {{"lines", "one\ntwo\n"}}});
  }
  mistakes.push_back({"coordinator",
                      {"--tls_cert=cert"},
                      {"--tls_cert and --tls_key go together"},
                      {{"cert", "nonsense"}}});
  mistakes.push_back({"coordinator",
                      {"--tls_key=key"},
                      {"--tls_cert and --tls_key go together"},
                      {{"key", "nonsense"}}});
  mistakes.push_back({"coordinator",
                      {"--tls_cert=cert", "--tls_key=key"},
                      {"--tls_cert, --tls_key: they are no certificate"},
                      {{"cert", "nonsense"}, {"key", "nonsense"}}});
  ExpectRefused(mistakes);
}

TEST(DistBadInputTest, AnAddressToListenOnThatIsNoneIsRefused) {
  ExpectRefused({
      {"coordinator",
       {"--listen=0.0.0.0:0"},
       {"0.0.0.0:0: other machines", "--tls_cert", "--insecure"}},
      {"coordinator",
       {"--listen=nonsense"},
       {"--listen=nonsense: must be host:port"}},
      {"coordinator",
       {"--listen=127.0.0.1:65536"},
       {"--listen=127.0.0.1:65536: must be host:port", "65535"}},
      // An address that no machine has.
      {"coordinator",
       {"--listen=192.0.2.1:0", "--insecure"},
       {"192.0.2.1:0: cannot listen there"}},
      {"coordinator",
       {"--status", "--address=nonsense"},
       {"--address=nonsense: must be host:port"}},
  });
}

TEST(DistBadInputTest, AFolderThatIsNotForThisRunIsRefused) {
  const std::map<std::string, std::string> earlier = {
      {"old/checkpoints/step-00000001/model.safetensors", GoodModel()}};
  std::vector<Mistake> mistakes;
  for (const char* program : {"train_dist", "coordinator"}) {
    mistakes.push_back({program,
                        {"--run_dir=old"},
                        {"old: holds an earlier run", "--run_dir"},
                        earlier});
    mistakes.push_back({program,
                        {"--run_dir=text.txt"},
                        {"--run_dir: text.txt: ", "File exists"}});
  }
  ExpectRefused(mistakes);
}

TEST(DistBadInputTest, AnEnvironmentThatMakesNoSenseIsRefused) {
  const auto in = [](Environment environment, std::vector<std::string> told) {
    return Mistake{"train_dist", {}, std::move(told),
                   {},           {}, std::move(environment)};
  };
  const Environment first = {{"RANK", "0"},
                             {"WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "127.0.0.1"},
                             {"MASTER_PORT", "29500"}};
  const auto with = [&](const char* name, const char* value) {
    Environment environment = first;
    environment[name] = value;
    return environment;
  };
  ExpectRefused({
      in({{"CHARRNN_WORKER", "nonsense"}}, {"CHARRNN_WORKER", "supervisors"}),
      in({{"CHARRNN_WORKER", "{}"}}, {"CHARRNN_WORKER", "unset it"}),
      in(with("RANK", "2"), {"RANK=2 is not below WORLD_SIZE=2"}),
      in(with("RANK", "first"), {"RANK='first' is not a number"}),
      in(with("WORLD_SIZE", "0"), {"WORLD_SIZE='0' is not a number from 1"}),
      in(with("MASTER_ADDR", ""), {"MASTER_ADDR is missing"}),
      in(with("MASTER_PORT", "x"), {"MASTER_PORT='x' is not a number"}),
      in(with("LOCAL_RANK", "0"), {"LOCAL_WORLD_SIZE is missing"}),
      in(with("MASTER_ADDR", "0.0.0.0"),
         {"0.0.0.0:29500: other machines", "--insecure"}),
  });
}

// A job with a token that waits for its second host.
class DistBadInputJobTest : public testing::Test {
 protected:
  DistBadInputJobTest() : job_(&workplace_, "runs/a") {
    WriteGoodFiles(workplace_);
    workplace_.Write("token", "sesame\n");
    coordinator_ = job_.StartCoordinator({"--nnodes=2", "--token_file=token"});
    // Nobody means a run to which no host has come.
    EXPECT_THAT(workplace_.List(), Not(Contains("runs/latest")));
    std::vector<std::string> flags = GoodFlags("train_dist");
    flags.emplace_back("--token_file=token");
    host_ = job_.StartHost(flags);
    EXPECT_THAT(host_->WaitForOutput("workers "), IsOk());
  }

  // A host that comes to it with these flags.
  Mistake Host(std::vector<std::string> flags, std::vector<std::string> told,
               std::map<std::string, std::string> files = {}) const {
    flags.push_back(absl::StrCat("--coordinator=", job_.Address()));
    files.emplace("token", "sesame");
    return {"train_dist", std::move(flags), std::move(told), std::move(files)};
  }

  const Workplace workplace_;
  const DistJob job_;
  std::unique_ptr<Subprocess> coordinator_;
  std::unique_ptr<Subprocess> host_;
};

TEST_F(DistBadInputJobTest, AHostThatIsNotItsLikeIsRefused) {
  const char* const token = "--token_file=token";
  ExpectRefused({
      Host({}, {"the job's token", "give --token_file"}),
      Host({"--token_file=wrong"},
           {"the token is not this job's", "--token_file"},
           {{"wrong", "open\n"}}),
      Host({token, "--hidden_dim=5"},
           {"--hidden_dim=5: the job has 4", "leave the flag out"}),
      Host({token, "--seed=7"}, {"--seed=7: the job has 42"}),
      Host({token, "--reduction=overlap"},
           {"--reduction=overlap: the job has invariant"}),
      Host({token, "--data_path=other.txt"},
           {"--data_path: ", "other.txt", "another text"},
           {{"other.txt", PlainText(31)}}),
      Host({token, "--nproc_per_node=5", "--nnodes=2"},
           {"--nproc_per_node=5: 10 workers", "8 grains"}),
  });
  // None of them has disturbed the job: with a host that is as the first, it
  // succeeds.
  std::vector<std::string> flags = GoodFlags("train_dist");
  flags.emplace_back("--token_file=token");
  const std::unique_ptr<Subprocess> second = job_.StartHost(flags);
  for (Subprocess* process : {second.get(), host_.get(), coordinator_.get()}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result,
                                 process->Wait());
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  }
  EXPECT_THAT(workplace_.List(), Contains("runs/latest"));
}

TEST_F(DistBadInputJobTest, ASecondCoordinatorIsRefused) {
  const std::vector<std::string> parts = absl::StrSplit(job_.Address(), ':');
  const std::string folder =
      absl::StrCat("--run_dir=", workplace_.Path("runs/a"));
  ExpectRefused({
      {"coordinator",
       {absl::StrCat("--listen=", job_.Address())},
       {job_.Address(), "in use", "another coordinator"}},
      // One that a launcher has a host start.
      {"train_dist",
       {},
       {job_.Address(), "in use", "another coordinator"},
       {},
       {},
       {{"RANK", "0"},
        {"WORLD_SIZE", "2"},
        {"MASTER_ADDR", parts.front()},
        {"MASTER_PORT", parts.back()}}},
      {"coordinator", {folder}, {"runs/a: the run is in use", "--run_dir"}},
      {"coordinator",
       {folder, "--resume"},
       {"runs/a: the run is in use", "--run_dir"}},
      {"train_dist",
       {folder, "--resume"},
       {"runs/a: the run is in use", "--run_dir"}},
      {"coordinator",
       {"--status", absl::StrCat("--address=", job_.Address())},
       {job_.Address(), "--token_file"}},
      {"coordinator",
       {"--stop", absl::StrCat("--address=", job_.Address())},
       {job_.Address(), "--token_file"}},
  });
}

}  // namespace
}  // namespace charrnn
