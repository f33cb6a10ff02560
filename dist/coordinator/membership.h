#ifndef CHARRNN_DIST_COORDINATOR_MEMBERSHIP_H_
#define CHARRNN_DIST_COORDINATOR_MEMBERSHIP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dist/coordinator/job_state.h"  // IWYU pragma: export

namespace charrnn {

struct MembershipState;

// A place for a worker: the `local_rank`th of a host.
struct Slot {
  std::string host_id;
  int local_rank = 0;

  friend bool operator==(const Slot& a, const Slot& b) {
    return a.host_id == b.host_id && a.local_rank == b.local_rank;
  }
  friend bool operator<(const Slot& a, const Slot& b) {
    return std::tie(a.host_id, a.local_rank) <
           std::tie(b.host_id, b.local_rank);
  }
};

// A process that fills a slot; the incarnation counts them from 1.
struct WorkerId {
  Slot slot;
  int64_t incarnation = 0;
};

// How old a worker's state is; a greater one is newer, in the order of the
// members. A generation of 0: never synced.
struct StateAge {
  int64_t generation = 0;  // last synced in
  int64_t step = 0;
};

// Who trains with whom: the coordinator's state machine, by the rules of
// dist/PROTOCOL.md. It knows no network, no disk and no clock: every call is
// told the time, and what is to be said to whom is asked for when version() has
// changed. Not thread-safe.
//
//   Membership membership(options, now);
//   membership.RegisterHost("h1", "alpha", /*slots=*/2, now);
//   membership.Join({{"h1", 0}, 1}, {}, 0, "", now);
//   membership.Join({{"h1", 1}, 1}, {}, 0, "", now);
//   membership.AssignmentOf({{"h1", 0}, 1});  // generation 1, rank 0 of 2
//
// Times are on any clock that never goes back. Errors of all calls that name a
// worker: Aborted if its incarnation is dead, its host unknown or one that has
// left, or if the job has ended (job_state() tells how); InvalidArgument if its
// host has no such slot.
class Membership {
 public:
  struct Options {
    int min_hosts = 1;
    int max_hosts = 1;
    int max_workers = 8;  // the grains or rows of a batch
    absl::Duration join_window = absl::Seconds(30);
    absl::Duration silence = absl::Seconds(2.5);  // while others are heard
    absl::Duration setup_deadline = absl::Seconds(120);
    absl::Duration train_deadline = absl::Seconds(30);
    int train_deadline_steps = 20;  // median ones, if that is longer
    absl::Duration evaluate_deadline = absl::Minutes(30);  // and of saving
    absl::Duration regroup_window = absl::Seconds(0.3);
    // Of a member to join again: who evaluates or saves has evaluate_deadline,
    // and others median steps more than this.
    absl::Duration return_deadline = absl::Seconds(15);
    int return_deadline_steps = 3;
    absl::Duration restart_grace = absl::Seconds(10);
    absl::Duration missing_hosts_deadline = absl::Minutes(10);  // or all
    absl::Duration late_tick = absl::Seconds(0.5);
    int own_errors = 3;  // of a slot
    int own_steps = 20;  // of a slot that make good for its errors and deaths
    int idle_generations = 16;  // in a row that end without a new step, and
    absl::Duration idle_time = absl::Minutes(1);  // since the first of them
  };

  // What a worker is told when its generation has formed.
  struct Assignment {
    int64_t generation = 0;
    int rank = 0;
    int world_size = 0;
    // Whose state all take, and who uploads: of those with the newest state the
    // one that has been a member longest. None: the newest committed
    // checkpoint's, or if there is none the initial one; rank 0 has it.
    std::optional<int> source_rank;
    int64_t committed_step = 0;  // 0: there is no checkpoint
  };

  // What a member should do soon.
  struct Wishes {
    bool over = false;     // its generation is
    bool regroup = false;  // agree to leave it at a step's end
    bool stop = false;     // agree to save and stop at a step's end
  };
  // Of a running or past generation, for people.
  struct Generation {
    int64_t number = 0;
    int world_size = 0;
    int64_t step = 0;    // the newest when it formed
    std::string reason;  // why it formed, as in "alpha/1 died: signal 9"
  };
  enum class WorkerState { kExpected, kJoining, kMember, kReturning };
  // A live worker, for people.
  struct WorkerView {
    WorkerId id;
    std::string host_name;
    WorkerState state = WorkerState::kExpected;
    int rank = -1;  // in the running generation
    Phase phase = Phase::kSetup;
    int64_t step = 0;
    absl::Duration step_time;  // median of the last 20; 0: not known
  };
  // How a process ended, as its supervisor saw it.
  struct Exit {
    // Whether by its own error: an exit code, not a signal; also a signal that
    // programs raise themselves (abort, segmentation fault).
    bool own_error = false;
    std::string message;  // "signal 9", or the error's line
  };
  // All that must survive the coordinator's death.
  struct Durable {
    struct Host {
      std::string id;
      std::string name;
      int slots = 0;
      bool leaving = false;
      // Of each slot the newest incarnation known, whether that is dead, and
      // the first generation that it was a member of; 0: none.
      std::vector<int64_t> incarnations;
      std::vector<bool> dead;
      std::vector<int64_t> first_generations;
    };
    std::vector<Host> hosts;  // in the order in which they came
    int64_t generation = 0;   // the last one that has formed
    bool running = false;
    std::vector<WorkerId> members;  // of it, by rank
    std::optional<int> source_rank;
    int64_t committed_step_at_forming = 0;
    bool stop = false;
    JobState ended = JobState::kForming;  // kForming: it has not
    std::string first_error;
  };

  Membership(const Options& options, absl::Duration now);
  // One that was interrupted: its members are taken for alive for a while.
  // Committed() is to tell it of the newest checkpoint before anything else.
  Membership(const Options& options, const Durable& durable,
             absl::Duration now);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  void SetMaxWorkers(int max_workers);  // instead of the option's

  // A host with places for `slots` workers is there. The same again is no
  // error. Unavailable if there are max_hosts already that are not lost and
  // have not left: to be repeated; InvalidArgument, naming the numbers, if they
  // would have more workers than max_workers; FailedPrecondition if the job has
  // ended.
  absl::Status RegisterHost(const std::string& host_id,
                            const std::string& host_name, int slots,
                            absl::Duration now);

  // The supervisor of a host has been heard of. A host whose supervisor and
  // workers are all silent for 10 s is lost: it counts for nothing until it is
  // heard of again. Aborted if it is unknown; Unavailable or InvalidArgument,
  // as RegisterHost, if it was lost and others have taken its place.
  absl::Status HostAlive(const std::string& host_id, absl::Duration now);

  // Incarnations of a host that were declared dead and not reported as ended.
  std::vector<WorkerId> ToKill(const std::string& host_id) const;

  // A process has ended, also one that had been declared dead. Returns after
  // how long its slot's next one is to start; none: there is no need for one,
  // as when the job stops or has ended (which is no error here). Unavailable,
  // to be repeated, if its host was lost and there is no room for it.
  absl::StatusOr<std::optional<absl::Duration>> ReportExit(
      const WorkerId& worker, const Exit& exit, absl::Duration now);

  // A host wants its workers out at a step's end; if too few hosts would stay,
  // the job is to stop. Its workers wait, with their state, until a generation
  // without them trains. Aborted if the host is unknown.
  absl::Status LeaveHost(const std::string& host_id, absl::Duration now);
  // Whether a host that wanted to leave has: nobody needs its workers any more.
  bool HasLeft(const std::string& host_id) const;
  // A worker wants to be in the next generation. `left` is the one that it
  // leaves by this, 0 if none; `why`, for people. A member of the last one that
  // has formed leaves that alone: with a lesser `left` this is a late repeat,
  // which AssignmentOf() answers. A `left` that is newer than the last one
  // known is that from then on. The same again is no error. `needs_others`: a
  // generation without a step that ends so is held against nobody.
  absl::Status Join(const WorkerId& worker, const StateAge& age, int64_t left,
                    const std::string& why, absl::Duration now,
                    bool needs_others = false);
  // What a worker that has joined was given, until it joins again; none: it
  // still waits.
  absl::StatusOr<std::optional<Assignment>> AssignmentOf(
      const WorkerId& worker) const;
  // Sign of life. `step`: the last one applied; `step_time`: zero if none was
  // measured. A generation that is newer than the last known is over at once.
  absl::Status Heartbeat(const WorkerId& worker, int64_t generation,
                         Phase phase, int64_t step, absl::Duration step_time,
                         absl::Duration now);
  Wishes WishesOf(const WorkerId& worker, int64_t generation) const;
  // OK if `generation` is running and the worker in it; Aborted otherwise.
  absl::Status CheckMember(const WorkerId& worker, int64_t generation) const;
  // A member says that the job is over: kFinished or kStopped by the uploader
  // alone (another's is ignored), kFailed or kRefused, with its error, by
  // anybody. Aborted as CheckMember; the same again, once it has ended so, is
  // no error.
  absl::Status Finish(const WorkerId& worker, int64_t generation, JobState how,
                      const std::string& error, absl::Duration now);
  void Committed(int64_t step);  // a checkpoint
  // Ends the job with a checkpoint at an agreed step; at once if no generation
  // is running and no worker holds more than is committed.
  void RequestStop(absl::Duration now);
  // Lets time pass: for each 0.1 s. Time in which it was not called moves all
  // deadlines; time without other calls, all but missing_hosts_deadline.
  void Tick(absl::Duration now);
  // Grows whenever something changes that anybody may be waiting for.
  int64_t version() const;
  int64_t durable_version() const;  // grows whenever ToDurable() changes
  Durable ToDurable() const;
  JobState job_state() const;
  int64_t generation() const;  // the last one that has formed
  int64_t step() const;        // the newest that anybody has shown
  // "alpha/1 (rank 3), step 120: the loss is not finite"; empty: none.
  const std::string& first_error() const;
  const std::vector<Generation>& generations() const;  // last 100, in order
  std::vector<WorkerView> Workers() const;

 private:
  std::unique_ptr<MembershipState> state_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_MEMBERSHIP_H_
