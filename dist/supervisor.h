#ifndef CHARRNN_DIST_SUPERVISOR_H_
#define CHARRNN_DIST_SUPERVISOR_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/child_group.h"
#include "dist/child_process.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"

namespace charrnn {

// Exit code of a worker that the job goes on without by no fault of its own,
// such as one that was taken for dead: sysexits.h's EX_TEMPFAIL.
inline constexpr int kStartAnewExitCode = 75;

// Starts and watches the workers of one host: tells the coordinator of each
// exit, starts the next one when it says so, and kills those that it has
// declared dead. No worker outlives it.
class Supervisor {
 public:
  struct Options {
    std::string host_id;
    std::string host_name;
    int slots = 1;
    // How the worker of a slot is started.
    std::function<ChildProcessOptions(int local_rank, int64_t incarnation,
                                      const std::string& instruction_set)>
        child;
    // What workers are to compute with, as it was agreed upon when the host
    // was registered.
    std::string instruction_set;
    // Whether this host's user wants it to leave the job.
    std::function<bool()> wants_to_leave = [] { return false; };
    // Whether the job saves and stops then, because it cannot go on without
    // this host.
    bool leaving_ends_the_job = false;
    // Where workers' lines go.
    ChildGroup::Sink sink;
    // Without the coordinator for so long, the workers are given up.
    absl::Duration longest_absence = absl::Minutes(10);
  };

  // Nothing is owned. The host has been registered.
  Supervisor(CoordinatorClient* client, Clock* clock, const Options& options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Returns when the job has ended, or this host has left it; by then no
  // worker is left. Called by a thread that lives as long. Possible errors:
  // Cancelled if the job was stopped, or the host has left; Internal, with the
  // job's first error, if it has failed; Unavailable if the coordinator was
  // away for too long; what the system says of a worker that cannot be started.
  absl::Status Run();

 private:
  struct Slot {
    int64_t incarnation = 0;
    int64_t child = 0;        // in the group; 0: none runs
    bool starts = true;       // a next one is wanted,
    absl::Duration start_at;  // on the clock
  };

  // The threads' bodies: one watches the job, one tells of exits.
  void Watch();
  void Tell();

  // The coordinator has not answered.
  void SayIfAway();
  absl::Status SayThatWeLeave();

  // Run() without what begins and ends it.
  absl::Status Supervise();
  absl::Status StartWorkers();
  void TakeExits(const std::vector<ChildGroup::Exit>& exits);
  void KillTheDead(const wire::WatchHostResponse& news);
  absl::Status HowItEnded(const wire::WatchHostResponse& news);
  // Lets the workers end by themselves for a moment, and then kills them.
  absl::Status Drain();

  CoordinatorClient* const client_;
  Clock* const clock_;
  Options options_;
  std::unique_ptr<ChildGroup> group_;
  std::vector<Slot> slots_;

  std::mutex mutex_;
  std::condition_variable to_tell_;
  // All guarded by mutex_.
  wire::WatchHostResponse news_;
  absl::Duration heard_;
  std::optional<absl::Duration> away_since_;
  bool said_away_ = false;
  absl::Status refused_;  // why no calling again helps
  std::deque<wire::ReportExitRequest> exits_;
  std::map<int, absl::Duration> respawns_;  // by local rank, on the clock
  bool leave_ = false;
  bool stopping_ = false;

  std::thread watching_;
  std::thread telling_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_SUPERVISOR_H_
