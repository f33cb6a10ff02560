#ifndef CHARRNN_DIST_COORDINATOR_SWARM_H_
#define CHARRNN_DIST_COORDINATOR_SWARM_H_

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dist/coordinator/coordinator.grpc.pb.h"
#include "dist/coordinator/coordinator.pb.h"

namespace charrnn {

// Hosts and workers as a coordinator sees them, to measure it by: they say and
// heed what dist/PROTOCOL.md has them say and heed, and compute nothing. No
// call is repeated after an error: the first one is the swarm's.
//
// The workers cost no thread each; heartbeats come from one thread, answers on
// gRPC's. Each method may be called by one thread at a time.
//
//   Swarm::Options options;
//   options.address = absl::StrCat("127.0.0.1:", server->port());
//   Swarm swarm(options);
//   CHARRNN_ASSIGN_OR_RETURN(absl::Duration time,
//                            swarm.Rendezvous(absl::Minutes(1)));
class Swarm {
 public:
  struct Options {
    std::string address;  // the coordinator's
    int hosts = 2;
    int slots = 4;  // workers of a host
    // Of each host; its processes share them in turn. As many as processes
    // (slots + 1): none shares, as where each of them is one.
    int connections = 5;
    absl::Duration heartbeat = absl::Seconds(0.5);
    int64_t max_workers = 8;  // what the run's configuration lets in
  };

  // How the coordinator has answered heartbeats.
  struct Heartbeats {
    std::vector<absl::Duration> latencies;  // in ascending order
    int64_t failed = 0;
    // That were not sent when it was time, as the one before had no answer.
    int64_t omitted = 0;
  };

  // Begins no call yet.
  explicit Swarm(const Options& options);

  // Cancels what is under way, and waits for its end.
  ~Swarm();
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  // Each of these brings about a generation of all workers that live, and
  // returns how long that took: from the first call to the last worker's having
  // been told its place. DeadlineExceeded if it takes longer than `timeout`;
  // Internal if workers were told different things; and the first error of any
  // call since the swarm began.

  // All hosts register at once, and a host's workers begin once it is in.
  absl::StatusOr<absl::Duration> Rendezvous(absl::Duration timeout);
  // Workers of `count` hosts, one of each, die and are reported; all others
  // join anew at the same moment, as who has lost a connection does.
  absl::StatusOr<absl::Duration> Kill(int count, absl::Duration timeout);
  // The processes that follow those that were killed begin; the others leave
  // their generation when a heartbeat's answer asks them to.
  absl::StatusOr<absl::Duration> Replace(absl::Duration timeout);

  // Since the last call.
  Heartbeats TakeHeartbeats();

  // The first error of any call.
  absl::Status status();
  int64_t generation();
  // Calls that have no answer yet.
  int64_t calls_under_way();

 private:
  struct Host;
  struct Worker;

  template <typename Request, typename Response>
  using Method = void (wire::Coordinator::StubInterface::async_interface::*)(
      grpc::ClientContext*, const Request*, Response*,
      std::function<void(grpc::Status)>);

  // Calls `method` over a connection of the `process`th process of a host;
  // `answered` gets an absl::Status and the response, on any thread and without
  // mutex_, unless the swarm is ending.
  template <typename Request, typename Response, typename Answered>
  void Call(const Host& host, int process, Method<Request, Response> method,
            const Request& request, absl::Duration timeout, Answered answered);

  void Register(Host* host);
  void Watch(Host* host);
  void Start(Worker* worker);
  void Join(Worker* worker);
  void AwaitPlace(Worker* worker, const wire::JoinRequest& request);
  void Beat(Worker* worker);
  // The heartbeats' thread.
  void BeatAll();

  // These are called under mutex_.
  static wire::Worker Name(const Worker& worker);
  // Whether what `name` has asked for is still for the worker.
  static bool Speaks(const Worker& worker, const wire::Worker& name);
  void TakePlace(Worker* worker, const wire::JoinResponse& place);
  void Fail(const absl::Status& status);

  // Until all live workers are in a generation after `before`.
  absl::StatusOr<absl::Duration> AwaitGeneration(int64_t before,
                                                 absl::Duration start,
                                                 absl::Duration timeout);

  const Options options_;
  const std::string config_json_;
  std::vector<std::unique_ptr<Host>> hosts_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // All guarded by mutex_, as are the hosts' workers.
  absl::Status status_;
  int num_alive_ = 0;
  int next_victim_ = 0;
  int64_t step_ = 1;
  int64_t generation_ = 0;         // the newest that anybody was told of
  std::vector<bool> ranks_taken_;  // of it
  int num_placed_ = 0;             // in it
  Heartbeats heartbeats_;
  bool stopping_ = false;
  int64_t calls_under_way_ = 0;
  // What can cancel each of them.
  std::set<std::shared_ptr<std::function<void()>>> cancels_;

  std::thread beating_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_SWARM_H_
