#ifndef CHARRNN_TESTING_SUBPROCESS_H_
#define CHARRNN_TESTING_SUBPROCESS_H_

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace charrnn {

struct SubprocessOptions {
  // What follows the program's name.
  std::vector<std::string> arguments;

  // Set on top of the test's own environment.
  std::map<std::string, std::string> environment;

  // Where the program starts; empty: where the test runs.
  std::string working_directory;

  // All that the program can read from stdin.
  std::string stdin_text;

  // From the start; what still runs by then is killed. Long enough for a busy
  // machine, and within the 60 s that Bazel gives a small test.
  absl::Duration deadline = absl::Seconds(50);
};

struct SubprocessResult {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;      // 0 if it ended by itself
  std::string stdout_text;
  std::string stderr_text;
};

// A program run as a process of its own, in a process group of its own, as a
// user would run it. What it writes is read at all times. Whatever is left of
// the group is killed when the program ends, at the deadline, and with this
// object.
//
//   SubprocessOptions options;
//   options.arguments = {"--data_path=a.txt"};
//   CHARRNN_ASSERT_OK_AND_ASSIGN(
//       std::unique_ptr<Subprocess> train,
//       Subprocess::Start(RunfilePath("cmd/train"), options));
//   ASSERT_THAT(train->WaitForOutput("step 100"), IsOk());
//   train->Signal(SIGKILL);
//   CHARRNN_ASSERT_OK_AND_ASSIGN(SubprocessResult result, train->Wait());
class Subprocess {
 public:
  // Starts `program`, a path or a name that PATH knows. Errors: what the system
  // says, such as kNotFound.
  static absl::StatusOr<std::unique_ptr<Subprocess>> Start(
      const std::string& program, const SubprocessOptions& options);
  ~Subprocess();

  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const { return pid_; }

  // Returns once stdout or stderr holds `text`. Errors: kDeadlineExceeded;
  // kFailedPrecondition if the program ended without it.
  absl::Status WaitForOutput(absl::string_view text);

  // Sends `signal` to the program alone, if it has not been waited for.
  void Signal(int signal);

  // Returns once the program has ended and nobody can write to its stdout and
  // stderr any more. Errors: kDeadlineExceeded.
  absl::StatusOr<SubprocessResult> Wait();

 private:
  // Closes its file descriptor.
  class Descriptor {
   public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { Reset(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int get() const { return fd_; }
    void Reset(int fd = -1);

   private:
    int fd_;
  };

  // A stream of the program, as far as it has been read.
  struct Output {
    Descriptor read_end;  // -1: at its end
    std::string* text = nullptr;
  };

  Subprocess() = default;

  static absl::Status MakePipe(Output* output, Descriptor* write_end);
  absl::Status Spawn(const std::string& program,
                     const SubprocessOptions& options, int stdin_fd,
                     int stdout_fd, int stderr_fd);
  static void Read(Output* output);
  void Reap();
  void Pump();
  bool silent() const;  // nobody can write any more
  bool over() const;    // and the program has ended

  // Returns once `done()`, which is called under `lock`, on mutex_. Errors:
  // kDeadlineExceeded.
  absl::Status Await(std::unique_lock<std::mutex>& lock,
                     absl::FunctionRef<bool()> done);

  std::string program_;
  absl::Duration deadline_;  // as Clock::Real()->Elapsed() counts
  pid_t pid_ = -1;
  Descriptor destroyed_;  // an eventfd
  std::thread pump_;
  std::mutex mutex_;              // guards what follows
  std::condition_variable news_;  // something was written, or it ended
  Descriptor exit_event_;         // a pidfd; -1: reaped
  Output stdout_;
  Output stderr_;
  SubprocessResult result_;
};

// Runs `program` from start to end.
absl::StatusOr<SubprocessResult> RunSubprocess(
    const std::string& program, const SubprocessOptions& options = {});

// The absolute path of a file that the test names in its `data`, by its path in
// this tree: RunfilePath("cmd/train") is the binary //cmd:train. Aborts if it
// is not there.
std::string RunfilePath(absl::string_view path);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_SUBPROCESS_H_
