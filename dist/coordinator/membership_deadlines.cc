// What time alone brings about.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/membership_state.h"

namespace charrnn {
namespace {

// Longer than a supervisor needs to find a coordinator that was restarted.
constexpr absl::Duration kHostSilence = absl::Seconds(10);

absl::string_view NameOfPhase(Phase phase) {
  switch (phase) {
    case Phase::kSetup:
      return "setting up";
    case Phase::kTrain:
      return "training";
    case Phase::kEvaluate:
      return "evaluating";
    case Phase::kSave:
      return "saving";
  }
  return "an unknown phase";
}

absl::Duration PhaseDeadline(const Membership::Options& options,
                             const MembershipState::Place& place) {
  switch (place.phase) {
    case Phase::kSetup:
      return options.setup_deadline;
    case Phase::kTrain:
      return std::max(options.train_deadline,
                      options.train_deadline_steps * place.median_step_time);
    case Phase::kEvaluate:
    case Phase::kSave:
      break;
  }
  return options.evaluate_deadline;
}

// Who is busy with something long hears only then that its generation is over.
absl::Duration ReturnDeadline(const Membership::Options& options,
                              const MembershipState::Place& place) {
  if (place.phase == Phase::kEvaluate || place.phase == Phase::kSave) {
    return options.evaluate_deadline;
  }
  return options.return_deadline +
         options.return_deadline_steps * place.median_step_time;
}

}  // namespace

void MembershipState::EndSilent(absl::Duration t) {
  for (Host& host : hosts) {
    for (Place& place : host.places) {
      if (place.life == Life::kDead || place.life == Life::kAwaited ||
          t - place.heard <= options.silence) {
        continue;
      }
      Die(&place,
          absl::StrCat("silent for ", absl::FormatDuration(options.silence)),
          /*kill=*/true, t);
    }
  }
}

void MembershipState::EndOverdueMember(absl::Duration t) {
  if (state != JobState::kRunning) return;
  Place* first = nullptr;
  for (Place* place : members) {
    if (t - place->since > PhaseDeadline(options, *place) &&
        (first == nullptr || place->since < first->since)) {
      first = place;
    }
  }
  if (first == nullptr) return;
  Die(first,
      absl::StrCat(NameOfPhase(first->phase), " at step ", first->step,
                   " for over ",
                   absl::FormatDuration(PhaseDeadline(options, *first))),
      /*kill=*/true, t);
}

void MembershipState::EndMissing(absl::Duration t) {
  for (Host& host : hosts) {
    for (Place& place : host.places) {
      const absl::Duration passed = t - place.since;
      if (place.life == Life::kReturning &&
          passed > ReturnDeadline(options, place)) {
        Die(&place, "did not return", /*kill=*/true, t);
      } else if (place.life == Life::kExpected &&
                 passed > options.setup_deadline) {
        Die(&place, "did not join", /*kill=*/true, t);
      }
    }
  }
}

void MembershipState::LoseHosts(absl::Duration t) {
  for (Host& host : hosts) {
    if (!host.present() || t - host.heard <= kHostSilence) continue;
    for (Place& place : host.places) {
      if (place.life == Life::kAwaited) {
        SetLife(&place, Life::kDead);
        ++durable_version;
      } else if (place.life != Life::kDead) {
        Die(&place, "its host is gone", /*kill=*/true, t);
      }
    }
    host.lost = true;
    --num_present;
    present_slots -= static_cast<int>(host.places.size());
  }
  // Who was let go because others would stay may have to save after all.
  if (num_leaving > 0 && NumStaying() < options.min_hosts) Stop(t);
}

void MembershipState::CheckMissing(absl::Duration now) {
  const absl::Duration deadline = options.missing_hosts_deadline;
  const std::string how_long =
      absl::StrCat("for ", absl::FormatDuration(deadline));
  if (state != JobState::kForming) {
    missing_since.reset();
    // By then they have given up the coordinator, too.
    if (state == JobState::kRunning && now - last_call - alone > deadline) {
      EndJob(JobState::kFailed,
             absl::StrCat(how_long,
                          " no worker was heard of: --resume goes on from the "
                          "newest checkpoint"));
    }
    return;
  }
  if (!missing_since.has_value()) missing_since = now;
  if (now - *missing_since <= deadline) return;
  int num_hosts = 0;  // with workers that may stay
  std::vector<std::string> awaited;
  for (const Host& host : hosts) {
    bool has_workers = false;
    for (const Place& place : host.places) {
      if (place.life == Life::kDead || place.life == Life::kAwaited) continue;
      has_workers = true;
      if (place.life == Life::kReturning || place.life == Life::kExpected) {
        awaited.push_back(NameOf(place));
      }
    }
    if (has_workers && !host.leaving) ++num_hosts;
  }
  const int wanted = NumWanted();
  if (num_hosts < wanted) {
    EndJob(JobState::kFailed,
           absl::StrCat(how_long, " there were workers of ", num_hosts,
                        num_hosts == 1 ? " host" : " hosts", " where ", wanted,
                        wanted == 1 ? " is" : " are", " needed"));
    return;
  }
  // A window that the user wants longer than this is no failure.
  if (generation == 0 &&
      now - alone - last_registration <= options.join_window) {
    return;
  }
  EndJob(JobState::kFailed,
         absl::StrCat(how_long, " no generation has formed",
                      awaited.empty() ? "" : ": it waits for ",
                      absl::StrJoin(awaited, ", ")));
}

}  // namespace charrnn
