// A supervisor in small: `child_process_test_parent FIFO` starts one worker,
// this same program, which opens the FIFO for writing, ties itself to its
// parent and says so. Both then wait to be killed.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "dist/child_process.h"

namespace charrnn {
namespace {

int Work(const std::string& fifo, const std::string& parent) {
  pid_t pid;
  CHARRNN_CHECK(absl::SimpleAtoi(parent, &pid)) << parent;
  DieWithParent(pid);
  CHARRNN_CHECK(open(fifo.c_str(), O_WRONLY) >= 0) << fifo;
  std::puts("the worker works");
  std::fflush(stdout);
  while (true) pause();
}

int Supervise(const std::string& fifo) {
  ChildProcessOptions options;
  options.program = "/proc/self/exe";
  options.arguments = {fifo, absl::StrCat(getpid())};
  const absl::StatusOr<std::unique_ptr<ChildProcess>> worker =
      ChildProcess::Start(options);
  CHARRNN_CHECK(worker.ok()) << worker.status();
  while (true) {
    pollfd event = {(*worker)->output_fd(OutputStream::kStdout), POLLIN, 0};
    poll(&event, 1, -1);
    std::fputs((*worker)->TakeOutput(OutputStream::kStdout).c_str(), stdout);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  if (argc == 2) return charrnn::Supervise(argv[1]);
  if (argc == 3) return charrnn::Work(argv[1], argv[2]);
  std::fputs("usage: child_process_test_parent FIFO\n", stderr);
  return 2;
}
