#include "testing/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// The end of a program's output, which says best what went wrong.
std::string Tail(const SubprocessResult& result) {
  const auto tail = [](const std::string& text) {
    constexpr size_t kShown = 2000;
    return text.substr(text.size() - std::min(text.size(), kShown));
  };
  return absl::StrCat("its stdout:\n", tail(result.stdout_text),
                      "\nits stderr:\n", tail(result.stderr_text));
}

// An anonymous file that holds `text`, to be read from its start: unlike a
// pipe, nobody has to write it while the program reads. -1 on an error.
int OpenTextFile(absl::string_view text) {
  const int fd = memfd_create("stdin", MFD_CLOEXEC);
  while (fd >= 0 && !text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) {
      close(fd);
      return -1;
    }
    text.remove_prefix(written);
  }
  if (fd >= 0) lseek(fd, 0, SEEK_SET);
  return fd;
}

// This process's environment with `changes` made to it, as NAME=value.
std::vector<std::string> Environment(
    const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    // Where `bazel run` was typed; ours start in folders of their own.
    if (name == "BUILD_WORKING_DIRECTORY") continue;
    if (changes.count(name) == 0) result.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    result.push_back(absl::StrCat(name, "=", value));
  }
  return result;
}

// The array that exec(3) wants; it points into `strings`.
std::vector<char*> PointersTo(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

void Subprocess::Descriptor::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

absl::Status Subprocess::MakePipe(Output* output, Descriptor* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe");
  }
  output->read_end.Reset(ends[0]);
  write_end->Reset(ends[1]);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Subprocess>> Subprocess::Start(
    const std::string& program, const SubprocessOptions& options) {
  std::unique_ptr<Subprocess> process(new Subprocess);
  process->program_ = program;
  process->deadline_ = Clock::Real()->Elapsed() + options.deadline;
  process->stdout_.text = &process->result_.stdout_text;
  process->stderr_.text = &process->result_.stderr_text;
  Descriptor stdout_end, stderr_end;
  CHARRNN_RETURN_IF_ERROR(MakePipe(&process->stdout_, &stdout_end));
  CHARRNN_RETURN_IF_ERROR(MakePipe(&process->stderr_, &stderr_end));
  const Descriptor stdin_file(OpenTextFile(options.stdin_text));
  if (stdin_file.get() < 0) {
    return absl::ErrnoToStatus(errno, "cannot make a file for stdin");
  }
  CHARRNN_RETURN_IF_ERROR(process->Spawn(program, options, stdin_file.get(),
                                         stdout_end.get(), stderr_end.get()));
  // Debian 11's C library has no pidfd_open().
  process->exit_event_.Reset(
      static_cast<int>(syscall(SYS_pidfd_open, process->pid_, 0)));
  CHARRNN_CHECK(process->exit_event_.get() >= 0) << "pidfd_open: " << errno;
  process->destroyed_.Reset(eventfd(0, EFD_CLOEXEC));
  CHARRNN_CHECK(process->destroyed_.get() >= 0) << "eventfd: " << errno;
  process->pump_ = std::thread([process = process.get()] { process->Pump(); });
  return process;
}

absl::Status Subprocess::Spawn(const std::string& program,
                               const SubprocessOptions& options, int stdin_fd,
                               int stdout_fd, int stderr_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
  if (!options.working_directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions,
                                         options.working_directory.c_str());
  }
  // A group of its own, and the default answer to SIGPIPE, as under a shell.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> arguments = options.arguments;
  arguments.insert(arguments.begin(), program);
  std::vector<std::string> environment = Environment(options.environment);
  const int error = posix_spawnp(&pid_, program.c_str(), &actions, &attributes,
                                 PointersTo(arguments).data(),
                                 PointersTo(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    return absl::ErrnoToStatus(error, absl::StrCat("cannot run ", program));
  }
  return absl::OkStatus();
}

Subprocess::~Subprocess() {
  Signal(SIGKILL);
  if (!pump_.joinable()) return;
  const uint64_t one = 1;
  CHARRNN_CHECK(write(destroyed_.get(), &one, sizeof(one)) == sizeof(one));
  pump_.join();
  if (exit_event_.get() >= 0) Reap();
}

void Subprocess::Signal(int signal) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (exit_event_.get() >= 0) kill(pid_, signal);
}

// Takes the exit status of the program, which has ended or is about to.
void Subprocess::Reap() {
  // Until it is reaped, nobody else can have its number.
  siginfo_t ignored;
  while (waitid(P_PID, pid_, &ignored, WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
  kill(-pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  exit_event_.Reset();
}

void Subprocess::Read(Output* output) {
  char buffer[1 << 14];
  const ssize_t size = read(output->read_end.get(), buffer, sizeof(buffer));
  if (size > 0) {
    output->text->append(buffer, size);
  } else if (size == 0 || errno != EINTR) {
    output->read_end.Reset();
  }
}

bool Subprocess::silent() const {
  return stdout_.read_end.get() < 0 && stderr_.read_end.get() < 0;
}

bool Subprocess::over() const { return exit_event_.get() < 0 && silent(); }

// Takes in what the program writes, and its end. A thread of its own does it,
// because a program whose pipes nobody reads stands still once they are full.
void Subprocess::Pump() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!over()) {
    // poll(2) passes over negative descriptors.
    pollfd events[] = {{stdout_.read_end.get(), POLLIN, 0},
                       {stderr_.read_end.get(), POLLIN, 0},
                       {exit_event_.get(), POLLIN, 0},
                       {destroyed_.get(), POLLIN, 0}};
    lock.unlock();
    poll(events, std::size(events), -1);
    lock.lock();
    if (events[3].revents != 0) return;
    if (events[0].revents != 0) Read(&stdout_);
    if (events[1].revents != 0) Read(&stderr_);
    if (events[2].revents != 0) Reap();
    news_.notify_all();
  }
}

absl::Status Subprocess::Await(std::unique_lock<std::mutex>& lock,
                               absl::FunctionRef<bool()> done) {
  const absl::Duration left = deadline_ - Clock::Real()->Elapsed();
  if (news_.wait_for(lock, absl::ToChronoMilliseconds(left), done)) {
    return absl::OkStatus();
  }
  if (exit_event_.get() >= 0) kill(-pid_, SIGKILL);
  return absl::DeadlineExceededError(
      absl::StrCat(program_, " did not end in time; ", Tail(result_)));
}

absl::Status Subprocess::WaitForOutput(absl::string_view text) {
  const auto found = [&] {
    return absl::StrContains(result_.stdout_text, text) ||
           absl::StrContains(result_.stderr_text, text);
  };
  std::unique_lock<std::mutex> lock(mutex_);
  CHARRNN_RETURN_IF_ERROR(Await(lock, [&] { return found() || silent(); }));
  if (found()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      program_, " ended without writing '", text, "'; ", Tail(result_)));
}

absl::StatusOr<SubprocessResult> Subprocess::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  CHARRNN_RETURN_IF_ERROR(Await(lock, [&] { return over(); }));
  return result_;
}

absl::StatusOr<SubprocessResult> RunSubprocess(
    const std::string& program, const SubprocessOptions& options) {
  CHARRNN_ASSIGN_OR_RETURN(const std::unique_ptr<Subprocess> process,
                           Subprocess::Start(program, options));
  return process->Wait();
}

std::string RunfilePath(absl::string_view path) {
  const char* sources = getenv("TEST_SRCDIR");
  const char* workspace = getenv("TEST_WORKSPACE");
  // `bazel run` starts a program at the root of its runfiles.
  const std::string root = sources != nullptr && workspace != nullptr
                               ? absl::StrCat(sources, "/", workspace)
                               : std::filesystem::current_path().string();
  const std::string result = absl::StrCat(root, "/", path);
  CHARRNN_CHECK(std::filesystem::exists(result))
      << result << " is missing: name it in the target's `data`";
  return result;
}

}  // namespace charrnn
