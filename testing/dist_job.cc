#include "testing/dist_job.h"

#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "testing/free_port.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

// Marks the processes of a job, which the workers inherit it to.
constexpr char kMark[] = "CHARRNN_TEST_JOB";

constexpr absl::Duration kDeadline = absl::Minutes(55);

}  // namespace

DistJob::DistJob(const Workplace* workplace, std::string run_dir)
    : workplace_(workplace), run_dir_(std::move(run_dir)), port_(FreePort()) {}

std::string DistJob::Address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

std::unique_ptr<Subprocess> DistJob::StartCoordinator(
    const std::vector<std::string>& flags) const {
  std::vector<std::string> all = {absl::StrCat("--listen=", Address()),
                                  absl::StrCat("--run_dir=", run_dir_)};
  all.insert(all.end(), flags.begin(), flags.end());
  SubprocessOptions options = workplace_->Here(all);
  options.deadline = kDeadline;
  auto coordinator = Subprocess::Start(RunfilePath("cmd/coordinator"), options);
  CHARRNN_CHECK(coordinator.ok()) << coordinator.status().message();
  const absl::Status listens = (*coordinator)->WaitForOutput("listens");
  CHARRNN_CHECK(listens.ok()) << listens.message();
  workplace_->Write("coordinator.pid", absl::StrCat((*coordinator)->pid()));
  return *std::move(coordinator);
}

std::unique_ptr<Subprocess> DistJob::StartHost(
    std::vector<std::string> flags,
    const std::map<std::string, std::string>& environment) const {
  flags.push_back(absl::StrCat("--coordinator=", Address()));
  SubprocessOptions options = workplace_->Here(std::move(flags));
  options.deadline = kDeadline;
  options.environment = environment;
  options.environment[kMark] = workplace_->Path("");
  auto host = Subprocess::Start(
      RunfilePath(environment.empty() ? "cmd/train_dist"
                                      : "testing/faulty_train_dist"),
      options);
  CHARRNN_CHECK(host.ok()) << host.status().message();
  return *std::move(host);
}

SubprocessResult DistJob::Ask(const std::string& flag) const {
  return workplace_->Run("coordinator",
                         {flag, absl::StrCat("--address=", Address())});
}

std::vector<pid_t> DistJob::PidsWith(const std::string& variable) const {
  std::vector<pid_t> pids;
  const std::string mark =
      absl::StrCat(kMark, "=", workplace_->Path(""), std::string(1, '\0'));
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / "environ");
    const std::string environment((std::istreambuf_iterator<char>(file)),
                                  std::istreambuf_iterator<char>());
    if (absl::StrContains(environment, mark) &&
        absl::StrContains(environment, variable)) {
      pids.push_back(pid);
    }
  }
  return pids;
}

std::vector<pid_t> DistJob::WorkerPids() const {
  return PidsWith("CHARRNN_WORKER=");
}

std::vector<pid_t> DistJob::Pids() const { return PidsWith(kMark); }

}  // namespace charrnn
