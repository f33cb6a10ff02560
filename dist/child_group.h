#ifndef CHARRNN_DIST_CHILD_GROUP_H_
#define CHARRNN_DIST_CHILD_GROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dist/child_process.h"
#include "dist/file_descriptor.h"
#include "dist/process_output.h"

namespace charrnn {

// The children of a supervisor, in one process group that is not its own. One
// thread, which lives as long as the children may (see ChildProcess), makes the
// group, starts them and waits; any thread may Wake() it.
//
//   CHARRNN_ASSIGN_OR_RETURN(const std::unique_ptr<ChildGroup> group,
//                            ChildGroup::Create(sink));
//   CHARRNN_ASSIGN_OR_RETURN(const int64_t id,
//                            group->Start(options, "[alpha/1] "));
//   while (group->size() > 0) {
//     CHARRNN_ASSIGN_OR_RETURN(const ChildGroup::Event event,
//                              group->WaitForEvent(absl::Seconds(1)));
//     for (const ChildGroup::Exit& exit : event.exits) { ... }
//   }
class ChildGroup {
 public:
  // Takes a whole line of a child, prefix included, without a line end. Called
  // by WaitForEvent(), and calls nothing of the group.
  using Sink = std::function<void(OutputStream stream, absl::string_view line)>;

  struct Exit {
    int64_t id = 0;
    ProcessEnd end;
    // The last line of its stderr that says something; "" if there is none.
    std::string last_line;
  };

  // What WaitForEvent() has waited for. All of it may be absent: after the
  // timeout, or when a signal has interrupted this thread.
  struct Event {
    std::vector<Exit> exits;  // by id
    bool woken = false;       // Wake() was called since the last event
  };

  // Errors: what the system says, if it has no file descriptor left.
  static absl::StatusOr<std::unique_ptr<ChildGroup>> Create(Sink sink);

  // Kills the children that it still has, with all else that is in their
  // process group, and waits until the children are gone.
  ~ChildGroup();

  ChildGroup(const ChildGroup&) = delete;
  ChildGroup& operator=(const ChildGroup&) = delete;

  // Starts a child, each line of which gets the prefix, and returns its number
  // in this group, which no other child ever has. `options.process_group` is
  // set here. Errors: as ChildProcess::Start().
  absl::StatusOr<int64_t> Start(ChildProcessOptions options,
                                const std::string& prefix);

  // Sends `signal` to the child `id`, or to all of them, unless they have
  // ended.
  void Kill(int64_t id, int signal);
  void KillAll(int signal);

  // Children whose end no event has told yet.
  int size() const { return static_cast<int>(children_.size()); }

  // Hands the children's lines to the sink until a child ends, somebody calls
  // Wake(), `timeout` has passed or a signal was handled in this thread. A
  // child that ends is told after the last of its lines. Whoever else still has
  // its outputs open, as a grandchild may, is neither waited for nor heard any
  // more. Errors: what poll(2) says.
  absl::StatusOr<Event> WaitForEvent(absl::Duration timeout);

  // Ends a wait under way, or the next one. Thread-safe, and may be called from
  // a signal handler.
  void Wake();

 private:
  struct Child {
    std::unique_ptr<ChildProcess> process;
    ProcessOutput stdout_lines;
    ProcessOutput stderr_lines;
  };

  ChildGroup(Sink sink, FileDescriptor wake_event)
      : sink_(std::move(sink)), wake_event_(std::move(wake_event)) {}

  // The process group that the children are in; 0 if there is none.
  pid_t ProcessGroup() const;
  // Waits until there is something to do, at most for `left`. False if a signal
  // has ended the wait.
  absl::StatusOr<bool> Poll(absl::Duration left) const;
  static void TakeOutput(Child& child);
  void TakeExits(Event* event);
  bool TakeWake();

  const Sink sink_;
  const FileDescriptor wake_event_;
  int64_t last_id_ = 0;
  std::map<int64_t, Child> children_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_CHILD_GROUP_H_
