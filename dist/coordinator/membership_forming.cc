// From one generation to the next, and to the job's end.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/membership_state.h"

namespace charrnn {
namespace {

// For people; nobody looks further back.
constexpr size_t kGenerationsKept = 100;

// Whether `a` is to be the source rather than `b`. Of equal states it is that
// of who has been a member longest: who has just been given the state holds
// nothing of what is still to be uploaded.
bool IsBetterSource(const MembershipState::Place& a,
                    const MembershipState::Place& b) {
  if (a.age < b.age || b.age < a.age) return b.age < a.age;
  return a.first_generation > 0 &&
         (b.first_generation == 0 || a.first_generation < b.first_generation);
}

}  // namespace

void MembershipState::EndGeneration(const std::string& why, bool agreed,
                                    absl::Duration t) {
  state = JobState::kForming;
  end_reason = why;
  end_is_symptom = false;
  // A worker that comes late after steps had to be computed again makes its
  // generation end without a new one, and nothing is wrong.
  if (newest_step == newest_step_at_forming && !agreed &&
      ++idle_generations == 1) {
    idle_since = t;
  }
  for (Place* place : members) {
    if (place->life != Life::kMember) continue;
    SetLife(place, Life::kReturning);
    place->since = t;
  }
  for (Host& host : hosts) host.waits = false;
  num_waiting = 0;
  regroup = false;
  regroup_since.reset();
  ++version;
  ++durable_version;
}

void MembershipState::LearnGeneration(int64_t number, Place* place,
                                      absl::Duration t) {
  const std::string why = absl::StrCat(NameOf(*place), " is in generation ",
                                       number, ", which is not on the disk");
  if (state == JobState::kRunning) EndGeneration(why, /*agreed=*/false, t);
  end_reason = why;
  generation = number;
  // Whose ranks in it nobody knows.
  for (Place* member : members) {
    if (member != nullptr) member->rank = -1;
  }
  // Nobody knows who was in it either.
  judged = true;
  if (place->life != Life::kJoining && place->life != Life::kLeftOut) {
    SetLife(place, Life::kReturning);
    place->since = t;
  }
  ++version;
  ++durable_version;
}

void MembershipState::TryForm(absl::Duration t) {
  if (state != JobState::kForming || num(Life::kReturning) > 0) return;
  JudgeLast(t);
  LetIn(t);
  if (stop) {
    if (!HoldsUncommitted()) {
      EndJob(JobState::kStopped, "");
      return;
    }
  } else if (num_hosts_joining < NumWanted() ||
             (generation == 0 && !FirstIsComplete(t))) {
    return;
  }
  if (idle_generations >= options.idle_generations &&
      t - idle_since >= options.idle_time) {
    EndJob(JobState::kFailed,
           absl::StrCat(idle_generations,
                        " generations in a row were over before a new step, "
                        "the last one because ",
                        end_reason));
    return;
  }
  Form(t);
}

void MembershipState::JudgeLast(absl::Duration t) {
  if (judged) return;
  judged = true;
  if (made_step || newest_step > newest_step_at_forming) {
    for (Host& host : hosts) {
      for (Place& place : host.places) place.was_productive = false;
    }
    for (size_t rank = 0; rank < members.size(); ++rank) {
      Place& place = *members[rank];
      if (place.incarnation != member_ids[rank].incarnation) continue;
      place.was_productive = true;
      place.failures = 0;
    }
    return;
  }
  const auto num_productive =
      std::count_if(hosts.begin(), hosts.end(), [](const Host& host) {
        return !host.leaving &&
               std::any_of(host.places.begin(), host.places.end(),
                           [](const Place& place) {
                             return place.life == Life::kJoining &&
                                    place.was_productive;
                           });
      });
  if (num_productive < NumWanted()) return;
  for (Host& host : hosts) {
    for (Place& place : host.places) {
      if (place.life != Life::kJoining || place.was_productive) continue;
      place.left_out_until = t + BackOff(++place.failures + 1);
      SetLife(&place, Life::kLeftOut);
    }
  }
}

void MembershipState::LetIn(absl::Duration t) {
  if (num(Life::kLeftOut) == 0) return;
  // Only when all have returned is it known who is needed.
  const bool forms = state == JobState::kForming && num(Life::kReturning) == 0;
  const bool too_few = forms && num_hosts_joining < NumWanted();
  int64_t newest = 0;  // step of those who are not left out
  for (const Host& host : hosts) {
    for (const Place& place : host.places) {
      if (place.life == Life::kJoining) {
        newest = std::max(newest, place.age.step);
      }
    }
  }
  for (Host& host : hosts) {
    for (Place& place : host.places) {
      if (place.life != Life::kLeftOut) continue;
      const bool is_newest =
          forms && IsNeeded(place.age) && place.age.step > newest;
      if (too_few || is_newest || t >= place.left_out_until) {
        SetLife(&place, Life::kJoining);
      }
    }
  }
}

bool MembershipState::FirstIsComplete(absl::Duration t) const {
  if (num(Life::kExpected) > 0) return false;
  if (t - last_registration >= options.join_window) return true;
  return num(Life::kAwaited) == 0 && num_present >= options.max_hosts;
}

void MembershipState::Form(absl::Duration t) {
  LetLeave();
  LetWait();
  members.clear();
  member_ids.clear();
  for (Host& host : hosts) {
    if (host.num_joining == 0 || host.waits) continue;
    for (Place& place : host.places) {
      if (place.life == Life::kJoining) members.push_back(&place);
    }
  }
  ++generation;
  source_rank.reset();
  committed_at_forming = committed_step;
  start_step = committed_step;
  const Place* source = nullptr;
  for (size_t i = 0; i < members.size(); ++i) {
    Place& place = *members[i];
    const auto rank = static_cast<int>(i);
    if (place.age.generation > 0 &&
        (source == nullptr || IsBetterSource(place, *source))) {
      source = &place;
      source_rank = rank;
    }
    SetLife(&place, Life::kMember);
    place.rank = place.last_rank = rank;
    place.phase = Phase::kSetup;
    place.since = t;
    member_ids.push_back(IdOf(place));
  }
  if (source != nullptr && committed_step > source->age.step) {
    source_rank.reset();
  }
  if (source_rank.has_value()) start_step = source->age.step;
  for (Place* place : members) {
    if (place->first_generation == 0) place->first_generation = generation;
  }
  if (generations.size() == kGenerationsKept) {
    generations.erase(generations.begin());
  }
  generations.push_back({generation, static_cast<int>(members.size()),
                         start_step,
                         end_reason.empty() ? "the first" : end_reason});
  end_reason.clear();
  newest_step_at_forming = newest_step;
  made_step = false;
  judged = false;
  state = JobState::kRunning;
  missing_since.reset();
  ++version;
  ++durable_version;
}

bool MembershipState::HoldsUncommitted() const {
  for (const Host& host : hosts) {
    if (host.num_joining == 0) continue;
    for (const Place& place : host.places) {
      if (place.life == Life::kJoining && IsNeeded(place.age)) return true;
    }
  }
  return false;
}

void MembershipState::LetLeave() {
  if (num_leaving == 0 || ended()) return;
  // After a restart it is not known what those hold that are still to join.
  const auto holds_something = [&](const Place& place) {
    switch (place.life) {
      case Life::kMember:
      case Life::kReturning:
        return true;
      case Life::kJoining:
      case Life::kLeftOut:
        return IsNeeded(place.age);
      case Life::kExpected:
        return place.first_generation > 0;
      case Life::kAwaited:
      case Life::kDead:
        break;
    }
    return false;
  };
  for (Host& host : hosts) {
    if (host.leaving && !host.left &&
        std::none_of(host.places.begin(), host.places.end(), holds_something)) {
      Leave(&host);
    }
  }
}

void MembershipState::LetWait() {
  if (num_leaving == 0) return;
  StateAge newest;  // of those that stay
  for (const Host& host : hosts) {
    if (host.leaving) continue;
    for (const Place& place : host.places) {
      if (place.life == Life::kJoining) newest = std::max(newest, place.age);
    }
  }
  for (Host& host : hosts) {
    if (!host.leaving || host.left) continue;
    host.waits = std::none_of(
        host.places.begin(), host.places.end(), [&](const Place& place) {
          return place.life == Life::kJoining && IsNeeded(place.age) &&
                 newest < place.age;
        });
    if (host.waits) ++num_waiting;
  }
}

void MembershipState::LetWaitingLeave() {
  if (num_waiting == 0) return;
  for (Host& host : hosts) {
    if (host.waits) Leave(&host);
  }
}

void MembershipState::Leave(Host* host) {
  for (Place& place : host->places) {
    if (place.life == Life::kDead) continue;
    SetLife(&place, Life::kDead);
    ++durable_version;
  }
  if (host->present()) {
    --num_present;
    present_slots -= static_cast<int>(host->places.size());
  }
  if (host->waits) --num_waiting;
  host->waits = false;
  host->left = true;
  --num_leaving;
  ++version;
}

void MembershipState::UpdateRegroup(absl::Duration t) {
  const bool wanted = state == JobState::kRunning && !stop &&
                      (num_hosts_joining > 0 || num_leaving > num_waiting);
  if (!wanted) {
    regroup_since.reset();
    if (regroup) ++version;
    regroup = false;
    return;
  }
  if (!regroup_since.has_value()) regroup_since = t;
  if (!regroup && t - *regroup_since >= options.regroup_window) {
    regroup = true;
    ++version;
  }
}

void MembershipState::Stop(absl::Duration t) {
  if (stop || ended()) return;
  stop = true;
  if (state == JobState::kRunning) ++version;
  ++durable_version;
  UpdateRegroup(t);
  TryForm(t);
}

void MembershipState::EndJob(JobState how, const std::string& error) {
  state = how;
  first_error = error;
  regroup = false;
  regroup_since.reset();
  ++version;
  ++durable_version;
}

}  // namespace charrnn
