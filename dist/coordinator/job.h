#ifndef CHARRNN_DIST_COORDINATOR_JOB_H_
#define CHARRNN_DIST_COORDINATOR_JOB_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/durable_state.h"
#include "dist/coordinator/key_value_store.h"
#include "dist/coordinator/membership.h"
#include "dist/coordinator/run_book.h"
#include "model/manifest.h"

namespace charrnn {

// One job, as its coordinator sees it: who trains (Membership), by what they
// find each other (KeyValueStore), and what is kept (RunBook); and when each
// call is answered. It knows no network: //dist/coordinator:server puts it on
// one.
//
// A call is answered by calling `done` once, on any thread, when what it says
// is durable and what it asks for is there; its request and response live
// until then. Calls never block. Thread-safe.
class Job {
 public:
  struct Options {
    std::string run_dir;  // which the caller has made, and holds the lock of
    Membership::Options membership;
    // Whether another process may go on with the job when this one has died:
    // by what it has left in coordinator.json.
    bool durable = false;
    // Whether a person has asked that the run go on: that it was to stop is
    // forgotten, and if its last job has ended, the first host that comes may
    // have other settings, which become the run's.
    bool resume = false;
    // How long a poll is kept without news.
    absl::Duration poll = absl::Seconds(3);
    FileSystem* files = FileSystem::Real();
    Clock* clock = Clock::Real();
  };

  using Done = std::function<void(const absl::Status&)>;

  // Possible errors: those of RunBook::Open; InvalidArgument for a
  // coordinator.json that makes no sense.
  static absl::StatusOr<std::unique_ptr<Job>> Open(const Options& options);

  // Whether the folder `run_dir` is of a durable job that has not ended.
  static bool WasInterrupted(FileSystem& files, const std::string& run_dir);

  // Writes what was accepted, and answers all that still waits as
  // StopAnswering() does.
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // The calls of coordinator.proto.
  void OpenRun(const wire::OpenRunRequest& request,
               wire::OpenRunResponse* response, const Done& done);
  void RegisterHost(const wire::RegisterHostRequest& request,
                    wire::RegisterHostResponse* response, const Done& done);
  void WatchHost(const wire::WatchHostRequest& request,
                 wire::WatchHostResponse* response, const Done& done);
  void ReportExit(const wire::ReportExitRequest& request,
                  wire::ReportExitResponse* response, const Done& done);
  void LeaveHost(const wire::LeaveHostRequest& request,
                 wire::LeaveHostResponse* response, const Done& done);
  void Join(const wire::JoinRequest& request, wire::JoinResponse* response,
            const Done& done);
  void Heartbeat(const wire::HeartbeatRequest& request,
                 wire::HeartbeatResponse* response, const Done& done);
  void Store(const wire::StoreRequest& request, wire::StoreResponse* response,
             const Done& done);
  void Record(const wire::RecordRequest& request,
              wire::RecordResponse* response, const Done& done);
  void PutCheckpoint(const wire::Worker& worker, int64_t generation,
                     int64_t step, std::vector<CheckpointFile> files,
                     const Done& done);
  void GetCheckpoint(int64_t step, std::vector<CheckpointFile>* files,
                     const Done& done);
  void Finish(const wire::FinishRequest& request,
              wire::FinishResponse* response, const Done& done);
  void GetStatus(const wire::GetStatusRequest& request,
                 wire::GetStatusResponse* response, const Done& done);
  void Stop(const wire::StopRequest& request, wire::StopResponse* response,
            const Done& done);

  // Blocks until the job has ended and its end is recorded, or the timeout has
  // passed; returns how it stands.
  JobState AwaitEnd(absl::Duration timeout);
  std::string first_error();

  // Whether a host has come, and with it the run's configuration.
  bool has_begun();

  // Blocks until all hosts that are left have heard of the job's end, or the
  // timeout has passed.
  void AwaitFarewell(absl::Duration timeout);

  // From here on, all that would have to wait is answered with Unavailable.
  void StopAnswering();

 private:
  // A call that is not answered yet.
  struct Pending {
    // Fills in the response once there is something to say: none as long as
    // there is not. Called under mutex_.
    std::function<std::optional<absl::Status>()> answer;
    // On the clock; when it has passed, the answer is `late`.
    absl::Duration deadline;
    absl::Status late;
    // What has to be durable before.
    int64_t durable_version = 0;
    Done done;
  };

  Job(const Options& options, std::unique_ptr<RunBook> book,
      const std::optional<DurableState>& state);

  absl::Duration Now() const { return options_.clock->Elapsed(); }

  // These are called under mutex_.
  void Wait(Pending pending);
  // Answers with `status` once all that has been done by now is durable.
  void AnswerDurably(absl::Status status, Done done);
  void FillWishes(const WorkerId& worker, int64_t generation,
                  wire::Wishes* wishes) const;
  // Whether the operation could be done; false: keys are to be waited for.
  absl::StatusOr<bool> StoreOnce(const wire::StoreRequest& request,
                                 wire::StoreResponse* response);
  // What all would compute with if a host with `theirs` came.
  absl::StatusOr<std::string> AgreeOnInstructionSet(
      const std::string& theirs) const;
  // What is to be answered now, of all that waits or only of what is fresh.
  std::vector<std::pair<Done, absl::Status>> TakeAnswers(bool of_all);
  // Without mutex_: puts it on the disk, or says that it could not.
  void WriteState(const DurableState& state);
  // Puts on the disk thread's list what the membership has to tell of.
  void RecordNews();
  // People, what the job or the next generation waits for.
  void TellIfItWaits();
  void TellIfMoreMayCome();
  void OnDisk(std::function<void()> task);

  // The disk thread's, without mutex_.
  // Lets a host in, whose configuration becomes the run's if it has none.
  absl::Status Admit(const wire::RegisterHostRequest& request);
  // What of the book others may know without the disk's being waited for.
  void Publish();

  // The answering thread's: since when what is on the disk is out of date,
  // because it could not be written.
  static constexpr absl::Duration kWritten = -absl::Seconds(1);
  absl::Duration unwritten_since_ = kWritten;

  // The threads' bodies. One answers, one writes to the disk.
  void Answer();
  void Write();

  const Options options_;
  const uint64_t boot_;

  std::mutex mutex_;
  std::condition_variable news_;
  std::condition_variable ended_;
  // All guarded by mutex_.
  std::unique_ptr<Membership> membership_;
  KeyValueStore store_;
  int64_t store_generation_ = 0;  // whose keys they are
  std::string instruction_set_;
  std::list<Pending> waiting_;      // had nothing to say when last looked at
  std::list<Pending> fresh_;        // were not looked at yet
  bool arrived_ = false;            // something that others may wait for
  int64_t wanted_version_ = 0;      // durable_version() that calls wait for
  int64_t written_version_ = -1;    // none
  int64_t written_generation_ = 0;  // nobody is told of a later one
  int64_t recorded_generation_ = 0;
  bool end_recorded_ = false;  // or about to be
  bool ended_told_ = false;    // it is recorded
  // Counts what a supervisor is told and the membership does not know.
  int64_t news_of_the_job_ = 0;
  bool stopping_ = false;
  std::set<std::string> farewells_;  // hosts that know of the job's end
  std::set<std::string> told_of_;    // hosts, to people
  double wall_s_ = 0;
  int64_t shown_step_ = 0;
  std::string config_json_;
  bool may_change_ = false;  // whoever comes first may
  // Since when no generation has formed; infinite: that was told.
  std::optional<absl::Duration> waits_since_;
  int hosts_told_ = 0;
  struct Safe {
    int64_t committed_step = 0;
    int64_t best_step = 0;
    int64_t train = 0;
    int64_t validation = 0;
    int64_t sample = 0;
    bool plan_known = false;
  } safe_;

  // The disk thread's, and the constructor's.
  std::unique_ptr<RunBook> book_;

  // Held while coordinator.json is written and while the folder is put in
  // order, by which unfinished files are removed.
  std::mutex folder_mutex_;

  std::mutex disk_mutex_;
  std::condition_variable disk_work_;
  std::deque<std::function<void()>> disk_tasks_;  // guarded by disk_mutex_
  bool disk_stopping_ = false;                    // guarded by disk_mutex_

  std::thread answering_;
  std::thread writing_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_JOB_H_
