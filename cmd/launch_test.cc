// The launch script with pretended hosts: an `ssh` that stays here, and
// programs that are scripts.

#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

namespace fs = std::filesystem;

// "ssh OPTIONS HOST COMMAND...": a host of which there is a file down.HOST is
// not there, and one of lost.HOST loses its connection.
constexpr absl::string_view kSsh = R"(#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -o ]] && shift; shift; done
export HERE=$1
echo "Welcome to $1"
if [[ -e down.$1 ]]; then
  echo "ssh: connect to host $1 port 22: Connection refused"
  exit 255
fi
bash -c "${*:2}"
code=$?
if [[ -e lost.$1 ]]; then exit 255; fi
exit "$code"
)";

// What scripts begin with.
constexpr absl::string_view kPreamble = R"(#!/bin/bash
await() { until [[ -e $1 ]]; do sleep 0.02; done; }
for argument; do
  case $argument in
    --host_name=*) host=${argument#*=} ;;
    --token_file=*) token=${argument#*=} ;;
  esac
done
)";

// A coordinator that ends with the code in the file `end`, or when it is asked
// to stop.
constexpr absl::string_view kCoordinator = R"(
if [[ $1 == --stop ]]; then : > end; exit; fi
printf '%s\n' "$@" > coordinator.arguments
cat "$token" > coordinator.token
echo started >> coordinator.starts
await end
code=$(< end)
exit "${code:-3}"
)";

// A host that ends when the job does.
constexpr absl::string_view kTrainDist = R"(
printf '%s\n' "$@" > "$host.arguments"
cat "$token" > "$host.token"
stat --format=%a "$token" "${token%/*}" > "$host.modes"
echo $$ > "$host.pid"
echo $PPID > "$host.shell"
echo started >> "$host.starts"
echo training
await end
code=$(< end)
exit "${code:-3}"
)";

class LaunchTest : public testing::Test {
 protected:
  LaunchTest() {
    Script("path/ssh", kSsh);
    Script("bin/coordinator", absl::StrCat(kPreamble, kCoordinator));
    Script("bin/train_dist", absl::StrCat(kPreamble, kTrainDist));
    workplace_.Write("hosts", "alpha:2\nbeta  # by the window\n");
    workplace_.Write("tmp/", "");
  }

  void Script(absl::string_view name, absl::string_view text) const {
    workplace_.Write(name, text);
    fs::permissions(workplace_.Path(name), fs::perms::owner_all);
  }

  SubprocessOptions Here(std::vector<std::string> arguments) const {
    SubprocessOptions options = workplace_.Here(std::move(arguments));
    options.environment["PATH"] =
        absl::StrCat(workplace_.Path("path"), ":/usr/bin:/bin");
    options.environment["TMPDIR"] = workplace_.Path("tmp");
    return options;
  }

  SubprocessResult Launch(std::vector<std::string> arguments) const {
    return workplace_.Run("launch.sh", Here(std::move(arguments)));
  }

  // Starts launch, and returns once its hosts train.
  std::unique_ptr<Subprocess> Training(
      const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> arguments = {"--hostfile=hosts", "--bin=bin"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    auto launch = Subprocess::Start(RunfilePath("cmd/launch.sh"),
                                    Here(std::move(arguments)));
    EXPECT_THAT(launch, IsOk());
    for (const char* host : {"alpha", "beta"}) {
      EXPECT_THAT(
          (*launch)->WaitForOutput(absl::StrCat("[", host, "] training\n")),
          IsOk());
    }
    return *std::move(launch);
  }

  // Ends the job as if it were the programs' doing.
  void End(int code) const {
    workplace_.Write("new_end", absl::StrCat(code));
    fs::rename(workplace_.Path("new_end"), workplace_.Path("end"));
  }

  pid_t Pid(absl::string_view name) const {
    pid_t pid = 0;
    EXPECT_TRUE(absl::SimpleAtoi(workplace_.Read(name), &pid)) << name;
    return pid;
  }

  std::vector<std::string> Lines(absl::string_view name) const {
    return absl::StrSplit(workplace_.Read(name), '\n', absl::SkipEmpty());
  }

  // The files that launch and the hosts' shells have left.
  std::vector<std::string> Left() const {
    std::vector<std::string> names = workplace_.List();
    names.erase(std::remove_if(names.begin(), names.end(),
                               [](const std::string& name) {
                                 return !absl::StartsWith(name, "tmp/");
                               }),
                names.end());
    return names;
  }

  const Workplace workplace_;
};

// Returns once the process is no more; the test's deadline is the limit.
void AwaitEnd(pid_t pid) {
  while (kill(pid, 0) == 0) {
  }
}

TEST_F(LaunchTest, DryRunShowsEachProgram) {
  workplace_.Write("hosts", "2001:db8::7\n[2001:db8::8]:3\n");
  const SubprocessResult wrong = Launch({"--hostfile=hosts", "--dry_run"});
  EXPECT_EQ(wrong.exit_code, 2);
  workplace_.Write("hosts", "[2001:db8::7]\n[2001:db8::8]:3\n");
  const SubprocessResult result =
      Launch({"--hostfile", "hosts", "--bin=/opt/charrnn", "-run_dir=runs/a",
              "--nnodes=1:2", "--port=4000", "--collective_timeout=3s",
              "--dry_run", "--", "--num_epochs=3", "--data_path=my text"});
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_EQ(result.stdout_text,
            "2001:db8::7: /opt/charrnn/coordinator --token_file=TOKEN "
            "--tls_cert=CERTIFICATE --tls_key=KEY --listen=0.0.0.0:4000 "
            "--nnodes=1:2 --run_dir=runs/a --collective_timeout=3s\n"
            "2001:db8::7: /opt/charrnn/train_dist --token_file=TOKEN "
            "--tls_ca=CERTIFICATE --host_name=2001:db8::7 "
            "--nproc_per_node=auto --coordinator=\\[2001:db8::7\\]:4000 "
            "--nnodes=1:2 --collective_timeout=3s --num_epochs=3 "
            "--data_path=my\\ text\n"
            "2001:db8::8: /opt/charrnn/train_dist --token_file=TOKEN "
            "--tls_ca=CERTIFICATE --host_name=2001:db8::8 "
            "--nproc_per_node=3 --coordinator=\\[2001:db8::7\\]:4000 "
            "--nnodes=1:2 --collective_timeout=3s --num_epochs=3 "
            "--data_path=my\\ text\n");
}

TEST_F(LaunchTest, BadInputIsOneLine) {
  workplace_.Write("bad", "alpha\nbeta:0\n");
  using Case = std::pair<std::vector<std::string>, std::string>;
  for (const auto& [arguments, line] : std::vector<Case>{
           {{"--hostfile=bad"}, "bad:2: slots '0' are not a number from 1 to"},
           {{"--hostfile=nowhere"}, "nowhere: cannot open"},
           {{}, "name the hosts with --hostfile=FILE, or start launch in"},
           {{"--hostfil=hosts"}, "unknown flag --hostfil; --help lists"},
           {{"--hostfile"}, "--hostfile: needs a value"},
           {{"hosts"}, "unexpected argument 'hosts'"},
           {{"--resume=no"}, "--resume=no: must be true or false"},
           {{"--hostfile=hosts", "--port=0"}, "--port=0: must be a number"},
           {{"--hostfile=hosts", "--nnodes=2:1"}, "--nnodes=2:1: MIN is more"},
           {{"--hostfile=hosts", "--nnodes=x"}, "--nnodes=x: must be a number"},
           {{"--hostfile=hosts", "--nnodes=3"}, "--nnodes=3: there are only 2"},
           {{"--hostfile=hosts", "--nnodes=1"},
            "--nnodes=1: there are 2 hosts"},
           {{"--hostfile=hosts", "--", "--run_dir=a"},
            "--run_dir=a: stands before the --"},
           {{"--hostfile=hosts", "--", "--tls_ca", "a"},
            "--tls_ca: launch gives it to each host itself"},
           {{"--kubernetes", "--nnodes=2"}, "--kubernetes: name the container"},
       }) {
    const SubprocessResult result = Launch(arguments);
    EXPECT_EQ(result.exit_code, 2) << line;
    EXPECT_THAT(result.stderr_text, StartsWith(absl::StrCat("launch: ", line)));
    EXPECT_EQ(result.stderr_text.find('\n'), result.stderr_text.size() - 1)
        << result.stderr_text;
  }
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(LaunchTest, EndsAsTheJobDoes) {
  for (const int code : {0, 1, 3}) {
    const std::unique_ptr<Subprocess> launch = Training();
    End(code);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
    EXPECT_EQ(result.exit_code, code) << result.stderr_text;
    EXPECT_THAT(Left(), IsEmpty());
    fs::remove(workplace_.Path("end"));
  }
  EXPECT_THAT(Lines("coordinator.starts"), SizeIs(3));
  EXPECT_THAT(Lines("beta.starts"), SizeIs(3));
}

TEST_F(LaunchTest, ProgramsAreToldWhatTheyNeedAndSecretsInFiles) {
  const std::unique_ptr<Subprocess> launch = Training(
      {"--run_dir=runs/a", "--resume", "--join_window=5s", "--", "--seed=7"});
  End(0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(
      Lines("coordinator.arguments"),
      IsSupersetOf({"--listen=0.0.0.0:29400", "--nnodes=2", "--run_dir=runs/a",
                    "--resume", "--join_window=5s"}));
  EXPECT_THAT(Lines("coordinator.arguments"),
              IsSupersetOf({StartsWith("--tls_cert="), StartsWith("--tls_key="),
                            StartsWith("--token_file=")}));
  EXPECT_THAT(
      Lines("alpha.arguments"),
      IsSupersetOf({"--coordinator=alpha:29400", "--host_name=alpha",
                    "--nnodes=2", "--nproc_per_node=2", "--join_window=5s"}));
  EXPECT_THAT(Lines("beta.arguments"),
              AllOf(IsSupersetOf({"--host_name=beta", "--nproc_per_node=auto"}),
                    Contains(StartsWith("--tls_ca=")),
                    Not(Contains(StartsWith("--tls_key")))));
  EXPECT_EQ(Lines("alpha.arguments").back(), "--seed=7");

  EXPECT_THAT(Lines("alpha.modes"), ElementsAre("600", "700"));
  const std::string token = workplace_.Read("alpha.token");
  EXPECT_GE(token.size(), 64);
  EXPECT_EQ(workplace_.Read("beta.token"), token);
  EXPECT_EQ(workplace_.Read("coordinator.token"), token);
  const std::string secret = token.substr(0, 64);
  EXPECT_THAT(workplace_.Read("alpha.arguments"), Not(HasSubstr(secret)));
  EXPECT_THAT(result.stderr_text, Not(HasSubstr(secret)));
}

TEST_F(LaunchTest, LinesSayWhichHostTheyAreFrom) {
  Script("bin/train_dist", absl::StrCat(kPreamble, R"(
    echo "[$host/0] of a worker"
    echo "[other] no prefix of $host's"
    printf 'no end of line'
    : > "$host.done"
  )"));
  Script("bin/coordinator", absl::StrCat(kPreamble, R"(
    await alpha.done
    await beta.done
    echo bye >&2
  )"));
  const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(absl::StrSplit(result.stderr_text, '\n'),
              IsSupersetOf({"[alpha/0] of a worker", "[beta/0] of a worker",
                            "[beta] [other] no prefix of beta's",
                            "[alpha] no end of line", "[alpha] bye"}));
  EXPECT_THAT(result.stderr_text, Not(HasSubstr("Welcome")));
  EXPECT_EQ(result.stdout_text, "");
}

TEST_F(LaunchTest, HostThatIsNotThereIsOneLineAndNothingStarts) {
  for (const char* host : {"alpha", "beta"}) {
    workplace_.Write(absl::StrCat("down.", host), "");
    const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.stderr_text,
              absl::StrCat("launch: ", host, ": ssh: connect to host ", host,
                           " port 22: Connection refused\n"));
    fs::remove(workplace_.Path(absl::StrCat("down.", host)));
  }
  fs::remove(workplace_.Path("bin/train_dist"));
  const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("bin/train_dist: copy or share"));
  EXPECT_THAT(workplace_.List(), Not(Contains("coordinator.starts")));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(LaunchTest, JobOfFewerHostsBeginsWithoutTheOneThatIsNotThere) {
  workplace_.Write("down.beta", "");
  workplace_.Write("end", "0");
  const SubprocessResult result =
      Launch({"--hostfile=hosts", "--bin=bin", "--nnodes=1:2"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.stderr_text,
              AllOf(HasSubstr("beta: ssh: connect"), HasSubstr("1 of 2 hosts"),
                    HasSubstr("[alpha] training")));
}

TEST_F(LaunchTest, RefusedFlagEndsTheJob) {
  Script("bin/train_dist",
         absl::StrCat(kPreamble, "echo no such flag; exit 2"));
  const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("] no such flag\n"));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(LaunchTest, RunThatCannotBeOpenedEndsTheJob) {
  Script("bin/coordinator", absl::StrCat(kPreamble, "echo in use; exit 2"));
  const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.stderr_text, HasSubstr("[alpha] in use\n"));
}

TEST_F(LaunchTest, ProgramsThatAreKilledAreStartedAgain) {
  Script("bin/coordinator", absl::StrCat(kPreamble, R"(
    echo started >> coordinator.starts
    if [[ -e coordinator.killed ]]; then await end; exit $(< end); fi
    : > coordinator.killed
    await beta.pid
    kill -9 $$
  )"));
  const std::unique_ptr<Subprocess> launch = Training();
  ASSERT_THAT(launch->WaitForOutput("launch: the coordinator has ended with "
                                    "code 137: starting it again\n"),
              IsOk());
  kill(Pid("beta.pid"), SIGKILL);
  ASSERT_THAT(launch->WaitForOutput("launch: beta: train_dist has ended with "
                                    "code 137: starting it again\n"
                                    "[beta] training\n"),
              IsOk());
  End(0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(Lines("coordinator.starts"), SizeIs(2));
  EXPECT_THAT(Lines("alpha.starts"), SizeIs(1));
  EXPECT_THAT(Lines("beta.starts"), SizeIs(2));
}

TEST_F(LaunchTest, CoordinatorThatWasAskedToEndIsStartedAgain) {
  Script("bin/coordinator", absl::StrCat(kPreamble, R"(
    echo started >> coordinator.starts
    if [[ -e coordinator.ended ]]; then
      echo back
      await end
      exit $(< end)
    fi
    : > coordinator.ended
    exit 3
  )"));
  const std::unique_ptr<Subprocess> launch = Training();
  ASSERT_THAT(launch->WaitForOutput("starting it again\n[alpha] back\n"),
              IsOk());
  End(0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(Lines("coordinator.starts"), SizeIs(2));
}

TEST_F(LaunchTest, CoordinatorThatCannotBeginIsGivenUp) {
  Script("bin/coordinator", absl::StrCat(kPreamble, R"(
    echo started >> coordinator.starts
    exit 1
  )"));
  const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
  EXPECT_EQ(result.exit_code, 1) << result.stderr_text;
  EXPECT_THAT(Lines("coordinator.starts"), SizeIs(2));
}

TEST_F(LaunchTest, WhatRunsOnAHostEndsWithItsConnection) {
  const std::unique_ptr<Subprocess> launch = Training();
  const pid_t program = Pid("beta.pid");
  workplace_.Write("lost.beta", "");
  kill(Pid("beta.shell"), SIGKILL);
  ASSERT_THAT(launch->WaitForOutput("launch: beta: the connection was lost\n"
                                    "[beta] training\n"),
              IsOk());
  AwaitEnd(program);
  End(0);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
}

TEST_F(LaunchTest, FirstSignalLetsTheJobSaveAndEnd) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const std::unique_ptr<Subprocess> launch = Training();
    launch->Signal(signal);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
    EXPECT_EQ(result.exit_code, 3) << result.stderr_text;
    EXPECT_THAT(result.stderr_text, HasSubstr("launch: stopping"));
    EXPECT_THAT(Left(), IsEmpty());
    fs::remove(workplace_.Path("end"));
  }
}

TEST_F(LaunchTest, JobIsStoppedAlsoIfNobodyReadsAnyMore) {
  // As in `launch |& tee log`, of which Ctrl+C ends `tee` as well.
  Script("bin/train_dist", absl::StrCat(kPreamble, R"(
    until [[ -e end ]]; do echo training; sleep 0.02; done
    exit 3
  )"));
  SubprocessOptions options = Here(
      {"-c", "exec \"$@\" 2> >(head -n 3 >&2; exec 2>&-; : > deaf)", "bash",
       RunfilePath("cmd/launch.sh"), "--hostfile=hosts", "--bin=bin"});
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Subprocess> launch,
                               Subprocess::Start("bash", options));
  while (!fs::exists(workplace_.Path("deaf"))) {
  }
  launch->Signal(SIGINT);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 3) << result.stderr_text;
  // Which the coordinator has written when it was asked to stop.
  EXPECT_TRUE(fs::exists(workplace_.Path("end")));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(LaunchTest, CoordinatorThatIsAwayHearsOfTheStopWhenItIsBack) {
  Script("bin/coordinator", absl::StrCat(kPreamble, R"(
    if [[ $1 == --stop ]]; then
      if [[ ! -e back ]]; then : > asked; exit 1; fi
      : > end
      exit
    fi
    if [[ -e asked ]]; then : > back; await end; exit 3; fi
    await asked
    kill -9 $$
  )"));
  const std::unique_ptr<Subprocess> launch = Training();
  launch->Signal(SIGINT);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 3) << result.stderr_text;
  EXPECT_THAT(result.stderr_text, HasSubstr("starting it again"));
}

TEST_F(LaunchTest, SecondSignalEndsAllAtOnce) {
  Script("bin/coordinator", absl::StrCat(kPreamble, R"(
    if [[ $1 == --stop ]]; then echo asked; exit; fi
    echo $$ > coordinator.pid
    await nothing
  )"));
  const std::unique_ptr<Subprocess> launch = Training();
  launch->Signal(SIGINT);
  ASSERT_THAT(launch->WaitForOutput("[alpha] asked"), IsOk());
  launch->Signal(SIGINT);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, launch->Wait());
  EXPECT_EQ(result.exit_code, 3) << result.stderr_text;
  for (const char* name : {"coordinator.pid", "alpha.pid", "beta.pid"}) {
    EXPECT_EQ(kill(Pid(name), 0), -1) << name;
  }
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(LaunchTest, NothingRunsOnWhenLaunchIsKilled) {
  const std::unique_ptr<Subprocess> launch = Training();
  launch->Signal(SIGKILL);
  AwaitEnd(Pid("alpha.pid"));
  AwaitEnd(Pid("beta.pid"));
  AwaitEnd(Pid("beta.shell"));
  EXPECT_THAT(workplace_.List(), Not(Contains(HasSubstr("/token"))));
}

TEST_F(LaunchTest, FirstHostIsToldItsAddressIfItTakesItselfForLoopback) {
  Script("path/getent", R"(#!/bin/bash
    if [[ $HERE == alpha ]]; then echo 127.0.1.1 STREAM alpha; fi
    if [[ $HERE != alpha ]]; then echo 10.0.0.5 STREAM alpha; fi
  )");
  workplace_.Write("end", "0");
  const SubprocessResult result = Launch({"--hostfile=hosts", "--bin=bin"});
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(Lines("alpha.arguments"), Contains("--address=10.0.0.5"));
  EXPECT_THAT(Lines("beta.arguments"), Not(Contains(StartsWith("--address"))));
}

TEST_F(LaunchTest, FirstHostThatOthersCannotFindYetIsToldOneOfItsAddresses) {
  Script("path/getent", "#!/bin/bash\necho 127.0.1.1 STREAM alpha\n");
  Script("path/hostname", "#!/bin/bash\necho 10.0.0.6 10.1.0.6\n");
  workplace_.Write("down.beta", "");
  workplace_.Write("end", "0");
  const SubprocessResult result =
      Launch({"--hostfile=hosts", "--bin=bin", "--nnodes=1:2"});
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(Lines("alpha.arguments"), Contains("--address=10.0.0.6"));
}

TEST_F(LaunchTest, SlurmTellsTheHostsAndReachesThem) {
  Script("path/scontrol",
         "#!/bin/bash\n[[ $3 == 'gpu[1-2]' ]] && "
         "printf 'gpu1\\ngpu2\\n'");
  Script("path/srun", R"(#!/bin/bash
    while [[ $1 == -* ]]; do
      if [[ $1 == --nodelist=* ]]; then node=${1#*=}; fi
      shift
    done
    echo "$node" >> nodes
    SLURM_PROCID=0 exec "$@"
  )");
  Script("bin/train_dist", absl::StrCat(kPreamble, R"(
    printf '%s\n' "$@" > "$host.arguments"
    echo "procid ${SLURM_PROCID:-none}"
    await end
    exit 0
  )"));
  workplace_.Write("end", "0");
  SubprocessOptions options = Here({"--bin=bin"});
  options.environment["SLURM_JOB_ID"] = "7";
  options.environment["SLURM_JOB_NODELIST"] = "gpu[1-2]";
  options.environment["SLURM_NTASKS_PER_NODE"] = "4";
  const SubprocessResult result = workplace_.Run("launch.sh", options);
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_THAT(Lines("nodes"), UnorderedElementsAre("gpu1", "gpu1", "gpu2"));
  EXPECT_THAT(Lines("gpu2.arguments"),
              IsSupersetOf({"--coordinator=gpu1:29400", "--nproc_per_node=4"}));
  EXPECT_THAT(result.stderr_text, HasSubstr("[gpu2] procid none\n"));
}

TEST_F(LaunchTest, MissingOpensslIsOneLine) {
  SubprocessOptions options = Here({"--hostfile=hosts", "--bin=bin"});
  for (const char* program : {"bash", "dirname", "date"}) {
    fs::create_symlink(absl::StrCat("/usr/bin/", program),
                       workplace_.Path(absl::StrCat("path/", program)));
  }
  options.environment["PATH"] = workplace_.Path("path");
  const SubprocessResult result = workplace_.Run("launch.sh", options);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stderr_text,
            "launch: openssl is missing, which makes the coordinator's "
            "certificate: install it\n");
}

TEST_F(LaunchTest, ManifestThatCannotBeWrittenIsNone) {
  const SubprocessResult result =
      Launch({"--kubernetes", "--image=registry/charrnn:1", "--nnodes=2", "--",
              "--prompt=a\nb"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stdout_text, "");
  EXPECT_THAT(result.stderr_text, HasSubstr("control characters"));
}

TEST_F(LaunchTest, ManifestHasAllThatAJobNeeds) {
  const SubprocessResult result =
      Launch({"--kubernetes", "--image=registry/charrnn:1", "--nnodes=2:3",
              "--bin=/app", "--", "--data_path=/data/a \"b\" $(c)"});
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  const std::vector<std::string> lines =
      absl::StrSplit(result.stdout_text, '\n');
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "kind: Job"), 2);
  EXPECT_THAT(
      lines,
      IsSupersetOf(
          {"kind: Secret", "kind: PersistentVolumeClaim", "kind: Service",
           "  clusterIP: None", "  completionMode: Indexed", "  completions: 3",
           "        image: registry/charrnn:1",
           "          - \"/app/coordinator\"", "          - \"--nnodes=2:3\"",
           "          - \"/app/train_dist\"",
           "          - \"--coordinator=charrnn-coordinator:29400\"",
           "          - \"--data_path=/data/a \\\"b\\\" $$(c)\""}));
  EXPECT_THAT(lines, Contains("    -----BEGIN CERTIFICATE-----"));
  EXPECT_THAT(lines, Contains("    -----BEGIN PRIVATE KEY-----"));
}

}  // namespace
}  // namespace charrnn
