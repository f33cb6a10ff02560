#include "dist/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>  // WEXITED, says clang-tidy
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "dist/file_descriptor.h"

namespace charrnn {
namespace {

// This process's environment with `changes` made to it, as NAME=value.
std::vector<std::string> Environment(
    const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (changes.count(text.substr(0, text.find('='))) == 0) {
      result.push_back(text);
    }
  }
  for (const auto& [name, value] : changes) {
    result.push_back(absl::StrCat(name, "=", value));
  }
  return result;
}

// The array that exec(3) wants; it points into `strings`.
std::vector<char*> PointersTo(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// A pipe of which only the end that we read never blocks: the other end is the
// child's stdout, and most programs take an EAGAIN there for an error.
absl::Status MakePipe(FileDescriptor* read_end, FileDescriptor* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe for a child");
  }
  *read_end = FileDescriptor(ends[0]);
  *write_end = FileDescriptor(ends[1]);
  if (fcntl(read_end->get(), F_SETFL, O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "cannot set up a pipe for a child");
  }
  return absl::OkStatus();
}

// Who ignores SIGCHLD, as a program may be told by its parent, is not told how
// its children end.
void StopIgnoringSigchld() {
  struct sigaction action = {};
  if (sigaction(SIGCHLD, nullptr, &action) == 0 &&
      action.sa_handler == SIG_IGN) {
    signal(SIGCHLD, SIG_DFL);
  }
}

// What posix_spawn is to do to the child before the program starts.
class SpawnSettings {
 public:
  SpawnSettings(pid_t process_group, int stdout_fd, int stderr_fd) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, stdout_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, stderr_fd, STDERR_FILENO);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    for (const int number : {SIGCHLD, SIGINT, SIGPIPE, SIGQUIT, SIGTERM}) {
      sigaddset(&signals, number);
    }
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, process_group);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP |
                                               POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

ProcessEnd EndOf(const siginfo_t& info) {
  ProcessEnd end;
  if (info.si_code == CLD_EXITED) {
    end.exit_code = info.si_status;
  } else {
    end.signal = info.si_status;
  }
  return end;
}

}  // namespace

std::string ProcessEnd::ToString() const {
  if (signal != 0) {
    return absl::StrCat("signal ", signal, " (", strsignal(signal), ")");
  }
  if (exit_code >= 0) return absl::StrCat("exit code ", exit_code);
  return "an exit code that something else in the parent has taken";
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const ChildProcessOptions& options) {
  CHARRNN_CHECK(options.process_group != getpgrp())
      << "a child in the process group of its parent";
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  FileDescriptor stdout_end, stderr_end;
  CHARRNN_RETURN_IF_ERROR(MakePipe(&child->stdout_, &stdout_end));
  CHARRNN_RETURN_IF_ERROR(MakePipe(&child->stderr_, &stderr_end));
  StopIgnoringSigchld();
  CHARRNN_RETURN_IF_ERROR(
      child->Spawn(options, stdout_end.get(), stderr_end.get()));
  return child;
}

absl::Status ChildProcess::Spawn(const ChildProcessOptions& options,
                                 int stdout_fd, int stderr_fd) {
  const SpawnSettings settings(options.process_group, stdout_fd, stderr_fd);
  std::vector<std::string> arguments = options.arguments;
  arguments.insert(arguments.begin(),
                   options.name.empty() ? options.program : options.name);
  std::vector<std::string> environment = Environment(options.environment);
  pid_t pid;
  if (const int error =
          posix_spawn(&pid, options.program.c_str(), settings.actions(),
                      settings.attributes(), PointersTo(arguments).data(),
                      PointersTo(environment).data());
      error != 0) {
    return absl::ErrnoToStatus(error,
                               absl::StrCat("cannot run ", options.program));
  }
  // Debian 11's C library has no pidfd_open().
  end_event_ =
      FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!end_event_.is_open()) {
    const int error = errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return absl::ErrnoToStatus(error,
                               absl::StrCat("cannot watch ", options.program,
                                            ", for which Linux 5.3 is needed"));
  }
  pid_ = pid;
  process_group_ = options.process_group != 0 ? options.process_group : pid;
  return absl::OkStatus();
}

ChildProcess::~ChildProcess() {
  if (!end_event_.is_open()) return;
  Kill(SIGKILL);
  siginfo_t ignored;
  while (waitid(P_PID, pid_, &ignored, WEXITED) < 0 && errno == EINTR) {
  }
}

void ChildProcess::Kill(int signal) {
  // By the pidfd, which nobody else's process can be behind.
  if (end_event_.is_open()) {
    syscall(SYS_pidfd_send_signal, end_event_.get(), signal, nullptr, 0);
  }
}

std::optional<ProcessEnd> ChildProcess::TakeEnd() {
  if (!end_event_.is_open()) return end_;
  siginfo_t info = {};
  if (waitid(P_PID, pid_, &info, WEXITED | WNOHANG) == 0) {
    if (info.si_pid == 0) return std::nullopt;
    end_ = EndOf(info);
  } else {
    end_.emplace();
  }
  end_event_.Close();
  return end_;
}

std::string ChildProcess::TakeOutput(OutputStream stream) {
  FileDescriptor& pipe = stream == OutputStream::kStdout ? stdout_ : stderr_;
  if (!pipe.is_open()) return "";
  int size = 0;
  ioctl(pipe.get(), FIONREAD, &size);
  // One byte is asked for where there is none, to learn whether one may come.
  std::string result(std::max(size, 1), '\0');
  const ssize_t taken = read(pipe.get(), result.data(), result.size());
  if (taken == 0 || (taken < 0 && errno != EAGAIN && errno != EINTR)) {
    pipe.Close();
  }
  result.resize(std::max<ssize_t>(taken, 0));
  return result;
}

void DieWithParent(pid_t parent) {
  CHARRNN_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) << strerror(errno);
  // It may have ended before; then the signal will not come by itself.
  if (getppid() != parent) kill(getpid(), SIGKILL);
}

}  // namespace charrnn
