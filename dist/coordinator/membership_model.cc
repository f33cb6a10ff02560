#include "dist/coordinator/membership_model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

}  // namespace

void MembershipModel::Forget() {
  const auto is_old = [&](const Process& process) {
    return !process.alive && reported_.count(NameOf(process.id)) > 0 &&
           incarnations_[process.id.slot] > process.id.incarnation + 1;
  };
  processes_.erase(std::remove_if(processes_.begin(), processes_.end(), is_old),
                   processes_.end());
}

std::vector<Process*> MembershipModel::Living() {
  std::vector<Process*> living;
  for (Process& process : processes_) {
    if (process.alive) living.push_back(&process);
  }
  return living;
}

Process* MembershipModel::Find(const WorkerId& id) {
  for (Process& process : processes_) {
    if (NameOf(process.id) == NameOf(id)) return &process;
  }
  return nullptr;
}

std::vector<Process*> MembershipModel::Group() {
  std::vector<Process*> group;
  if (membership_->job_state() != JobState::kRunning) return group;
  for (const WorkerId& id : membership_->ToDurable().members) {
    Process* process = Find(id);
    if (process == nullptr || !process->alive || process->stopped ||
        process->hung || process->group != membership_->generation()) {
      return {};
    }
    group.push_back(process);
  }
  return group;
}

void MembershipModel::Call(std::function<void()> call) {
  call();
  constexpr size_t kRemembered = 30;
  if (calls_.size() == kRemembered) calls_.erase(calls_.begin());
  calls_.push_back(std::move(call));
}

void MembershipModel::AddHost() {
  if (supervisors_.size() >= 6) return;
  Supervisor supervisor;
  // Not in the order of their names.
  supervisor.host = absl::StrCat("h", (supervisors_.size() * 5 + 3) % 7, "-",
                                 supervisors_.size());
  supervisor.slots = 1 + Pick(3);
  const absl::Status status = membership_->RegisterHost(
      supervisor.host, supervisor.host, supervisor.slots, now_);
  if (!status.ok()) return;
  supervisors_.push_back(supervisor);
  for (int i = 0; i < supervisor.slots; ++i) Spawn({supervisor.host, i});
  Call([this, supervisor] {
    membership_
        ->RegisterHost(supervisor.host, supervisor.host, supervisor.slots, now_)
        .IgnoreError();
  });
}

void MembershipModel::Spawn(const Slot& slot) {
  Process process;
  process.id = {slot, ++incarnations_[slot]};
  processes_.push_back(process);
}

void MembershipModel::Kill(Process* process, const Membership::Exit& exit) {
  process->alive = false;
  for (Supervisor& supervisor : supervisors_) {
    if (supervisor.host == process->id.slot.host_id && supervisor.alive) {
      supervisor.exits.emplace_back(process->id, exit);
    }
  }
}

void MembershipModel::KillSomebody() {
  const std::vector<Process*> living = Living();
  if (living.empty()) return;
  if (Chance(0.1)) {
    // A supervisor, and the kernel ends its workers.
    Supervisor& supervisor = supervisors_[Pick(supervisors_.size())];
    supervisor.alive = false;
    supervisor.exits.clear();
    supervisor.starts.clear();
    for (Process* process : living) {
      if (process->id.slot.host_id == supervisor.host) process->alive = false;
    }
    return;
  }
  Process* process = living[Pick(living.size())];
  const bool own_error = Chance(has_errors_ ? 0.5 : 0.1);
  Kill(process, {own_error, own_error ? "a mistake" : "signal 9"});
}

void MembershipModel::DisturbSomebody() {
  const std::vector<Process*> living = Living();
  if (living.empty()) return;
  Process* process = living[Pick(living.size())];
  (Chance(0.5) ? process->stopped : process->hung) = Chance(0.5);
}

void MembershipModel::RestartCoordinator() {
  const Membership::Durable durable = membership_->ToDurable();
  membership_ = std::make_unique<Membership>(options_, durable, now_);
  membership_->Committed(committed_);
  calls_.clear();
  newest_step_ = committed_;
  newest_step_generation_ = membership_->generation();
  visible_.clear();
  durable_.clear();
  version_ = durable_version_ = -1;
}

void MembershipModel::Tick(absl::Duration pause) {
  now_ += pause;
  for (Process* process : Living()) {
    if (!process->stopped && Chance(0.9)) Beat(process);
  }
  for (Supervisor& supervisor : supervisors_) {
    if (supervisor.alive && Chance(0.9)) {
      membership_->HostAlive(supervisor.host, now_).IgnoreError();
    }
  }
  membership_->Tick(now_);
}

// The coordinator is: its clock goes on, and it hears nobody.
void MembershipModel::CutOff() {
  std::string before;
  const int ticks = 20 + Pick(400);
  for (int i = 0; i < ticks; ++i) {
    now_ += kTick;
    membership_->Tick(now_);
    Check("a tick without anybody");
    // Who was silent before may be found to be dead at first.
    if (i == 10) before = durable_;
    if (i > 10 && !ended()) {
      EXPECT_EQ(durable_, before);
    }
  }
}

void MembershipModel::RepeatACall() {
  if (calls_.empty()) return;
  calls_[Pick(calls_.size())]();
}

void MembershipModel::Leave() {
  const auto num_hosts =
      std::count_if(supervisors_.begin(), supervisors_.end(),
                    [](const Supervisor& host) { return host.alive; });
  // If too few stay, this is a wish to stop.
  if (num_hosts <= options_.min_hosts && !is_stopped_) return;
  if (supervisors_.empty()) return;
  const std::string host = supervisors_[Pick(supervisors_.size())].host;
  // It may still be one, or become one when others are lost.
  stop_requested_ = true;
  Call([this, host] { membership_->LeaveHost(host, now_).IgnoreError(); });
}

void MembershipModel::RequestStop() {
  stop_requested_ = true;
  membership_->RequestStop(now_);
}

void MembershipModel::Commit() {
  const std::vector<Process*> group = Group();
  if (group.empty() || group[0]->age.generation != group[0]->group) return;
  committed_ = std::max(committed_, group[0]->age.step);
  membership_->Committed(committed_);
  if (committed_ > newest_step_) {
    newest_step_ = committed_;
    newest_step_generation_ = membership_->generation();
  }
}

void MembershipModel::FinishJob() {
  const std::vector<Process*> group = Group();
  if (group.empty()) return;
  Process* process = group[Chance(0.3) ? 0 : Pick(group.size())];
  const JobState how = Chance(0.5)   ? JobState::kFinished
                       : Chance(0.5) ? JobState::kStopped
                       : Chance(0.5) ? JobState::kRefused
                                     : JobState::kFailed;
  const auto given = membership_->AssignmentOf(process->id);
  ASSERT_TRUE(given.ok() && given->has_value());
  if (how == JobState::kFailed || how == JobState::kRefused ||
      process == group[(*given)->source_rank.value_or(0)]) {
    finished_ = how;
  }
  EXPECT_TRUE(
      membership_->Finish(process->id, process->group, how, "not finite", now_)
          .ok());
}

void MembershipModel::StopIfAgreed() {
  const std::vector<Process*> group = Group();
  if (group.empty() ||
      !membership_->WishesOf(group[0]->id, group[0]->group).stop) {
    return;
  }
  Commit();
  finished_ = JobState::kStopped;
  for (const Process* process : group) {
    EXPECT_TRUE(
        membership_
            ->Finish(process->id, process->group, JobState::kStopped, "", now_)
            .ok());
  }
}

// All members sync, or make a step; if it `fails`, some of them only.
void MembershipModel::Collective(bool fails) {
  const std::vector<Process*> group = Group();
  if (group.empty()) return;
  const auto given = membership_->AssignmentOf(group[0]->id);
  ASSERT_TRUE(given.ok() && given->has_value());
  const bool synced =
      std::all_of(group.begin(), group.end(), [](const Process* process) {
        return process->age.generation == process->group;
      });
  const auto source = (*given)->source_rank;
  const int64_t step = synced               ? group[0]->age.step + 1
                       : source.has_value() ? group[*source]->age.step
                                            : (*given)->committed_step;
  for (Process* process : group) {
    if (!fails || Chance(0.5)) process->age = {process->group, step};
  }
  if (!fails) return;
  for (Process* process : group) {
    process->left = process->group;
    process->group = 0;
  }
}

void MembershipModel::Beat(Process* process) {
  const Phase phase =
      process->age.generation == process->group && process->group > 0
          ? Phase::kTrain
          : Phase::kSetup;
  const int64_t generation =
      process->group > 0 ? process->group : process->left;
  const StateAge age = process->age;
  const WorkerId id = process->id;
  Call([this, id, generation, phase, age] {
    const absl::Status status = membership_->Heartbeat(
        id, generation, phase, age.step, absl::Milliseconds(200), now_);
    if (status.ok() && phase == Phase::kTrain) {
      trained_generation_ = std::max(trained_generation_, generation);
    }
    if (status.ok() && age.step > newest_step_) {
      newest_step_ = age.step;
      newest_step_generation_ = membership_->generation();
    }
  });
}

void MembershipModel::Join(Process* process) {
  const WorkerId id = process->id;
  const StateAge age = process->age;
  const int64_t left = process->left;
  Call([this, id, age, left] {
    const bool refused = dead_.count(NameOf(id)) > 0 || ended();
    const absl::Status status =
        membership_->Join(id, age, left, "a reason", now_);
    EXPECT_TRUE(!refused || absl::IsAborted(status)) << status;
    if (status.ok() && age.step > newest_step_) {
      newest_step_ = age.step;
      newest_step_generation_ = membership_->generation();
    }
  });
}

void MembershipModel::Act(Process* process) {
  if (!process->alive || process->stopped) return;
  if (process->group > 0) {
    const auto wishes = membership_->WishesOf(process->id, process->group);
    if (process->hung) return;
    if (wishes.over || (wishes.regroup && Chance(0.5))) {
      process->left = process->group;
      process->group = 0;
    }
    return;
  }
  if (process->hung) return;
  Join(process);
  const auto given = membership_->AssignmentOf(process->id);
  if (!given.ok()) {
    // As it was told.
    Kill(process, {Chance(0.5), "is dead"});
  } else if (given->has_value() && Chance(0.9)) {  // else the answer is lost
    process->group = (*given)->generation;
    EXPECT_GT(process->group, process->left) << NameOf(process->id);
  }
}

void MembershipModel::Report(Supervisor* supervisor) {
  if (!supervisor->alive || supervisor->exits.empty()) return;
  const auto i = Pick(supervisor->exits.size());
  const auto [id, exit] = supervisor->exits[i];
  const auto after = membership_->ReportExit(id, exit, now_);
  if (reported_.insert(NameOf(id)).second && exit.own_error) ++own_errors_;
  supervisor->waits = absl::IsUnavailable(after.status());
  if (supervisor->waits) return;
  supervisor->exits.erase(supervisor->exits.begin() + i);
  Call([this, id = id, exit = exit] {
    membership_->ReportExit(id, exit, now_).IgnoreError();
  });
  ASSERT_TRUE(after.ok()) << after.status();
  if (!after->has_value()) return;
  EXPECT_LE(**after, absl::Seconds(30));
  supervisor->starts.emplace_back(now_ + **after, id.slot);
}

void MembershipModel::Poll(Supervisor* supervisor) {
  if (!supervisor->alive) return;
  membership_->HostAlive(supervisor->host, now_).IgnoreError();
  std::vector<WorkerId> to_kill = membership_->ToKill(supervisor->host);
  if (membership_->HasLeft(supervisor->host)) {
    for (Process* process : Living()) {
      if (process->id.slot.host_id == supervisor->host) {
        Kill(process, {false, "its host has left"});
      }
    }
  }
  for (const WorkerId& id : to_kill) {
    EXPECT_EQ(id.slot.host_id, supervisor->host);
    EXPECT_EQ(dead_.count(NameOf(id)), 1u) << NameOf(id);
    Process* process = Find(id);
    if (process != nullptr && process->alive) {
      Kill(process, {false, "signal 9"});
    }
  }
  auto& starts = supervisor->starts;
  for (size_t i = 0; i < starts.size();) {
    if (starts[i].first > now_) {
      ++i;
      continue;
    }
    const Slot slot = starts[i].second;
    starts.erase(starts.begin() + i);
    const auto living = Living();
    if (std::none_of(living.begin(), living.end(), [&](const Process* other) {
          return other->id.slot == slot;
        })) {
      Spawn(slot);
    }
  }
}

void MembershipModel::Step() {
  Forget();
  // What happens, how often in relation to the others, and how.
  const struct {
    const char* name;
    int weight;
    std::function<void()> happen;
  } events[] = {
      {"a tick", 250, [&] { Tick(kTick); }},
      {"a late tick", 10, [&] { Tick(absl::Milliseconds(100 + Pick(5000))); }},
      {"many ticks", 20, [&] { ActAll("ticks", 40, [&] { Tick(kTick); }); }},
      {"no network", 3, [&] { CutOff(); }},
      {"workers", 300, [&] { ActAll("a worker", 1, [] {}); }},
      {"supervisors", 100,
       [&] {
         for (Supervisor& supervisor : supervisors_) {
           Report(&supervisor);
           Check("a report");
           Poll(&supervisor);
         }
       }},
      {"a collective", 100, [&] { Collective(/*fails=*/Chance(0.1)); }},
      {"a checkpoint", 15, [&] { Commit(); }},
      {"a repeated call", 60, [&] { RepeatACall(); }},
      {"a new host", 20, [&] { AddHost(); }},
      {"a kill", 30, [&] { KillSomebody(); }},
      {"a signal", 30, [&] { DisturbSomebody(); }},
      {"a restart", 10, [&] { RestartCoordinator(); }},
      {"a host leaves", 2, [&] { Leave(); }},
      {"a stop", is_stopped_ ? 2 : 0, [&] { RequestStop(); }},
      {"an end", is_ended_ ? 20 : 0, [&] { FinishJob(); }},
  };
  int sum = 0;
  for (const auto& event : events) sum += event.weight;
  int left = Pick(sum);
  for (const auto& event : events) {
    left -= event.weight;
    if (left >= 0) continue;
    event.happen();
    Check(event.name);
    return;
  }
}

// `times` over: `first`, and then half of the workers act.
void MembershipModel::ActAll(const std::string& event, int times,
                             const std::function<void()>& first) {
  for (int i = 0; i < times; ++i) {
    first();
    Check(event);
    for (Process* process : Living()) {
      if (!Chance(times == 1 ? 0.5 : 0.1)) continue;
      Act(process);
      Check(event);
    }
  }
}

void MembershipModel::Heal() {
  for (Process& process : processes_) process.stopped = process.hung = false;
  // More than the longest back-off, deadline and window together.
  constexpr int kTicks = 2000;
  for (int i = 0; i < kTicks && !IsWell(); ++i) {
    Tick(kTick);
    for (Process* process : Living()) Act(process);
    for (Supervisor& supervisor : supervisors_) {
      for (size_t n = supervisor.exits.size(); n > 0; --n) Report(&supervisor);
      Poll(&supervisor);
    }
    Check("healing");
    if (i % 10 == 0) Collective(/*fails=*/false);
    if (i % 50 == 0) StopIfAgreed();
  }
  EXPECT_TRUE(IsWell());
}

bool MembershipModel::IsWell() {
  // Of its being cut off it knows as much as of everybody's being dead.
  if (ended() ||
      std::none_of(supervisors_.begin(), supervisors_.end(),
                   [](const Supervisor& host) { return host.alive; })) {
    return true;
  }
  const Membership::Durable durable = membership_->ToDurable();
  std::set<std::string> hosts;  // with workers that are to stay
  std::set<std::string> workers;
  for (const Membership::Durable::Host& host : durable.hosts) {
    if (host.leaving) continue;
    for (Process* process : Living()) {
      if (process->id.slot.host_id != host.id) continue;
      hosts.insert(host.id);
      workers.insert(NameOf(process->id));
    }
  }
  for (const Supervisor& supervisor : supervisors_) {
    if (supervisor.waits) continue;
    if (!supervisor.exits.empty() || !supervisor.starts.empty()) return false;
  }
  if (static_cast<int>(hosts.size()) < options_.min_hosts) {
    return !durable.running;
  }
  std::set<std::string> members;
  for (const WorkerId& id : durable.members) members.insert(NameOf(id));
  return durable.running && members == workers;
}

}  // namespace charrnn
