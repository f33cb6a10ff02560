#ifndef CHARRNN_DIST_CHILD_PROCESS_H_
#define CHARRNN_DIST_CHILD_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dist/file_descriptor.h"

namespace charrnn {

struct ChildProcessOptions {
  // A path; PATH is not searched.
  std::string program;

  // What the child is told to be called; empty: as the program.
  std::string name;

  // What follows the program's name.
  std::vector<std::string> arguments;

  // Set on top of this process's environment.
  std::map<std::string, std::string> environment;

  // The process group to start in, which a child that is not reaped yet is in;
  // 0: a new one. Never this process's own, so that what is typed at a terminal
  // (Ctrl+C) is for this process alone.
  pid_t process_group = 0;
};

// How a process ended.
struct ProcessEnd {
  int exit_code = -1;  // -1 if it did not end by itself
  int signal = 0;      // 0 if no signal ended it

  // "exit code 1", "signal 9 (Killed)".
  std::string ToString() const;
};

enum class OutputStream { kStdout, kStderr };

// A direct child, with both of its outputs in pipes and nothing to read from
// stdin. Nothing here waits for it but the destructor; who wants to wait polls
// the file descriptors, or leaves it to ChildGroup. Not thread safe.
//
//   ChildProcessOptions options;
//   options.program = "/proc/self/exe";
//   options.arguments = {"--worker"};
//   CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> child,
//                            ChildProcess::Start(options));
//   pollfd event = {child->end_fd(), POLLIN, 0};
//   poll(&event, 1, -1);
//   std::cerr << child->TakeOutput(OutputStream::kStderr)
//             << child->TakeEnd()->ToString();
class ChildProcess {
 public:
  // Starts the program, without fork(2), which threads such as gRPC's do not
  // survive. The child begins with no signal blocked, and with the default
  // answer to those that end a program, except SIGHUP: what nohup(1) starts
  // ignores it, with its children.
  //
  // Where it calls DieWithParent(), it ends with the *thread* that calls Start:
  // start children in one that lives as long as they may.
  //
  // Errors: what the system says, with the program's path, such as kNotFound.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const ChildProcessOptions& options);

  // Kills the child and waits until it is gone, if it has not been reaped.
  ~ChildProcess();

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  pid_t process_group() const { return process_group_; }

  // Readable (POLLIN) once the child has ended; -1 once TakeEnd() has said how.
  int end_fd() const { return end_event_.get(); }

  // Readable, or hung up, when TakeOutput() has something to do; -1 once the
  // output is closed.
  int output_fd(OutputStream stream) const { return Pipe(stream).get(); }

  // Sends `signal` to the child alone, unless it has been reaped.
  void Kill(int signal);

  // How the child ended, once it has; none while it runs. The first such answer
  // reaps it.
  std::optional<ProcessEnd> TakeEnd();

  // What lies in the pipe now, at most 64 KiB unless the child has made it
  // larger: after the child's end, all that it has written. A grandchild may
  // still hold the pipe then and write more. Closes the output at its end.
  std::string TakeOutput(OutputStream stream);

 private:
  ChildProcess() = default;

  const FileDescriptor& Pipe(OutputStream stream) const {
    return stream == OutputStream::kStdout ? stdout_ : stderr_;
  }
  absl::Status Spawn(const ChildProcessOptions& options, int stdout_fd,
                     int stderr_fd);

  pid_t pid_ = -1;
  pid_t process_group_ = -1;
  FileDescriptor end_event_;  // a pidfd; closed: reaped, or never started
  FileDescriptor stdout_;
  FileDescriptor stderr_;
  std::optional<ProcessEnd> end_;
};

// For the child, first of all: ties it to `parent`, the process that has
// started it, as it knows from its arguments. From here on SIGKILL ends it when
// the thread that has started it ends, by whatever means; at once if the parent
// is gone already.
void DieWithParent(pid_t parent);

}  // namespace charrnn

#endif  // CHARRNN_DIST_CHILD_PROCESS_H_
