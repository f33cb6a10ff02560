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
  if (place->life != Life::kJoining) {
    SetLife(place, Life::kReturning);
    place->since = t;
  }
  ++version;
  ++durable_version;
}

void MembershipState::TryForm(absl::Duration t) {
  if (state != JobState::kForming || num(Life::kReturning) > 0) return;
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

bool MembershipState::FirstIsComplete(absl::Duration t) const {
  if (num(Life::kExpected) > 0) return false;
  if (t - last_registration >= options.join_window) return true;
  return num(Life::kAwaited) == 0 && num_present >= options.max_hosts;
}

void MembershipState::Form(absl::Duration t) {
  LetLeave();
  members.clear();
  member_ids.clear();
  for (Host& host : hosts) {
    if (host.num_joining == 0) continue;
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
  state = JobState::kRunning;
  missing_since.reset();
  ++version;
  ++durable_version;
}

bool MembershipState::HoldsUncommitted() const {
  for (const Host& host : hosts) {
    if (host.num_joining == 0) continue;
    for (const Place& place : host.places) {
      if (place.life == Life::kJoining && place.age.generation > 0 &&
          place.age.step > committed_step) {
        return true;
      }
    }
  }
  return false;
}

void MembershipState::LetLeave() {
  if (num_leaving == 0 || ended()) return;
  // Of two states at the checkpoint's step or before it neither is needed.
  const auto is_needed = [&](const StateAge& age) {
    return age.generation > 0 && age.step > committed_step;
  };
  StateAge newest;  // of those that stay
  for (const Host& host : hosts) {
    if (host.leaving) continue;
    for (const Place& place : host.places) {
      if (place.life == Life::kJoining) newest = std::max(newest, place.age);
    }
  }
  for (Host& host : hosts) {
    if (!host.leaving || host.left) continue;
    const bool stays = std::any_of(
        host.places.begin(), host.places.end(), [&](const Place& place) {
          return place.life == Life::kMember ||
                 place.life == Life::kReturning ||
                 (place.life == Life::kJoining && is_needed(place.age) &&
                  newest < place.age);
        });
    if (stays) continue;
    for (Place& place : host.places) {
      if (place.life == Life::kDead) continue;
      SetLife(&place, Life::kDead);
      ++durable_version;
    }
    if (host.present()) {
      --num_present;
      present_slots -= static_cast<int>(host.places.size());
    }
    host.left = true;
    --num_leaving;
    ++version;
  }
}

void MembershipState::UpdateRegroup(absl::Duration t) {
  const bool wanted = state == JobState::kRunning && !stop &&
                      (num_hosts_joining > 0 || num_leaving > 0);
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
