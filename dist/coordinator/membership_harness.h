#ifndef CHARRNN_DIST_COORDINATOR_MEMBERSHIP_HARNESS_H_
#define CHARRNN_DIST_COORDINATOR_MEMBERSHIP_HARNESS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {

// A job for tests of Membership: its supervisors and workers, whose clock goes
// on when Advance() says so. A worker is named "alpha/1", of its second
// incarnation "alpha/1#2"; the id of host alpha is "id-alpha".
//
//   FakeJob job(options);
//   job.Register("alpha", 2);
//   job.Join("alpha/0");
//   job.Join("alpha/1");
//   EXPECT_EQ(job.Members(), "1: alpha/0 alpha/1");
class FakeJob {
 public:
  explicit FakeJob(const Membership::Options& options = {})
      : options_(options),
        membership_(std::make_unique<Membership>(options, now_)) {}

  Membership& operator*() { return *membership_; }
  Membership* operator->() { return membership_.get(); }
  absl::Duration now() const { return now_; }

  static std::string HostId(const std::string& host) {
    return absl::StrCat("id-", host);
  }

  static WorkerId Id(const std::string& name) {
    const std::pair<std::string, std::string> host =
        absl::StrSplit(name, absl::MaxSplits('/', 1));
    const std::vector<std::string> slot = absl::StrSplit(host.second, '#');
    WorkerId id;
    id.slot.host_id = HostId(host.first);
    id.incarnation = 1;
    EXPECT_TRUE(absl::SimpleAtoi(slot[0], &id.slot.local_rank)) << name;
    if (slot.size() > 1) {
      EXPECT_TRUE(absl::SimpleAtoi(slot[1], &id.incarnation)) << name;
    }
    return id;
  }

  static std::string NameOf(const WorkerId& id) {
    return absl::StrCat(
        id.slot.host_id.substr(3), "/", id.slot.local_rank,
        id.incarnation == 1 ? "" : absl::StrCat("#", id.incarnation));
  }

  // Hosts whose supervisor is there poll from then on.
  absl::Status Register(const std::string& host, int slots = 1) {
    supervisors_.insert(host);
    return membership_->RegisterHost(HostId(host), host, slots, now_);
  }

  // Joins, and sends heartbeats from then on.
  absl::Status Join(const std::string& worker, const StateAge& age = {},
                    int64_t left = 0, const std::string& why = "a reason",
                    bool needs_others = false) {
    const absl::Status status =
        membership_->Join(Id(worker), age, left, why, now_, needs_others);
    if (status.ok()) beats_[worker].generation = left;
    return status;
  }

  // One heartbeat now, and more like it from then on.
  absl::Status Beat(const std::string& worker, int64_t generation,
                    Phase phase = Phase::kTrain, int64_t step = 0,
                    absl::Duration step_time = absl::ZeroDuration()) {
    beats_[worker] = {generation, phase, step};
    return membership_->Heartbeat(Id(worker), generation, phase, step,
                                  step_time, now_);
  }

  // It says nothing more.
  void Silence(const std::string& worker) { beats_.erase(worker); }
  void SilenceSupervisor(const std::string& host) { supervisors_.erase(host); }

  absl::StatusOr<std::optional<absl::Duration>> Exit(
      const std::string& worker, const std::string& message = "signal 9",
      bool own_error = false) {
    Silence(worker);
    return membership_->ReportExit(Id(worker), {own_error, message}, now_);
  }

  // Lets everybody who is not silent go on for `duration`.
  void Advance(absl::Duration duration) {
    constexpr absl::Duration kStep = absl::Milliseconds(100);
    for (const absl::Duration end = now_ + duration; now_ < end;) {
      now_ += std::min(kStep, end - now_);
      for (const auto& [worker, beat] : beats_) {
        membership_
            ->Heartbeat(Id(worker), beat.generation, beat.phase, beat.step,
                        absl::ZeroDuration(), now_)
            .IgnoreError();
      }
      for (const std::string& host : supervisors_) {
        membership_->HostAlive(HostId(host), now_).IgnoreError();
      }
      membership_->Tick(now_);
    }
  }

  // All that say anything are asleep, and the coordinator with them.
  void Sleep(absl::Duration duration) { now_ += duration; }

  // The coordinator is killed and comes back.
  void Restart() {
    const Membership::Durable durable = membership_->ToDurable();
    membership_ = std::make_unique<Membership>(options_, durable, now_);
  }

  // "3: alpha/0#2 beta/0" if generation 3 runs; "forming", "stopped", ....
  std::string Members() const {
    switch (membership_->job_state()) {
      case JobState::kForming:
        return "forming";
      case JobState::kFinished:
        return "finished";
      case JobState::kStopped:
        return "stopped";
      case JobState::kFailed:
        return "failed";
      case JobState::kRefused:
        return "refused";
      case JobState::kRunning:
        break;
    }
    std::map<int, std::string> by_rank;
    for (const Membership::WorkerView& view : membership_->Workers()) {
      if (view.state == Membership::WorkerState::kMember) {
        by_rank[view.rank] = NameOf(view.id);
      }
    }
    return absl::StrCat(
        membership_->generation(), ": ",
        absl::StrJoin(by_rank, " ", [](std::string* out, const auto& entry) {
          out->append(entry.second);
        }));
  }

  // "3: rank 1 of 2, source 0, committed 7"; "waits"; or the error's code.
  std::string Given(const std::string& worker) const {
    const auto given = membership_->AssignmentOf(Id(worker));
    if (!given.ok()) return absl::StatusCodeToString(given.status().code());
    if (!given->has_value()) return "waits";
    const Membership::Assignment& to = **given;
    return absl::StrCat(
        to.generation, ": rank ", to.rank, " of ", to.world_size, ", source ",
        to.source_rank.has_value() ? absl::StrCat(*to.source_rank) : "none",
        ", committed ", to.committed_step);
  }

  // "over", "regroup", "stop", "" or several.
  std::string Wishes(const std::string& worker, int64_t generation) const {
    const auto wishes = membership_->WishesOf(Id(worker), generation);
    std::vector<std::string> names;
    if (wishes.over) names.push_back("over");
    if (wishes.regroup) names.push_back("regroup");
    if (wishes.stop) names.push_back("stop");
    return absl::StrJoin(names, " ");
  }

  // "alpha/0 alpha/1#2".
  std::string ToKill(const std::string& host) const {
    std::vector<std::string> names;
    for (const WorkerId& id : membership_->ToKill(HostId(host))) {
      names.push_back(NameOf(id));
    }
    return absl::StrJoin(names, " ");
  }

 private:
  struct Pulse {
    int64_t generation = 0;
    Phase phase = Phase::kSetup;
    int64_t step = 0;
  };

  Membership::Options options_;
  absl::Duration now_ = absl::Seconds(1000);
  std::unique_ptr<Membership> membership_;
  std::map<std::string, Pulse> beats_;
  std::set<std::string> supervisors_;
};

// A job whose generation 1, of alpha/0, alpha/1 and beta/0, trains at step 10.
inline void StartThree(FakeJob* job) {
  ASSERT_THAT(job->Register("alpha", 2), IsOk());
  ASSERT_THAT(job->Register("beta", 1), IsOk());
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job->Join(worker), IsOk());
  }
  ASSERT_EQ(job->Members(), "1: alpha/0 alpha/1 beta/0");
  for (const char* worker : {"alpha/0", "alpha/1", "beta/0"}) {
    ASSERT_THAT(job->Beat(worker, 1, Phase::kTrain, 10), IsOk());
  }
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_MEMBERSHIP_HARNESS_H_
