// Membership against what must always hold: what MembershipModel checks, and
// the sequences of events that it is tried with.

#include "dist/coordinator/membership_model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "gtest/gtest.h"

namespace charrnn {

std::map<std::string, std::string> MembershipModel::Visible() const {
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

std::string MembershipModel::ToString(const Membership::Durable& durable) {
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
                    host.leaving, " ", absl::StrJoin(host.incarnations, " "),
                    " ", absl::StrJoin(host.first_generations, " "));
    for (const bool dead : host.dead) absl::StrAppend(&text, " ", dead);
  }
  return text;
}

void MembershipModel::CheckMembers() {
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

void MembershipModel::CheckSource(const Membership::Assignment& given,
                                  const std::vector<WorkerId>& members) {
  std::optional<int> source;
  StateAge newest;
  int64_t since = 0;
  for (size_t rank = 0; rank < members.size(); ++rank) {
    Process& process = *Find(members[rank]);
    if (process.first_generation == 0) {
      process.first_generation = given.generation;
    }
    const StateAge& age = process.age;
    // The sooner it was a member, the better.
    const int64_t negative = -process.first_generation;
    if (age.generation > 0 &&
        std::tie(newest.generation, newest.step, since) <
            std::tie(age.generation, age.step, negative)) {
      newest = age;
      since = negative;
      source = static_cast<int>(rank);
    }
  }
  if (committed_ > newest.step) source.reset();
  EXPECT_EQ(given.source_rank, source);
  EXPECT_EQ(given.committed_step, committed_);
  // Nobody who lives and is not declared dead has made a step more, also of
  // those who are left out.
  for (Process* process : Living()) {
    const StateAge& age = process->age;
    if (!membership_->AssignmentOf(process->id).ok() ||
        std::tie(age.generation, age.step) <=
            std::tie(newest.generation, newest.step)) {
      continue;
    }
    EXPECT_LE(age.step, std::max(newest.step, committed_))
        << NameOf(process->id);
  }
}

void MembershipModel::CheckWishes() {
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

// Who leaves takes nothing along that those who stay may still need.
void MembershipModel::CheckThoseWhoLeft() {
  for (const Supervisor& supervisor : supervisors_) {
    const std::string& host = supervisor.host;
    if (!membership_->HasLeft(host) || !left_.insert(host).second) continue;
    std::set<std::string> dead;
    for (const WorkerId& id : membership_->ToKill(host)) {
      dead.insert(NameOf(id));
    }
    for (const Process* process : Living()) {
      if (process->id.slot.host_id != host || process->age.generation == 0 ||
          process->age.step <= committed_ || dead.count(NameOf(process->id))) {
        continue;
      }
      EXPECT_EQ(state(), JobState::kRunning) << NameOf(process->id);
      EXPECT_EQ(trained_generation_, membership_->generation())
          << NameOf(process->id);
    }
  }
}

void MembershipModel::CheckEnd() {
  const std::string& error = membership_->first_error();
  EXPECT_EQ(error.empty(), state() != JobState::kFailed) << error;
  if (finished_.has_value() || !ended()) return;
  EXPECT_NE(state(), JobState::kFinished);
  if (state() == JobState::kStopped) {
    EXPECT_TRUE(stop_requested_);
  } else if (absl::StrContains(error, "generations in a row")) {
    EXPECT_GE(membership_->generation() - newest_step_generation_ + 1,
              options_.idle_generations);
  } else if (absl::StrContains(error, "there were workers of") ||
             absl::StrContains(error, "no generation has formed")) {
    EXPECT_GE(now_ - last_running_, options_.missing_hosts_deadline);
  } else {
    EXPECT_GE(own_errors_, options_.own_errors) << error;
  }
}

void MembershipModel::Check(const std::string& event) {
  SCOPED_TRACE(event);
  EXPECT_GE(membership_->generation(), last_generation_);
  last_generation_ = membership_->generation();
  if (state() == JobState::kRunning) {
    last_running_ = now_;
    CheckMembers();
  }
  CheckWishes();
  CheckThoseWhoLeft();
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

namespace {

TEST(MembershipModelTest, HoldsWhatItPromisesInRandomSequences) {
  constexpr int kSequences = 60;
  constexpr int kEvents = 800;
  int64_t generations = 0;
  std::map<JobState, int> ends;
  for (unsigned seed = 1; seed <= kSequences; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    MembershipModel model(seed);
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
