#include "dist/coordinator/membership_state.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "dist/coordinator/counts.h"
#include "dist/coordinator/membership.h"

namespace charrnn {
namespace {

// How often the clock is to tick; what a call comes later, it is late.
constexpr absl::Duration kTick = absl::Milliseconds(100);

// How much of a pause in which nobody at all is heard counts, of the time after
// which who is silent is dead. When all come back after they were cut off,
// those who come last have the rest of it. A lonely worker that is dead is
// found out by several polls of its supervisor.
constexpr double kPauseOfSilence = 0.4;

// Enough for a median that one slow step does not move.
constexpr size_t kStepTimes = 20;

absl::string_view HowItEnded(JobState state) {
  switch (state) {
    case JobState::kFinished:
      return "finished";
    case JobState::kStopped:
      return "stopped";
    case JobState::kFailed:
      return "failed";
    case JobState::kRefused:
      return "refused";
    case JobState::kForming:
    case JobState::kRunning:
      break;
  }
  return "not ended";
}

}  // namespace

absl::Duration BackOff(int times) {
  if (times <= 1) return absl::ZeroDuration();
  constexpr absl::Duration kLongest = absl::Seconds(30);
  constexpr int kDoublings = 5;  // enough to reach the longest
  return std::min(kLongest,
                  absl::Seconds(1 << std::min(times - 2, kDoublings)));
}

// "alpha/1 (rank 3), step 120: the loss is not finite".
std::string Describe(const MembershipState::Place& place,
                     const std::string& message) {
  if (place.last_rank < 0) return absl::StrCat(NameOf(place), ": ", message);
  // Who says at which step it was knows better.
  if (absl::StartsWith(message, "step ")) {
    return absl::StrCat(NameOf(place), " (rank ", place.last_rank, "), ",
                        message);
  }
  return absl::StrCat(NameOf(place), " (rank ", place.last_rank, "), step ",
                      place.step, ": ", message);
}

std::string NameOf(const MembershipState::Place& place) {
  return absl::StrCat(place.host->name, "/", place.local_rank);
}

WorkerId IdOf(const MembershipState::Place& place) {
  return {{place.host->id, place.local_rank}, place.incarnation};
}

absl::Duration MembershipState::Observe(absl::Duration now) {
  const absl::Duration pause = now - last_tick;
  if (pause > options.late_tick) {
    // Whatever was to be heard meanwhile is still to come.
    asleep += pause - std::min(pause, kTick);
    last_tick = now;
  }
  return std::min(now - asleep - alone,
                  last_call + kPauseOfSilence * options.silence);
}

absl::Duration MembershipState::ObserveCall(absl::Duration now) {
  last_call = Observe(now);
  alone = now - asleep - last_call;
  return last_call;
}

void MembershipState::RestoreHost(const Membership::Durable::Host& from,
                                  absl::Duration t) {
  Host* host = AddHost(from.id, from.name, from.slots, t);
  for (Place& place : host->places) {
    const auto i = static_cast<size_t>(place.local_rank);
    place.incarnation = i < from.incarnations.size() ? from.incarnations[i] : 0;
    if (i < from.first_generations.size()) {
      place.first_generation = from.first_generations[i];
    }
    place.heard = t + options.restart_grace - options.silence;
    if (i < from.dead.size() && from.dead[i]) {
      SetLife(&place, Life::kDead);
      // Whether it has been reported is not known.
      if (place.incarnation > 0) place.to_kill = {place.incarnation};
    } else if (place.incarnation > 0) {
      SetLife(&place, Life::kExpected);
    }
  }
  if (from.leaving) SetLeaving(host);
}

namespace {

// Also those who were left out, or waited to leave, come with a state.
void ExpectAllWithAState(MembershipState& state) {
  for (MembershipState::Host& host : state.hosts) {
    for (MembershipState::Place& place : host.places) {
      if (place.life == MembershipState::Life::kExpected &&
          place.first_generation > 0) {
        state.SetLife(&place, MembershipState::Life::kReturning);
      }
    }
  }
}

// Hosts that leave and are no part of the generation that goes on.
void LetLeaversWait(MembershipState& state) {
  for (MembershipState::Host& host : state.hosts) {
    const bool trains =
        std::any_of(host.places.begin(), host.places.end(),
                    [](const MembershipState::Place& place) {
                      return place.life == MembershipState::Life::kMember;
                    });
    if (!host.leaving || host.left || trains) continue;
    host.waits = true;
    ++state.num_waiting;
  }
}

}  // namespace

void MembershipState::Restore(const Membership::Durable& durable,
                              absl::Duration t) {
  for (const Membership::Durable::Host& host : durable.hosts) {
    RestoreHost(host, t);
  }
  generation = durable.generation;
  stop = durable.stop;
  first_error = durable.first_error;
  source_rank = durable.source_rank;
  committed_at_forming = durable.committed_step_at_forming;
  start_step = committed_at_forming;
  member_ids = durable.members;
  bool complete = durable.running &&
                  source_rank.value_or(0) < static_cast<int>(member_ids.size());
  for (const WorkerId& id : member_ids) {
    const auto place = Find(id);
    const bool lives = place.ok() && (*place)->incarnation == id.incarnation &&
                       (*place)->life == Life::kExpected;
    members.push_back(lives ? *place : nullptr);
    complete = complete && lives;
  }
  if (durable.ended != JobState::kForming) {
    state = durable.ended;
    return;
  }
  if (complete) {
    state = JobState::kRunning;
    judged = false;
  }
  for (size_t rank = 0; rank < members.size(); ++rank) {
    Place* place = members[rank];
    if (place == nullptr) continue;
    SetLife(place, complete ? Life::kMember : Life::kReturning);
    // By this a late repeat of a Join is told from a return.
    place->rank = place->last_rank = static_cast<int>(rank);
  }
  if (complete) {
    generations.push_back({generation, static_cast<int>(members.size()),
                           start_step, "goes on: the coordinator is back"});
  } else if (generation > 0) {
    end_reason = "the coordinator was started again";
  }
  if (!complete) ExpectAllWithAState(*this);
  LetLeave();
  if (complete) LetLeaversWait(*this);
}

MembershipState::Host* MembershipState::FindHost(const std::string& host_id) {
  const auto found = hosts_by_id.find(host_id);
  return found == hosts_by_id.end() ? nullptr : found->second;
}

absl::StatusOr<MembershipState::Place*> MembershipState::Find(
    const WorkerId& worker) {
  Host* host = FindHost(worker.slot.host_id);
  if (host == nullptr) {
    return absl::AbortedError(
        absl::StrCat("host ", worker.slot.host_id,
                     " is not known here: register it before its workers"));
  }
  const int local_rank = worker.slot.local_rank;
  if (local_rank < 0 || local_rank >= static_cast<int>(host->places.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "host ", host->name, " has no slot ", local_rank, ": it registered ",
        host->places.size(), ", which count from 0"));
  }
  if (worker.incarnation < 1 || worker.incarnation > kMostCount) {
    return absl::InvalidArgumentError(absl::StrCat(
        host->name, "/", local_rank, ": an incarnation of ", worker.incarnation,
        ", where they count from 1 to ", kMostCount));
  }
  return &host->places[local_rank];
}

absl::Status MembershipState::CheckHeeded(const Place& place,
                                          int64_t incarnation) const {
  if (ended()) {
    return absl::AbortedError(
        absl::StrCat("the job has ended: ", HowItEnded(state),
                     first_error.empty() ? "" : ": ", first_error));
  }
  if (place.host->left) {
    return absl::AbortedError(
        absl::StrCat("host ", place.host->name, " has left the job"));
  }
  if (incarnation < place.incarnation ||
      (incarnation == place.incarnation && place.life == Life::kDead)) {
    return absl::AbortedError(absl::StrCat(
        NameOf(place), ": its incarnation ", incarnation,
        " was declared dead: this process is to exit, and another one joins"));
  }
  return absl::OkStatus();
}

absl::StatusOr<MembershipState::Place*> MembershipState::Hear(
    const WorkerId& worker, absl::Duration t) {
  CHARRNN_ASSIGN_OR_RETURN(Place * place, Find(worker));
  if (absl::Status heeded = CheckHeeded(*place, worker.incarnation);
      !heeded.ok()) {
    if (worker.incarnation == place->incarnation) place->told_of_death = true;
    return heeded;
  }
  if (absl::Status heard = HearHost(place->host, t); !heard.ok()) {
    return absl::AbortedError(heard.message());
  }
  if (worker.incarnation > place->incarnation) {
    Adopt(place, worker.incarnation, t);
  }
  place->heard = t;
  return place;
}

absl::Status MembershipState::HearHost(Host* host, absl::Duration t) {
  if (host->lost && !host->left) {
    const auto slots = static_cast<int>(host->places.size());
    CHARRNN_RETURN_IF_ERROR(CheckFits(host->name, slots));
    host->lost = false;
    ++num_present;
    present_slots += slots;
  }
  host->heard = std::max(host->heard, t);
  return absl::OkStatus();
}

absl::Status MembershipState::CheckFits(const std::string& host_name,
                                        int slots) const {
  if (num_present >= options.max_hosts) {
    return absl::UnavailableError(
        absl::StrCat("host ", host_name, " would be one too many: there are ",
                     num_present, " of at most ", options.max_hosts,
                     " (one that is gone counts for 10 s more)"));
  }
  if (slots > options.max_workers - present_slots) {
    return absl::InvalidArgumentError(absl::StrCat(
        "host ", host_name, " has ", slots, " workers: with the ",
        present_slots, " of the other hosts there would be more than the ",
        options.max_workers, " among whom a batch can be divided"));
  }
  return absl::OkStatus();
}

MembershipState::Host* MembershipState::AddHost(const std::string& id,
                                                const std::string& name,
                                                int slots, absl::Duration t) {
  hosts.emplace_back();
  Host* host = &hosts.back();
  host->id = id;
  host->name = name;
  host->heard = t;
  host->places.resize(slots);
  for (int i = 0; i < slots; ++i) {
    Place& place = host->places[i];
    place.host = host;
    place.local_rank = i;
    place.since = t;
  }
  lives[static_cast<size_t>(Life::kAwaited)] += slots;
  hosts_by_id[id] = host;
  ++num_present;
  present_slots += slots;
  last_registration = t;
  return host;
}

void MembershipState::SetLife(Place* place, Life life) {
  Host& host = *place->host;
  const int before = host.num_joining;
  if (place->life == Life::kJoining) --host.num_joining;
  if (life == Life::kJoining) ++host.num_joining;
  if (!host.leaving) {
    num_hosts_joining += (host.num_joining > 0) - (before > 0);
  }
  --lives[static_cast<size_t>(place->life)];
  ++lives[static_cast<size_t>(life)];
  place->life = life;
}

void MembershipState::SetLeaving(Host* host) {
  if (host->num_joining > 0) --num_hosts_joining;
  host->leaving = true;
  ++num_leaving;
}

void MembershipState::Adopt(Place* place, int64_t incarnation,
                            absl::Duration t) {
  if (place->life != Life::kDead && place->life != Life::kAwaited) {
    Die(place, absl::StrCat("its incarnation ", incarnation, " is there"),
        /*kill=*/true, t);
  }
  place->incarnation = incarnation;
  SetLife(place, Life::kExpected);
  place->heard = t;
  place->since = t;
  place->phase = Phase::kSetup;
  place->step = 0;
  place->step_times.clear();
  place->num_step_times = 0;
  place->median_step_time = absl::ZeroDuration();
  place->first_generation = 0;
  place->was_productive = false;
  place->age = {};
  place->left = 0;
  place->rank = place->last_rank = -1;
  place->told_of_death = false;
  ++durable_version;
}

void MembershipState::Die(Place* place, const std::string& why, bool kill,
                          absl::Duration t) {
  const bool was_member = place->life == Life::kMember;
  const std::string died = absl::StrCat(NameOf(*place), " died: ", why);
  if (place->life == Life::kReturning && std::exchange(end_is_symptom, false)) {
    end_reason = died;
  }
  SetLife(place, Life::kDead);
  if (kill) place->to_kill.push_back(place->incarnation);
  place->own_steps = 0;
  place->respawn_at = t + BackOff(++place->deaths);
  ++version;
  ++durable_version;
  if (was_member) EndGeneration(died, /*agreed=*/false, t);
}

void MembershipState::CountError(Place* place, int64_t incarnation,
                                 const std::string& message) {
  if (++place->errors == 1) {
    // What is known of a newer incarnation says nothing of an older one.
    place->first_error = incarnation == place->incarnation
                             ? Describe(*place, message)
                             : absl::StrCat(NameOf(*place), ": ", message);
  }
  if (place->errors >= options.own_errors) {
    EndJob(JobState::kFailed, place->first_error);
  }
}

void MembershipState::NoteStep(int64_t step) {
  if (step <= newest_step) return;
  newest_step = step;
  idle_generations = 0;
}

void MembershipState::NoteOwnStep(Place* place, int64_t step) {
  if (step > start_step) made_step = true;
  // What it had when it began to train, the source has given it.
  if (place->phase == Phase::kSetup || step <= place->step) return;
  place->own_steps += step - place->step;
  if (place->own_steps < options.own_steps) return;
  place->deaths = 0;
  place->errors = 0;
}

void MembershipState::NoteProgress(Place* place, Phase phase, int64_t step,
                                   absl::Duration step_time, absl::Duration t) {
  if (step > place->step && step_time > absl::ZeroDuration()) {
    auto& times = place->step_times;
    if (times.size() < kStepTimes) times.emplace_back();
    times[place->num_step_times++ % kStepTimes] = step_time;
    std::vector<absl::Duration> sorted = times;
    const auto middle = sorted.begin() + sorted.size() / 2;
    std::nth_element(sorted.begin(), middle, sorted.end());
    place->median_step_time = *middle;
  }
  if (phase != Phase::kSetup) NoteOwnStep(place, step);
  const bool is_new_phase = phase != place->phase;
  if (!is_new_phase && step == place->step) return;
  place->phase = phase;
  place->step = step;
  // Who has just come from a long phase, and is to return, gets the time.
  if (place->life == Life::kMember ||
      (place->life == Life::kReturning && is_new_phase)) {
    place->since = t;
  }
}

int MembershipState::NumStaying() const {
  return static_cast<int>(std::count_if(
      hosts.begin(), hosts.end(),
      [](const Host& host) { return host.present() && !host.leaving; }));
}

}  // namespace charrnn
