#ifndef CHARRNN_DIST_COORDINATOR_MEMBERSHIP_MODEL_H_
#define CHARRNN_DIST_COORDINATOR_MEMBERSHIP_MODEL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "dist/coordinator/membership.h"

namespace charrnn {

// A process, as it really is.
struct Process {
  WorkerId id;
  bool alive = true;
  bool stopped = false;  // SIGSTOP
  bool hung = false;     // its training thread
  StateAge age;
  int64_t first_generation = 0;  // that it was a member of; 0: none
  int64_t group = 0;             // the generation that it is in; 0: it joins
  int64_t left = 0;              // as it joins
};

struct Supervisor {
  std::string host;
  bool alive = true;
  int slots = 0;
  bool waits = false;  // until there is room for its host
  // Exits to be reported, and processes to be started.
  std::vector<std::pair<WorkerId, Membership::Exit>> exits;
  std::vector<std::pair<absl::Duration, Slot>> starts;
};

// A job in which anything may happen, and what is known to be true of it. Its
// workers and supervisors keep to the protocol: they are killed, stopped, hang,
// and come back; calls are repeated, also late; the coordinator is killed and
// asleep. After each event what must hold is checked, as GoogleTest does.
// Not thread-safe.
//
//   MembershipModel model(/*seed=*/7);
//   for (int i = 0; i < 100 && !model.ended(); ++i) model.Step();
//   model.Heal();
class MembershipModel {
 public:
  explicit MembershipModel(unsigned seed) : random_(seed) {
    options_.min_hosts = 1 + Pick(2);
    options_.max_hosts = options_.min_hosts + Pick(3);
    options_.max_workers = 9;
    // Most sequences are to go on for long.
    is_stopped_ = seed % 5 == 1;
    is_ended_ = seed % 5 == 2;
    has_errors_ = seed % 5 == 3;
    options_.idle_generations = Pick(2) == 0 ? 5 : 16;
    options_.idle_time = absl::Seconds(Pick(2) * 60);
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
  void CutOff();
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
  void CheckThoseWhoLeft();
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
  bool has_errors_ = false;  // of its workers' own, many of them
  bool stop_requested_ = false;
  int own_errors_ = 0;
  absl::Duration last_running_ = now_;
  std::optional<JobState> finished_;

  int64_t last_generation_ = 0;
  std::map<int64_t, std::string> members_;  // of each generation that ran
  std::set<std::string> dead_;              // have been refused
  std::set<std::string> reported_;          // have ended
  std::set<std::string> left_;              // hosts that have
  int64_t trained_generation_ = 0;          // the last one that is heard to
  std::map<std::string, std::string> visible_;
  std::string durable_;
  int64_t version_ = -1;
  int64_t durable_version_ = -1;
};

// "alpha/1#2" of its second incarnation.
inline std::string NameOf(const WorkerId& id) {
  return absl::StrCat(id.slot.host_id, "/", id.slot.local_rank, "#",
                      id.incarnation);
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_MEMBERSHIP_MODEL_H_
