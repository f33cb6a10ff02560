#ifndef CHARRNN_DIST_COORDINATOR_MEMBERSHIP_STATE_H_
#define CHARRNN_DIST_COORDINATOR_MEMBERSHIP_STATE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"

namespace charrnn {

inline bool operator<(const StateAge& a, const StateAge& b) {
  return std::tie(a.generation, a.step) < std::tie(b.generation, b.step);
}

// What a Membership knows, and the transitions that several of its calls share.
//
// Every time in here is of a clock of its own, `t`, which stands still while
// the coordinator is asleep or hears nobody: so every deadline moves by as
// much, and none by more than has passed of it.
struct MembershipState {
  // What is known of a slot's newest incarnation.
  enum class Life {
    kAwaited,    // its host is there, and nothing was heard of it
    kExpected,   // has been heard of and has not joined yet
    kJoining,    // waits for the next generation
    kLeftOut,    // has joined, and is not let in yet
    kMember,     // of the running generation
    kReturning,  // was a member of the last one, which is over
    kDead,
  };

  struct Host;

  // A slot.
  struct Place {
    Host* host = nullptr;
    int local_rank = 0;

    // Of the newest incarnation known.
    int64_t incarnation = 0;
    Life life = Life::kAwaited;
    absl::Duration heard;  // when last
    absl::Duration since;  // when its life, or as a member phase or step, began
    Phase phase = Phase::kSetup;
    int64_t step = 0;
    std::vector<absl::Duration> step_times;  // a ring of the last ones
    size_t num_step_times = 0;               // that there have been
    absl::Duration median_step_time;
    int64_t first_generation = 0;  // that it was a member of; 0: none
    StateAge age;                  // as it joined
    int64_t left = 0;              // as it joined
    bool was_productive = false;   // in the last generation with steps
    // In the last generation that formed; -1: none, or it has left that.
    int rank = -1;
    int last_rank = -1;          // for people; -1: none
    bool told_of_death = false;  // a call of it was refused

    // Of all incarnations.
    std::vector<int64_t> to_kill;
    int64_t own_steps = 0;  // that it has applied since the last death
    int deaths = 0;         // without so many between that count
    int errors = 0;         // likewise
    absl::Duration respawn_at;
    int failures = 0;  // generations without steps since one that had some
    absl::Duration left_out_until;
    std::string first_error;  // of those
  };

  struct Host {
    std::string id;
    std::string name;
    absl::Duration heard;  // of it or its workers, when last
    bool lost = false;
    bool leaving = false;
    bool waits = false;   // implies leaving: until those who stay train
    bool left = false;    // implies leaving
    int num_joining = 0;  // of its places
    std::vector<Place> places;

    // Whether it counts for something.
    bool present() const { return !lost && !left; }
  };

  MembershipState(const Membership::Options& the_options, absl::Duration now)
      : options(the_options), last_tick(now), last_call(now) {}
  MembershipState(const MembershipState&) = delete;
  MembershipState& operator=(const MembershipState&) = delete;

  // Begin what is told the time, ObserveCall if somebody is heard: return `t`.
  absl::Duration Observe(absl::Duration now);
  absl::Duration ObserveCall(absl::Duration now);
  // ---- Who is there (membership_state.cc) ----

  // Takes over what was durable; for a state without hosts.
  void Restore(const Membership::Durable& durable, absl::Duration t);
  void RestoreHost(const Membership::Durable::Host& from, absl::Duration t);

  Host* FindHost(const std::string& host_id);
  // Aborted: no such host. InvalidArgument: it has no such slot.
  absl::StatusOr<Place*> Find(const WorkerId& worker);
  // Aborted if nothing that this incarnation says counts.
  absl::Status CheckHeeded(const Place& place, int64_t incarnation) const;
  // Somebody alive says something: its place, which is now of its incarnation.
  absl::StatusOr<Place*> Hear(const WorkerId& worker, absl::Duration t);
  // A sign of life of a host; as CheckFits if it was lost.
  absl::Status HearHost(Host* host, absl::Duration t);
  // Unavailable: there is no room yet; InvalidArgument: it has too many slots.
  absl::Status CheckFits(const std::string& host_name, int slots) const;

  Host* AddHost(const std::string& id, const std::string& name, int slots,
                absl::Duration t);
  void SetLife(Place* place, Life life);
  void SetLeaving(Host* host);
  // A greater incarnation of a place: the one that was there is dead.
  void Adopt(Place* place, int64_t incarnation, absl::Duration t);
  // `kill`: nobody has seen it end.
  void Die(Place* place, const std::string& why, bool kill, absl::Duration t);
  // It ended by its own error; too often, and the job fails.
  void CountError(Place* place, int64_t incarnation,
                  const std::string& message);
  // A step that somebody of the job has done.
  void NoteStep(int64_t step);
  // A step of a member of the last generation, synced in that.
  void NoteOwnStep(Place* place, int64_t step);
  // What a member of the last generation says of itself.
  void NoteProgress(Place* place, Phase phase, int64_t step,
                    absl::Duration step_time, absl::Duration t);

  int num(Life life) const { return lives[static_cast<size_t>(life)]; }
  // Hosts that would stay if those left that want to; that a generation needs.
  int NumStaying() const;
  int NumWanted() const { return stop ? 1 : std::max(1, options.min_hosts); }

  // ---- Generations (membership_forming.cc) ----

  // The running one is over. `agreed`: its members made steps and left it
  // because they were asked to.
  void EndGeneration(const std::string& why, bool agreed, absl::Duration t);
  // A generation that was not known; `place` was in it.
  void LearnGeneration(int64_t number, Place* place, absl::Duration t);
  // Forms the next one if nobody is to be waited for. Cheap if not.
  void TryForm(absl::Duration t);
  void Form(absl::Duration t);
  // If the last one has made no step, leaves out who was not in the last one
  // that had: a newcomer that cannot reach its peers stops nobody.
  void JudgeLast(absl::Duration t);
  // Those who are left out join when their time has come, or they are needed.
  void LetIn(absl::Duration t);
  // Whether there is no checkpoint of it.
  bool IsNeeded(const StateAge& age) const {
    return age.generation > 0 && age.step > committed_step;
  }
  // Whether the first one waits no more.
  bool FirstIsComplete(absl::Duration t) const;
  bool HoldsUncommitted() const;  // so that stopping now would lose a step
  // Lets go the hosts that want to leave and hold nothing that is needed.
  void LetLeave();
  // Those of which the generation that forms needs nothing wait; those that
  // have the only newest state are in it, to hand it on.
  void LetWait();
  // A generation trains: those that have waited for it leave.
  void LetWaitingLeave();
  void Leave(Host* host);
  void UpdateRegroup(absl::Duration t);
  void Stop(absl::Duration t);
  void EndJob(JobState how, const std::string& error);
  bool ended() const {
    return state != JobState::kForming && state != JobState::kRunning;
  }

  // ---- Deadlines (membership_deadlines.cc) ----

  void EndSilent(absl::Duration t);
  // A member whose phase lasts too long: of several the one that has been at
  // it longest, since the others may be waiting for it.
  void EndOverdueMember(absl::Duration t);
  void EndMissing(absl::Duration t);
  void LoseHosts(absl::Duration t);
  void CheckMissing(absl::Duration now);  // that counts when nobody is heard

  Membership::Options options;
  absl::Duration last_tick;  // as the caller's clock has it
  absl::Duration last_call;  // `t` then
  absl::Duration asleep;     // what `t` is behind the caller's clock: for that,
  absl::Duration alone;      // and for hearing nobody

  int64_t version = 0;
  int64_t durable_version = 0;

  std::deque<Host> hosts;  // as they came; places stay where they are
  std::map<std::string, Host*> hosts_by_id;
  std::array<int, 7> lives{};  // how many places are in each
  int num_present = 0;         // hosts
  int present_slots = 0;       // of those
  int num_leaving = 0;         // hosts that want to and have not
  int num_waiting = 0;         // of those
  int num_hosts_joining = 0;   // with a joining worker, and not leaving
  absl::Duration last_registration;

  JobState state = JobState::kForming;
  bool stop = false;
  std::string first_error;

  int64_t generation = 0;       // the last one that has formed, or is known of
  std::vector<Place*> members;  // of it, by rank
  std::vector<WorkerId> member_ids;  // of it, by rank
  std::optional<int> source_rank;    // of it
  int64_t committed_at_forming = 0;  // of it
  int64_t start_step = 0;            // of it
  std::string end_reason;            // of it; empty: it runs
  bool end_is_symptom = false;       // which somebody's death may explain
  std::vector<Membership::Generation> generations;

  int64_t committed_step = 0;
  int64_t newest_step = 0;  // that anybody has shown
  int64_t newest_step_at_forming = 0;
  bool made_step = true;      // the last generation, also one done before
  bool judged = true;         // likewise
  int idle_generations = 0;   // in a row, up to the last one that is over
  absl::Duration idle_since;  // when the first of them was over

  bool regroup = false;
  std::optional<absl::Duration> regroup_since;  // when it was first wanted
  std::optional<absl::Duration> missing_since;  // a generation; see above
};

// How long to hold back what has failed as often: 0, 1, 2, 4, ... 30 s.
absl::Duration BackOff(int times);
// "alpha/1 (rank 3), step 120: the loss is not finite"; "alpha/1: ..." if it
// has been in no generation.
std::string Describe(const MembershipState::Place& place,
                     const std::string& message);
// "alpha/1".
std::string NameOf(const MembershipState::Place& place);
WorkerId IdOf(const MembershipState::Place& place);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_MEMBERSHIP_STATE_H_
