// Runs a program in a limited memory, and measures what it has in there:
//
//   limited_run LIMIT_BYTES REPORT_FILE PROGRAM ARGUMENT...
//
// Ends as the program does. The report is JSON; where memory cannot be limited,
// or LIMIT_BYTES is 0, it says so, and the program has all that there is.

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "testing/memory_group.h"
#include "testing/resident_size.h"

namespace charrnn {
namespace {

// Often enough to see what grows for a second, and seldom enough to cost
// nothing.
constexpr int kSampleMilliseconds = 100;

// The greatest of what is seen of a process until it ends.
ResidentSize WatchToItsEnd(pid_t pid) {
  ResidentSize peak;
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  CHARRNN_CHECK(pidfd >= 0) << "this kernel has no pidfd_open(2)";
  pollfd ended = {pidfd, POLLIN, 0};
  do {
    const absl::StatusOr<std::string> smaps =
        FileSystem::Real()->ReadFile(absl::StrCat("/proc/", pid, "/smaps"));
    if (!smaps.ok()) continue;  // It has just ended.
    const ResidentSize now = ParseSmaps(*smaps);
    peak.anonymous = std::max(peak.anonymous, now.anonymous);
    peak.libtorch = std::max(peak.libtorch, now.libtorch);
    peak.files = std::max(peak.files, now.files);
  } while (poll(&ended, 1, kSampleMilliseconds) <= 0);
  close(pidfd);
  return peak;
}

int Run(int64_t limit_bytes, const std::string& report_file, char** command) {
  absl::StatusOr<std::unique_ptr<MemoryGroup>> group =
      absl::UnavailableError("no limit was asked for");
  if (limit_bytes > 0) group = MemoryGroup::Create(limit_bytes);
  const absl::Duration start = Clock::Real()->Elapsed();
  const pid_t pid = fork();
  CHARRNN_CHECK(pid >= 0) << "cannot fork";
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (group.ok()) CHARRNN_CHECK((*group)->Enter(0).ok());
    execv(command[0], command);
    std::perror(command[0]);
    _exit(127);
  }
  const ResidentSize peak = WatchToItsEnd(pid);
  int status = 0;
  CHARRNN_CHECK(waitpid(pid, &status, 0) == pid);
  const nlohmann::json report = {
      {"limited", group.ok()},
      {"note", group.ok() ? "" : std::string(group.status().message())},
      {"wall_s", absl::ToDoubleSeconds(Clock::Real()->Elapsed() - start)},
      {"anonymous", peak.anonymous},
      {"libtorch", peak.libtorch},
      {"files", peak.files}};
  const absl::Status written =
      WriteFile(*FileSystem::Real(), report_file, report.dump());
  CHARRNN_CHECK(written.ok()) << written;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  int64_t limit_bytes = 0;
  if (argc < 4 || !absl::SimpleAtoi(argv[1], &limit_bytes)) {
    std::fputs("usage: limited_run LIMIT_BYTES REPORT_FILE PROGRAM ...\n",
               stderr);
    return 2;
  }
  return charrnn::Run(limit_bytes, argv[2], argv + 3);
}
