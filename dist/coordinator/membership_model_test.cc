// Membership against what must always hold, in random sequences of events of a
// job whose workers and supervisors keep to the protocol: they are killed,
// stopped, hang, and come back; calls are repeated, also late; the coordinator
// is killed and asleep.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

std::string NameOf(const WorkerId& id) {
  return absl::StrCat(id.slot.host_id, "/", id.slot.local_rank, "#",
                      id.incarnation);
}

// A process, as it really is.
struct Process {
  WorkerId id;
  bool alive = true;
  bool stopped = false;  // SIGSTOP
  bool hung = false;     // its training thread
  StateAge age;
  int64_t group = 0;  // the generation that it is in; 0: it joins
  int64_t left = 0;   // as it joins
};

struct Supervisor {
  std::string host;
  bool alive = true;
  int slots = 0;
  // Exits to be reported, and processes to be started.
  std::vector<std::pair<WorkerId, Membership::Exit>> exits;
  std::vector<std::pair<absl::Duration, Slot>> starts;
};

// A job and what is known to be true of it.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    options_.min_hosts = 1 + Pick(2);
    options_.max_hosts = options_.min_hosts + Pick(3);
    options_.max_workers = 9;
    is_stopped_ = Pick(5) == 0;
    is_ended_ = Pick(5) == 0;
    options_.idle_generations = Pick(2) == 0 ? 5 : 16;
    membership_ = std::make_unique<Membership>(options_, now_);
    Check("start");
  }

  bool ended() const {
    const JobState state = membership_->job_state();
    return state != JobState::kForming && state != JobState::kRunning;
  }
  int64_t generation() const { return membership_->generation(); }
  JobState state() const { return membership_->job_state(); }

  // Something happens.
  void Step();
  // Nothing goes wrong any more.
  void Heal();
  // Whether all that live and are to train together do, or the job has ended.
  bool IsWell();

 private:
  int Pick(int n) { return static_cast<int>(random_() % n); }
  bool Chance(double p) { return Pick(10000) < p * 10000; }

  // ---- Events ----
  void AddHost();
  void KillSomebody();
  void DisturbSomebody();
  void RestartCoordinator();
  void Tick(absl::Duration pause);
  void RepeatACall();
  void Leave();
  void RequestStop();
  void Collective(bool fails);
  void Commit();
  void FinishJob();
  void StopIfAgreed();

  void ActAll(const std::string& event, int times,
              const std::function<void()>& first);

  // ---- What the parties do ----
  void Spawn(const Slot& slot);
  void Kill(Process* process, const Membership::Exit& exit);
  void Act(Process* process);
  void Beat(Process* process);
  void Join(Process* process);
  void Poll(Supervisor* supervisor);
  void Report(Supervisor* supervisor);

  // The processes that ended long ago.
  void Forget();
  std::vector<Process*> Living();
  // Those that are in the running generation and know it; empty if any member
  // is not.
  std::vector<Process*> Group();
  Process* Find(const WorkerId& id);

  // Makes a call that may come again later.
  void Call(std::function<void()> call);
  // What must hold after each event.
  void Check(const std::string& event);
  void CheckMembers();
  void CheckSource(const Membership::Assignment& given,
                   const std::vector<WorkerId>& members);
  void CheckWishes();
  void CheckEnd();
  // What the coordinator would say, by what it is about.
  std::map<std::string, std::string> Visible() const;
  static std::string ToString(const Membership::Durable& durable);

  std::mt19937 random_;
  absl::Duration now_ = absl::Seconds(500);
  Membership::Options options_;
  std::unique_ptr<Membership> membership_;
  std::deque<Process> processes_;
  std::deque<Supervisor> supervisors_;
  std::map<Slot, int64_t> incarnations_;
  std::vector<std::function<void()>> calls_;  // since the coordinator's start

  int64_t committed_ = 0;
  int64_t newest_step_ = 0;  // that the coordinator has heard of
  int64_t newest_step_generation_ = 0;
  bool is_stopped_ = false;  // whether it will be
  bool is_ended_ = false;    // likewise
  bool stop_requested_ = false;
  int own_errors_ = 0;
  absl::Duration last_running_ = now_;
  std::optional<JobState> finished_;

  int64_t last_generation_ = 0;
  std::map<int64_t, std::string> members_;  // of each generation that ran
  std::set<std::string> dead_;              // have been refused
  std::set<std::string> reported_;          // have ended
  std::map<std::string, std::string> visible_;
  std::string durable_;
  int64_t version_ = -1;
  int64_t durable_version_ = -1;
};

void Model::Forget() {
  const auto is_old = [&](const Process& process) {
    return !process.alive && reported_.count(NameOf(process.id)) > 0 &&
           incarnations_[process.id.slot] > process.id.incarnation + 1;
  };
  processes_.erase(std::remove_if(processes_.begin(), processes_.end(), is_old),
                   processes_.end());
}

std::vector<Process*> Model::Living() {
  std::vector<Process*> living;
  for (Process& process : processes_) {
    if (process.alive) living.push_back(&process);
  }
  return living;
}

Process* Model::Find(const WorkerId& id) {
  for (Process& process : processes_) {
    if (NameOf(process.id) == NameOf(id)) return &process;
  }
  return nullptr;
}

std::vector<Process*> Model::Group() {
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

void Model::Call(std::function<void()> call) {
  call();
  constexpr size_t kRemembered = 30;
  if (calls_.size() == kRemembered) calls_.erase(calls_.begin());
  calls_.push_back(std::move(call));
}

void Model::AddHost() {
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

void Model::Spawn(const Slot& slot) {
  Process process;
  process.id = {slot, ++incarnations_[slot]};
  processes_.push_back(process);
}

void Model::Kill(Process* process, const Membership::Exit& exit) {
  process->alive = false;
  for (Supervisor& supervisor : supervisors_) {
    if (supervisor.host == process->id.slot.host_id && supervisor.alive) {
      supervisor.exits.emplace_back(process->id, exit);
    }
  }
}

void Model::KillSomebody() {
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
  const bool own_error = Chance(is_ended_ ? 0.5 : 0.1);
  Kill(process, {own_error, own_error ? "a mistake" : "signal 9"});
}

void Model::DisturbSomebody() {
  const std::vector<Process*> living = Living();
  if (living.empty()) return;
  Process* process = living[Pick(living.size())];
  (Chance(0.5) ? process->stopped : process->hung) = Chance(0.5);
}

void Model::RestartCoordinator() {
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

void Model::Tick(absl::Duration pause) {
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

void Model::RepeatACall() {
  if (calls_.empty()) return;
  calls_[Pick(calls_.size())]();
}

void Model::Leave() {
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

void Model::RequestStop() {
  stop_requested_ = true;
  membership_->RequestStop(now_);
}

void Model::Commit() {
  const std::vector<Process*> group = Group();
  if (group.empty() || group[0]->age.generation != group[0]->group) return;
  committed_ = std::max(committed_, group[0]->age.step);
  membership_->Committed(committed_);
  if (committed_ > newest_step_) {
    newest_step_ = committed_;
    newest_step_generation_ = membership_->generation();
  }
}

void Model::FinishJob() {
  const std::vector<Process*> group = Group();
  if (group.empty()) return;
  Process* process = group[Chance(0.3) ? 0 : Pick(group.size())];
  const JobState how = Chance(0.5)   ? JobState::kFinished
                       : Chance(0.5) ? JobState::kStopped
                                     : JobState::kFailed;
  if (how == JobState::kFailed || process == group[0]) finished_ = how;
  EXPECT_TRUE(
      membership_->Finish(process->id, process->group, how, "not finite", now_)
          .ok());
}

void Model::StopIfAgreed() {
  const std::vector<Process*> group = Group();
  if (group.empty() ||
      !membership_->WishesOf(group[0]->id, group[0]->group).stop) {
    return;
  }
  Commit();
  finished_ = JobState::kStopped;
  EXPECT_TRUE(
      membership_
          ->Finish(group[0]->id, group[0]->group, JobState::kStopped, "", now_)
          .ok());
}

// All members sync, or make a step; if it `fails`, some of them only.
void Model::Collective(bool fails) {
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

void Model::Beat(Process* process) {
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
    if (status.ok() && age.step > newest_step_) {
      newest_step_ = age.step;
      newest_step_generation_ = membership_->generation();
    }
  });
}

void Model::Join(Process* process) {
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

void Model::Act(Process* process) {
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

void Model::Report(Supervisor* supervisor) {
  if (!supervisor->alive || supervisor->exits.empty()) return;
  const auto i = Pick(supervisor->exits.size());
  const auto [id, exit] = supervisor->exits[i];
  supervisor->exits.erase(supervisor->exits.begin() + i);
  if (exit.own_error) ++own_errors_;
  const auto after = membership_->ReportExit(id, exit, now_);
  reported_.insert(NameOf(id));
  Call([this, id = id, exit = exit] {
    membership_->ReportExit(id, exit, now_).IgnoreError();
  });
  ASSERT_TRUE(after.ok()) << after.status();
  if (!after->has_value()) return;
  EXPECT_LE(**after, absl::Seconds(30));
  supervisor->starts.emplace_back(now_ + **after, id.slot);
}

void Model::Poll(Supervisor* supervisor) {
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

void Model::Step() {
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
      {"workers", 300, [&] { ActAll("a worker", 1, [] {}); }},
      {"supervisors", 100,
       [&] {
         for (Supervisor& supervisor : supervisors_) {
           Report(&supervisor);
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
void Model::ActAll(const std::string& event, int times,
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

void Model::Heal() {
  for (Process& process : processes_) process.stopped = process.hung = false;
  // More than the longest back-off, deadline and window together.
  constexpr int kTicks = 2000;
  for (int i = 0; i < kTicks && !IsWell(); ++i) {
    Tick(kTick);
    for (Process* process : Living()) Act(process);
    for (Supervisor& supervisor : supervisors_) {
      while (supervisor.alive && !supervisor.exits.empty()) {
        Report(&supervisor);
      }
      Poll(&supervisor);
    }
    Check("healing");
    if (i % 10 == 0) Collective(/*fails=*/false);
    if (i % 50 == 0) StopIfAgreed();
  }
  EXPECT_TRUE(IsWell());
}

bool Model::IsWell() {
  if (ended()) return true;
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
    if (!supervisor.exits.empty() || !supervisor.starts.empty()) return false;
  }
  if (static_cast<int>(hosts.size()) < options_.min_hosts) {
    return !durable.running;
  }
  std::set<std::string> members;
  for (const WorkerId& id : durable.members) members.insert(NameOf(id));
  return durable.running && members == workers;
}

std::map<std::string, std::string> Model::Visible() const {
  std::map<std::string, std::string> visible;
  visible["the job"] =
      absl::StrCat(static_cast<int>(membership_->job_state()), " ",
                   membership_->generation(), " ", membership_->first_error());
  for (const Supervisor& supervisor : supervisors_) {
    std::string& text = visible[supervisor.host];
    text =
        absl::StrCat("left ", membership_->HasLeft(supervisor.host), " kill");
    for (const WorkerId& id : membership_->ToKill(supervisor.host)) {
      absl::StrAppend(&text, " ", NameOf(id));
    }
  }
  for (const Process& process : processes_) {
    const WorkerId& id = process.id;
    const auto given = membership_->AssignmentOf(id);
    std::string& text = visible[NameOf(id)];
    text = absl::StatusCodeToString(given.status().code());
    // That it waits again is what it knows itself.
    if (given.ok() && given->has_value() &&
        membership_->job_state() == JobState::kRunning) {
      absl::StrAppend(&text, " ", (*given)->rank);
    }
    const auto wishes = membership_->WishesOf(id, membership_->generation());
    absl::StrAppend(&text, " ", wishes.over, wishes.regroup, wishes.stop);
  }
  return visible;
}

std::string Model::ToString(const Membership::Durable& durable) {
  std::string text =
      absl::StrCat(durable.generation, " ", durable.running, " ",
                   durable.source_rank.value_or(-1), " ",
                   durable.committed_step_at_forming, " ", durable.stop, " ",
                   static_cast<int>(durable.ended), " ", durable.first_error);
  for (const WorkerId& id : durable.members) {
    absl::StrAppend(&text, " ", NameOf(id));
  }
  for (const Membership::Durable::Host& host : durable.hosts) {
    absl::StrAppend(&text, "\n", host.id, " ", host.name, " ", host.slots, " ",
                    host.leaving, " ", absl::StrJoin(host.incarnations, " "));
    for (const bool dead : host.dead) absl::StrAppend(&text, " ", dead);
  }
  return text;
}

void Model::CheckMembers() {
  const Membership::Durable durable = membership_->ToDurable();
  std::vector<std::string> names;
  std::optional<Membership::Assignment> first;
  for (size_t rank = 0; rank < durable.members.size(); ++rank) {
    const WorkerId& id = durable.members[rank];
    const std::string name = NameOf(id);
    names.push_back(name);
    EXPECT_EQ(dead_.count(name), 0u) << name;
    EXPECT_EQ(reported_.count(name), 0u) << name;
    EXPECT_TRUE(membership_->CheckMember(id, durable.generation).ok()) << name;
    const auto given = membership_->AssignmentOf(id);
    ASSERT_TRUE(given.ok()) << given.status();
    ASSERT_TRUE(given->has_value()) << name;
    EXPECT_EQ((*given)->generation, durable.generation);
    EXPECT_EQ((*given)->rank, static_cast<int>(rank));
    EXPECT_EQ((*given)->world_size, static_cast<int>(durable.members.size()));
    if (!first.has_value()) first = **given;
    EXPECT_EQ((*given)->source_rank, first->source_rank);
  }
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(),
            names.size());
  const std::string all = absl::StrJoin(names, " ");
  const auto [entry, is_new] = members_.emplace(durable.generation, all);
  EXPECT_EQ(entry->second, all) << "generation " << durable.generation;
  if (is_new) CheckSource(*first, durable.members);
}

void Model::CheckSource(const Membership::Assignment& given,
                        const std::vector<WorkerId>& members) {
  std::optional<int> source;
  StateAge newest;
  for (size_t rank = 0; rank < members.size(); ++rank) {
    const StateAge& age = Find(members[rank])->age;
    if (std::tie(newest.generation, newest.step) <
        std::tie(age.generation, age.step)) {
      newest = age;
      source = static_cast<int>(rank);
    }
  }
  if (committed_ > newest.step) source.reset();
  EXPECT_EQ(given.source_rank, source);
  EXPECT_EQ(given.committed_step, committed_);
  // Nobody who lives and is not declared dead knows better, but for those of
  // hosts that have left.
  for (Process* process : Living()) {
    const std::string name = NameOf(process->id);
    const auto heeded = membership_->AssignmentOf(process->id);
    if (!heeded.ok() || process->age.generation == 0) continue;
    EXPECT_LE(process->age.step, process->age.generation == newest.generation
                                     ? std::max(newest.step, committed_)
                                     : process->age.step)
        << name;
    EXPECT_LE(process->age.generation, newest.generation) << name;
  }
}

void Model::CheckWishes() {
  const bool running = state() == JobState::kRunning;
  std::set<std::string> members;
  if (running) {
    for (const WorkerId& id : membership_->ToDurable().members) {
      members.insert(NameOf(id));
    }
  }
  for (const Process& process : processes_) {
    for (const int64_t back : {0, 1}) {
      const int64_t number = membership_->generation() - back;
      if (number < 1) continue;
      const auto wishes = membership_->WishesOf(process.id, number);
      const bool is_member =
          running && back == 0 && members.count(NameOf(process.id)) > 0;
      EXPECT_EQ(wishes.over, !is_member) << NameOf(process.id);
      EXPECT_LE(wishes.over + wishes.regroup + wishes.stop, 1);
      EXPECT_TRUE(!wishes.stop || stop_requested_);
    }
  }
}

void Model::CheckEnd() {
  const std::string& error = membership_->first_error();
  EXPECT_EQ(error.empty(), state() != JobState::kFailed) << error;
  if (finished_.has_value() || !ended()) return;
  EXPECT_NE(state(), JobState::kFinished);
  if (state() == JobState::kStopped) {
    EXPECT_TRUE(stop_requested_);
  } else if (absl::StrContains(error, "generations in a row")) {
    EXPECT_GE(membership_->generation() - newest_step_generation_ + 1,
              options_.idle_generations);
  } else if (absl::StrContains(error, "there were workers of")) {
    EXPECT_GE(now_ - last_running_, options_.missing_hosts_deadline);
  } else {
    EXPECT_GE(own_errors_, options_.own_errors) << error;
  }
}

void Model::Check(const std::string& event) {
  SCOPED_TRACE(event);
  EXPECT_GE(membership_->generation(), last_generation_);
  last_generation_ = membership_->generation();
  if (state() == JobState::kRunning) {
    last_running_ = now_;
    CheckMembers();
  }
  CheckWishes();
  CheckEnd();
  for (const Process& process : processes_) {
    const std::string name = NameOf(process.id);
    const bool refused =
        absl::IsAborted(membership_->AssignmentOf(process.id).status());
    if (dead_.count(name) > 0 || reported_.count(name) > 0) {
      EXPECT_TRUE(refused) << name;
    }
    if (refused && !ended()) dead_.insert(name);
  }

  // Those who wait are woken if there is something to see, and only then.
  const auto visible = Visible();
  const std::string durable = ToString(membership_->ToDurable());
  if (version_ >= 0) {
    EXPECT_GE(membership_->version(), version_);
    EXPECT_GE(membership_->durable_version(), durable_version_);
    std::vector<std::string> changes;
    for (const auto& [what, said] : visible) {
      const auto before = visible_.find(what);
      if (before != visible_.end() && before->second != said) {
        changes.push_back(
            absl::StrCat(what, ": ", before->second, " -> ", said));
      }
    }
    EXPECT_EQ(membership_->version() > version_, !changes.empty())
        << absl::StrJoin(changes, "\n");
    EXPECT_EQ(membership_->durable_version() > durable_version_,
              durable != durable_)
        << durable_ << "\n"
        << durable;
  }
  visible_ = visible;
  durable_ = durable;
  version_ = membership_->version();
  durable_version_ = membership_->durable_version();
}

TEST(MembershipModelTest, HoldsWhatItPromisesInRandomSequences) {
  constexpr int kSequences = 100;
  constexpr int kEvents = 800;
  int64_t generations = 0;
  std::map<JobState, int> ends;
  for (unsigned seed = 1; seed <= kSequences; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Model model(seed);
    for (int i = 0; i < kEvents && !model.ended(); ++i) {
      SCOPED_TRACE(absl::StrCat("event ", i));
      model.Step();
      if (::testing::Test::HasFailure()) return;
    }
    model.Heal();
    if (::testing::Test::HasFailure()) return;
    generations += model.generation();
    ++ends[model.state()];
  }
  // The sequences are worth something.
  for (const auto& [state, count] : ends) {
    RecordProperty(absl::StrCat("state_", static_cast<int>(state)), count);
  }
  EXPECT_GT(generations, 5 * kSequences);
  EXPECT_GT(ends[JobState::kRunning], kSequences / 4);
  EXPECT_GT(ends[JobState::kStopped], 0);
  EXPECT_GT(ends[JobState::kFailed], 0);
  EXPECT_GT(ends[JobState::kFinished], 0);
}

}  // namespace
}  // namespace charrnn
