#include "dist/coordinator/membership.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "dist/coordinator/counts.h"
#include "dist/coordinator/membership_state.h"

namespace charrnn {

using Host = MembershipState::Host;
using Life = MembershipState::Life;
using Place = MembershipState::Place;

namespace {

// Why the members were asked to leave their generation.
std::string WhoComesOrGoes(const MembershipState& state) {
  constexpr size_t kMostNamed = 4;
  std::vector<std::string> who;
  for (const MembershipState::Host& host : state.hosts) {
    if (host.leaving && !host.left && !host.waits) {
      who.push_back(absl::StrCat(host.name, " leaves"));
    }
    for (const Place& place : host.places) {
      if (place.life == Life::kJoining) {
        who.push_back(absl::StrCat(NameOf(place), " comes"));
      }
    }
  }
  if (who.size() > kMostNamed) {
    const size_t others = who.size() - kMostNamed;
    who.resize(kMostNamed);
    who.push_back(absl::StrCat("and ", others, " more"));
  }
  return who.empty() ? "others came, or went" : absl::StrJoin(who, ", ");
}

}  // namespace

Membership::Membership(const Options& options, absl::Duration now)
    : state_(std::make_unique<MembershipState>(options, now)) {
  state_->last_registration = now;
}

Membership::Membership(const Options& options, const Durable& durable,
                       absl::Duration now)
    : Membership(options, now) {
  state_->Restore(durable, now);
}

Membership::~Membership() = default;

absl::Status Membership::RegisterHost(const std::string& host_id,
                                      const std::string& host_name, int slots,
                                      absl::Duration now) {
  const absl::Duration t = state_->ObserveCall(now);
  if (state_->ended()) {
    return absl::FailedPreconditionError(
        absl::StrCat("host ", host_name, " comes too late: the job has ended"));
  }
  if (host_id.empty() || slots < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("host ", host_name, " has the id '", host_id, "' and ",
                     slots, " slots: it needs an id and at least one slot"));
  }
  if (Host* host = state_->FindHost(host_id); host != nullptr) {
    if (host->name != host_name ||
        static_cast<int>(host->places.size()) != slots) {
      return absl::InvalidArgumentError(absl::StrCat(
          "host ", host_name, " with ", slots, " slots has the id of host ",
          host->name, " with ", host->places.size(), ": draw another one"));
    }
    return state_->HearHost(host, t);
  }
  CHARRNN_RETURN_IF_ERROR(state_->CheckFits(host_name, slots));
  state_->AddHost(host_id, host_name, slots, t);
  ++state_->durable_version;
  return absl::OkStatus();
}

absl::Status Membership::HostAlive(const std::string& host_id,
                                   absl::Duration now) {
  const absl::Duration t = state_->ObserveCall(now);
  Host* host = state_->FindHost(host_id);
  if (host == nullptr) {
    return absl::AbortedError(
        absl::StrCat("host ", host_id, " is not known here: register it"));
  }
  return state_->HearHost(host, t);
}

std::vector<WorkerId> Membership::ToKill(const std::string& host_id) const {
  std::vector<WorkerId> to_kill;
  const Host* host = state_->FindHost(host_id);
  if (host == nullptr) return to_kill;
  for (const Place& place : host->places) {
    for (const int64_t incarnation : place.to_kill) {
      to_kill.push_back({{host_id, place.local_rank}, incarnation});
    }
  }
  return to_kill;
}

absl::StatusOr<std::optional<absl::Duration>> Membership::ReportExit(
    const WorkerId& worker, const Exit& exit, absl::Duration now) {
  const absl::Duration t = state_->ObserveCall(now);
  CHARRNN_ASSIGN_OR_RETURN(Place * place, state_->Find(worker));
  const Host& host = *place->host;
  // A host that does not fit any more may still say how its workers ended.
  absl::Status fits = state_->HearHost(place->host, t);
  const int64_t incarnation = worker.incarnation;

  if (incarnation > place->incarnation && !host.left && !state_->ended()) {
    state_->Adopt(place, incarnation, t);
  }
  auto& to_kill = place->to_kill;
  bool is_new = std::count(to_kill.begin(), to_kill.end(), incarnation) > 0;
  // A slot is filled by one process at a time: those before it are gone too.
  const auto gone =
      std::remove_if(to_kill.begin(), to_kill.end(),
                     [&](int64_t other) { return other <= incarnation; });
  if (gone != to_kill.end()) ++state_->version;
  to_kill.erase(gone, to_kill.end());
  if (state_->ended()) return std::nullopt;

  if (incarnation == place->incarnation && place->life != Life::kDead) {
    state_->Die(place, exit.message, /*kill=*/false, t);
    is_new = true;
  }
  // Who was told that it is dead ended because of that.
  const bool was_told =
      incarnation == place->incarnation && place->told_of_death;
  if (is_new && exit.own_error && !was_told && !host.left) {
    state_->CountError(place, incarnation, exit.message);
  }
  state_->TryForm(t);
  if (state_->ended() || state_->stop || host.leaving ||
      incarnation < place->incarnation) {
    return std::nullopt;
  }
  if (absl::IsUnavailable(fits)) return fits;
  if (!fits.ok()) return std::nullopt;
  return std::max(absl::ZeroDuration(), place->respawn_at - t);
}

absl::Status Membership::LeaveHost(const std::string& host_id,
                                   absl::Duration now) {
  const absl::Duration t = state_->ObserveCall(now);
  Host* host = state_->FindHost(host_id);
  if (host == nullptr) {
    return absl::AbortedError(
        absl::StrCat("host ", host_id, " is not known here"));
  }
  if (host->leaving || state_->ended()) return absl::OkStatus();
  const int staying = state_->NumStaying() - (host->present() ? 1 : 0);
  if (staying < state_->options.min_hosts) {
    state_->Stop(t);
    return absl::OkStatus();
  }
  state_->SetLeaving(host);
  ++state_->durable_version;
  state_->LetLeave();
  state_->UpdateRegroup(t);
  state_->TryForm(t);
  return absl::OkStatus();
}

bool Membership::HasLeft(const std::string& host_id) const {
  const Host* host = state_->FindHost(host_id);
  return host != nullptr && host->left;
}

absl::Status Membership::Join(const WorkerId& worker, const StateAge& age,
                              int64_t left, const std::string& why,
                              absl::Duration now, bool needs_others) {
  CHARRNN_RETURN_IF_ERROR(CheckCounts({age.generation, age.step, left}));
  const absl::Duration t = state_->ObserveCall(now);
  CHARRNN_ASSIGN_OR_RETURN(Place * place, state_->Hear(worker, t));
  state_->NoteStep(age.step);
  const int64_t known = std::max(left, age.generation);
  if (known > state_->generation) state_->LearnGeneration(known, place, t);
  // It has a place in a generation later than the one it leaves: this call was
  // repeated, or its answer got lost.
  const bool is_repeat = place->rank >= 0 && left < state_->generation;
  if (!is_repeat) {
    // Others, whose collective fails because this one leaves, may come first.
    const bool was_member =
        place->life == Life::kMember || place->life == Life::kReturning;
    if (needs_others && was_member) state_->judged = true;
    if (place->life == Life::kMember) {
      const bool agreed = state_->regroup &&
                          age.generation == state_->generation &&
                          age.step > state_->start_step;
      state_->EndGeneration(agreed
                                ? WhoComesOrGoes(*state_)
                                : absl::StrCat(NameOf(*place), " left: ", why),
                            agreed || needs_others, t);
      state_->end_is_symptom = !agreed;
    }
    if (place->rank >= 0 && age.generation == state_->generation) {
      state_->NoteOwnStep(place, age.step);
    }
    const bool has_joined =
        place->life == Life::kJoining || place->life == Life::kLeftOut;
    if (!has_joined || left >= place->left) {
      place->age = age;
      place->left = left;
      place->step = age.step;
    }
    place->rank = -1;
    if (!has_joined) {
      // One that follows a process that was left out is no better.
      state_->SetLife(
          place, t < place->left_out_until ? Life::kLeftOut : Life::kJoining);
    }
  }
  state_->UpdateRegroup(t);
  state_->TryForm(t);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Membership::Assignment>> Membership::AssignmentOf(
    const WorkerId& worker) const {
  CHARRNN_ASSIGN_OR_RETURN(const Place* place, state_->Find(worker));
  CHARRNN_RETURN_IF_ERROR(state_->CheckHeeded(*place, worker.incarnation));
  if (worker.incarnation > place->incarnation || place->rank < 0) {
    return std::nullopt;
  }
  Assignment assignment;
  assignment.generation = state_->generation;
  assignment.rank = place->rank;
  assignment.world_size = static_cast<int>(state_->members.size());
  assignment.source_rank = state_->source_rank;
  assignment.committed_step = state_->committed_at_forming;
  return assignment;
}

absl::Status Membership::Heartbeat(const WorkerId& worker, int64_t generation,
                                   Phase phase, int64_t step,
                                   absl::Duration step_time,
                                   absl::Duration now) {
  CHARRNN_RETURN_IF_ERROR(CheckCounts({generation, step}));
  const absl::Duration t = state_->ObserveCall(now);
  CHARRNN_ASSIGN_OR_RETURN(Place * place, state_->Hear(worker, t));
  state_->NoteStep(step);
  if (generation > state_->generation) {
    state_->LearnGeneration(generation, place, t);
  }
  // What it says of an earlier generation may be older than its Join.
  if (generation == state_->generation && place->rank >= 0) {
    state_->NoteProgress(place, phase, step, step_time, t);
    if (place->life == Life::kMember && phase != Phase::kSetup) {
      state_->LetWaitingLeave();
    }
  }
  state_->TryForm(t);
  return absl::OkStatus();
}

Membership::Wishes Membership::WishesOf(const WorkerId& worker,
                                        int64_t generation) const {
  Wishes wishes;
  if (generation == 0 && !state_->ended()) return wishes;
  if (!CheckMember(worker, generation).ok()) {
    wishes.over = true;
    return wishes;
  }
  wishes.regroup = state_->regroup;
  wishes.stop = state_->stop;
  return wishes;
}

absl::Status Membership::CheckMember(const WorkerId& worker,
                                     int64_t generation) const {
  CHARRNN_ASSIGN_OR_RETURN(const Place* place, state_->Find(worker));
  CHARRNN_RETURN_IF_ERROR(state_->CheckHeeded(*place, worker.incarnation));
  if (state_->state != JobState::kRunning || generation != state_->generation) {
    return absl::AbortedError(
        absl::StrCat("generation ", generation, " is over: join the next one"));
  }
  if (worker.incarnation != place->incarnation ||
      place->life != Life::kMember) {
    return absl::AbortedError(absl::StrCat(NameOf(*place),
                                           " is not in generation ", generation,
                                           ": join the next one"));
  }
  return absl::OkStatus();
}

absl::Status Membership::Finish(const WorkerId& worker, int64_t generation,
                                JobState how, const std::string& error,
                                absl::Duration now) {
  const absl::Duration t = state_->ObserveCall(now);
  if (how == JobState::kForming || how == JobState::kRunning) {
    return absl::InvalidArgumentError(
        "a job ends as finished, stopped, failed or refused, and as nothing "
        "else");
  }
  if (state_->state == how) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(state_->Hear(worker, t).status());
  CHARRNN_RETURN_IF_ERROR(CheckMember(worker, generation));
  CHARRNN_ASSIGN_OR_RETURN(const Place* place, state_->Find(worker));
  if (how == JobState::kFailed || how == JobState::kRefused) {
    state_->EndJob(how, Describe(*place, error));
  } else if (place->rank == state_->source_rank.value_or(0)) {
    state_->EndJob(how, "");
  }
  return absl::OkStatus();
}

void Membership::Committed(int64_t step) {
  state_->NoteStep(step);
  state_->committed_step = std::max(state_->committed_step, step);
}

void Membership::RequestStop(absl::Duration now) {
  state_->Stop(state_->Observe(now));
}

void Membership::Tick(absl::Duration now) {
  const absl::Duration t = state_->Observe(now);
  state_->last_tick = std::max(state_->last_tick, now);
  if (state_->ended()) return;
  state_->EndSilent(t);
  state_->EndOverdueMember(t);
  state_->EndMissing(t);
  state_->LoseHosts(t);
  state_->LetLeave();
  state_->LetIn(t);
  state_->UpdateRegroup(t);
  state_->TryForm(t);
  state_->CheckMissing(now - state_->asleep);
}

int64_t Membership::version() const { return state_->version; }

int64_t Membership::durable_version() const { return state_->durable_version; }

Membership::Durable Membership::ToDurable() const {
  Durable durable;
  for (const Host& from : state_->hosts) {
    Durable::Host host;
    host.id = from.id;
    host.name = from.name;
    host.slots = static_cast<int>(from.places.size());
    host.leaving = from.leaving;
    for (const Place& place : from.places) {
      host.incarnations.push_back(place.incarnation);
      host.dead.push_back(place.life == Life::kDead);
      host.first_generations.push_back(place.first_generation);
    }
    durable.hosts.push_back(host);
  }
  durable.generation = state_->generation;
  durable.running = state_->state == JobState::kRunning;
  durable.members = state_->member_ids;
  durable.source_rank = state_->source_rank;
  durable.committed_step_at_forming = state_->committed_at_forming;
  durable.stop = state_->stop;
  if (state_->ended()) durable.ended = state_->state;
  durable.first_error = state_->first_error;
  return durable;
}

JobState Membership::job_state() const { return state_->state; }

const std::string& Membership::first_error() const {
  return state_->first_error;
}

void Membership::SetMaxWorkers(int max_workers) {
  state_->options.max_workers = max_workers;
}

int64_t Membership::step() const { return state_->newest_step; }

int64_t Membership::generation() const { return state_->generation; }

const std::vector<Membership::Generation>& Membership::generations() const {
  return state_->generations;
}

std::vector<Membership::WorkerView> Membership::Workers() const {
  std::vector<WorkerView> views;
  for (const Host& host : state_->hosts) {
    for (const Place& place : host.places) {
      if (place.life == Life::kDead) continue;
      WorkerView view;
      view.id = IdOf(place);
      view.host_name = host.name;
      switch (place.life) {
        case Life::kJoining:
        case Life::kLeftOut:
          view.state = WorkerState::kJoining;
          break;
        case Life::kMember:
          view.state = WorkerState::kMember;
          view.rank = place.rank;
          break;
        case Life::kReturning:
          view.state = WorkerState::kReturning;
          break;
        case Life::kAwaited:
        case Life::kExpected:
        case Life::kDead:
          break;
      }
      view.phase = place.phase;
      view.step = place.step;
      view.step_time = place.median_step_time;
      views.push_back(view);
    }
  }
  return views;
}

}  // namespace charrnn
