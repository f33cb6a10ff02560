#include "dist/child_group.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "dist/child_process.h"
#include "dist/file_descriptor.h"
#include "dist/process_output.h"

namespace charrnn {
namespace {

// As poll(2) takes it: whole milliseconds, not less than `left`; -1 for ever.
int PollTimeout(absl::Duration left) {
  if (left == absl::InfiniteDuration()) return -1;
  const int64_t milliseconds =
      absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
  // Who waits for weeks asks again.
  return static_cast<int>(
      std::clamp<int64_t>(milliseconds, 0, std::numeric_limits<int>::max()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildGroup>> ChildGroup::Create(Sink sink) {
  FileDescriptor wake_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_event.is_open()) {
    return absl::ErrnoToStatus(errno, "cannot make an event to wait for");
  }
  return std::unique_ptr<ChildGroup>(
      new ChildGroup(std::move(sink), std::move(wake_event)));
}

ChildGroup::~ChildGroup() {
  // Its number is nobody else's as long as a child is not reaped, which is left
  // to the destructors of the children.
  if (!children_.empty()) kill(-ProcessGroup(), SIGKILL);
}

pid_t ChildGroup::ProcessGroup() const {
  // Any child that is not reaped holds the group, also one that has ended.
  return children_.empty() ? 0
                           : children_.begin()->second.process->process_group();
}

absl::StatusOr<int64_t> ChildGroup::Start(ChildProcessOptions options,
                                          const std::string& prefix) {
  options.process_group = ProcessGroup();
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> process,
                           ChildProcess::Start(options));
  const auto sink_of = [this](OutputStream stream) {
    return [this, stream](absl::string_view line) { sink_(stream, line); };
  };
  const int64_t id = ++last_id_;
  children_.emplace(
      id, Child{std::move(process),
                ProcessOutput(prefix, sink_of(OutputStream::kStdout)),
                ProcessOutput(prefix, sink_of(OutputStream::kStderr))});
  return id;
}

void ChildGroup::Kill(int64_t id, int signal) {
  const auto child = children_.find(id);
  if (child != children_.end()) child->second.process->Kill(signal);
}

void ChildGroup::KillAll(int signal) {
  for (const auto& [id, child] : children_) child.process->Kill(signal);
}

absl::StatusOr<bool> ChildGroup::Poll(absl::Duration left) const {
  std::vector<pollfd> events = {{wake_event_.get(), POLLIN, 0}};
  for (const auto& [id, child] : children_) {
    for (const int fd : {child.process->end_fd(),
                         child.process->output_fd(OutputStream::kStdout),
                         child.process->output_fd(OutputStream::kStderr)}) {
      events.push_back({fd, POLLIN, 0});
    }
  }
  if (poll(events.data(), events.size(), PollTimeout(left)) >= 0) {
    return true;
  }
  if (errno == EINTR) return false;
  return absl::ErrnoToStatus(errno, "cannot wait for the workers");
}

void ChildGroup::TakeOutput(Child& child) {
  child.stdout_lines.Append(child.process->TakeOutput(OutputStream::kStdout));
  child.stderr_lines.Append(child.process->TakeOutput(OutputStream::kStderr));
}

void ChildGroup::TakeExits(Event* event) {
  for (auto it = children_.begin(); it != children_.end();) {
    auto& [id, child] = *it;
    const std::optional<ProcessEnd> end = child.process->TakeEnd();
    // What a child writes before its end is in the pipes by then.
    TakeOutput(child);
    if (!end.has_value()) {
      ++it;
      continue;
    }
    child.stdout_lines.Finish();
    child.stderr_lines.Finish();
    event->exits.push_back({id, *end, child.stderr_lines.last_line()});
    it = children_.erase(it);
  }
}

bool ChildGroup::TakeWake() {
  uint64_t count;
  return read(wake_event_.get(), &count, sizeof(count)) == sizeof(count);
}

absl::StatusOr<ChildGroup::Event> ChildGroup::WaitForEvent(
    absl::Duration timeout) {
  const absl::Duration deadline = Clock::Real()->Elapsed() + timeout;
  Event event;
  while (true) {
    const absl::Duration left = deadline - Clock::Real()->Elapsed();
    CHARRNN_ASSIGN_OR_RETURN(const bool uninterrupted, Poll(left));
    TakeExits(&event);
    event.woken = TakeWake();
    if (!uninterrupted || event.woken || !event.exits.empty() ||
        left <= absl::ZeroDuration()) {
      return event;
    }
  }
}

void ChildGroup::Wake() {
  const int error = errno;
  // It fails only where 2^64 - 2 calls were not heard yet.
  const uint64_t one = 1;
  std::ignore = write(wake_event_.get(), &one, sizeof(one));
  errno = error;
}

}  // namespace charrnn
