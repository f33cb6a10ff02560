#include "dist/coordinator/swarm.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "dist/coordinator/coordinator.grpc.pb.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/grpc_status.h"
#include "dist/open_file_limit.h"
#include "model/config.h"

namespace charrnn {
namespace {

using Async = wire::Coordinator::StubInterface::async_interface;

// Those of workers and supervisors.
constexpr absl::Duration kHeartbeatTimeout = absl::Seconds(1);
constexpr absl::Duration kPollTimeout = absl::Seconds(10);

// Of a call whose slowness is to be seen and not to be an error.
constexpr absl::Duration kPatience = absl::Minutes(1);

// How late a heartbeat may be sent.
constexpr absl::Duration kBehind = absl::Milliseconds(50);

// Of a host's processes; its workers follow.
constexpr int kSupervisor = 0;

constexpr char kInstructionSet[] = "avx2";

std::string ConfigJson(int64_t max_workers) {
  TrainingConfig training;
  training.batch_size = static_cast<int>(max_workers);
  training.grains = static_cast<int>(max_workers);
  nlohmann::json config;
  config["version"] = "swarm";
  config["device"] = "cpu";
  config["corpus"] = {{"name", "none"}, {"fingerprint", "none"}};
  config["model"] = nlohmann::json::parse(ToJson(ModelConfig()));
  config["training"] = nlohmann::json::parse(ToJson(training));
  config["sampling"] = nlohmann::json::parse(ToJson(SamplingConfig()));
  return config.dump();
}

absl::Duration Now() { return Clock::Real()->Elapsed(); }

}  // namespace

// A process that fills a slot, and those that follow it there.
struct Swarm::Worker {
  Host* host = nullptr;
  int local_rank = 0;
  int64_t incarnation = 1;
  bool alive = false;
  int64_t generation = 0;  // in which it has a place; 0: none yet
  bool joining = false;
  bool beating = false;  // a heartbeat has no answer yet
};

struct Swarm::Host {
  std::string id;
  std::vector<std::unique_ptr<wire::Coordinator::Stub>> stubs;
  std::vector<Worker> workers;
  int64_t seen_version = 0;  // its one poll's
};

Swarm::Swarm(const Options& options)
    : options_(options), config_json_(ConfigJson(options.max_workers)) {
  // As the server does: of thousands of connections it is the larger part.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  RaiseOpenFileLimit();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Channels of one process to the same address share a connection otherwise.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  for (int i = 0; i < options.hosts; ++i) {
    auto host = std::make_unique<Host>();
    host->id = absl::StrCat("host-", i);
    for (int j = 0; j < options.connections; ++j) {
      host->stubs.push_back(
          wire::Coordinator::NewStub(grpc::CreateCustomChannel(
              options.address, grpc::InsecureChannelCredentials(), arguments)));
    }
    host->workers.resize(options.slots);
    for (int j = 0; j < options.slots; ++j) {
      host->workers[j].host = host.get();
      host->workers[j].local_rank = j;
    }
    hosts_.push_back(std::move(host));
  }
  beating_ = std::thread([this] { BeatAll(); });
}

Swarm::~Swarm() {
  std::set<std::shared_ptr<std::function<void()>>> cancels;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    cancels = cancels_;
  }
  changed_.notify_all();
  beating_.join();
  // Without the mutex: who cancels may find himself in the call's answer.
  for (const auto& cancel : cancels) (*cancel)();
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return calls_under_way_ == 0; });
}

template <typename Request, typename Response, typename Answered>
void Swarm::Call(const Host& host, int process,
                 Method<Request, Response> method, const Request& request,
                 absl::Duration timeout, Answered answered) {
  struct State {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  auto state = std::make_shared<State>();
  state->request = request;
  state->context.set_wait_for_ready(true);
  state->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  auto cancel = std::make_shared<std::function<void()>>(
      [state] { state->context.TryCancel(); });
  const auto done = [this, state, cancel, answered = std::move(answered)](
                        const grpc::Status& status) {
    bool stopping;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      cancels_.erase(cancel);
      stopping = stopping_;
    }
    if (!stopping) answered(FromGrpc(status), state->response);
    const std::lock_guard<std::mutex> lock(mutex_);
    --calls_under_way_;
    if (stopping_) changed_.notify_all();
  };
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    ++calls_under_way_;
    cancels_.insert(cancel);
  }
  const auto& stub = host.stubs[process % host.stubs.size()];
  (stub->async()->*method)(&state->context, &state->request, &state->response,
                           done);
}

void Swarm::Register(Host* host) {
  wire::RegisterHostRequest request;
  request.set_host_id(host->id);
  request.set_host_name(host->id);
  request.set_slots(options_.slots);
  request.set_config_json(config_json_);
  request.set_instruction_set(kInstructionSet);
  Call(*host, kSupervisor, &Async::RegisterHost, request, kPatience,
       [this, host](const absl::Status& status,
                    const wire::RegisterHostResponse& /*response*/) {
         if (!status.ok()) {
           const std::lock_guard<std::mutex> lock(mutex_);
           Fail(status);
           return;
         }
         Watch(host);
         for (Worker& worker : host->workers) Start(&worker);
       });
}

void Swarm::Watch(Host* host) {
  wire::WatchHostRequest request;
  request.set_host_id(host->id);
  request.set_seen_version(host->seen_version);
  Call(*host, kSupervisor, &Async::WatchHost, request, kPollTimeout,
       [this, host](const absl::Status& status,
                    const wire::WatchHostResponse& response) {
         {
           const std::lock_guard<std::mutex> lock(mutex_);
           if (!status.ok()) {
             Fail(status);
             return;
           }
           host->seen_version = response.version();
           if (response.kill_size() > 0) {
             Fail(absl::InternalError(
                 absl::StrCat("a worker that lives was declared dead: ",
                              response.kill(0).ShortDebugString())));
           }
         }
         Watch(host);
       });
}

void Swarm::Start(Worker* worker) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    worker->alive = true;
    worker->generation = 0;
    worker->joining = worker->beating = false;
    ++num_alive_;
  }
  Join(worker);
}

void Swarm::Join(Worker* worker) {
  wire::JoinRequest request;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!worker->alive || worker->joining) return;
    worker->joining = true;
    *request.mutable_worker() = Name(*worker);
    request.set_synced_generation(worker->generation);
    request.set_left_generation(worker->generation);
    if (worker->generation > 0) request.set_step(step_);
    request.set_reason("a connection was closed");
    request.set_instruction_set(kInstructionSet);
  }
  AwaitPlace(worker, request);
}

void Swarm::AwaitPlace(Worker* worker, const wire::JoinRequest& request) {
  Call(*worker->host, kSupervisor + 1 + worker->local_rank, &Async::Join,
       request, kPollTimeout,
       [this, worker, request](const absl::Status& status,
                               const wire::JoinResponse& response) {
         {
           const std::lock_guard<std::mutex> lock(mutex_);
           if (!Speaks(*worker, request.worker())) return;
           if (!status.ok()) {
             Fail(status);
             return;
           }
           if (response.generation() > 0) TakePlace(worker, response);
         }
         if (response.generation() == 0) {
           AwaitPlace(worker, request);
         } else {
           Beat(worker);
         }
       });
}

void Swarm::TakePlace(Worker* worker, const wire::JoinResponse& place) {
  if (place.generation() > generation_) {
    generation_ = place.generation();
    ranks_taken_.assign(place.world_size(), false);
    num_placed_ = 0;
  }
  const auto world_size = static_cast<size_t>(place.world_size());
  const auto rank = static_cast<size_t>(place.rank());
  if (place.generation() < generation_ || world_size != ranks_taken_.size() ||
      rank >= world_size || ranks_taken_[rank]) {
    Fail(absl::InternalError(absl::StrCat(
        "in generation ", generation_, " of ", ranks_taken_.size(),
        " workers another one was told: ", place.ShortDebugString())));
    return;
  }
  ranks_taken_[rank] = true;
  ++num_placed_;
  worker->generation = generation_;
  worker->joining = false;
  if (num_placed_ == num_alive_) changed_.notify_all();
}

void Swarm::Beat(Worker* worker) {
  wire::HeartbeatRequest request;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!worker->alive) return;
    if (worker->beating) {
      ++heartbeats_.omitted;
      return;
    }
    worker->beating = true;
    *request.mutable_worker() = Name(*worker);
    request.set_generation(worker->generation);
    request.set_phase(worker->joining ? wire::SETUP : wire::TRAIN);
    if (worker->generation > 0) request.set_step(step_);
    request.set_step_s(absl::ToDoubleSeconds(options_.heartbeat));
  }
  const absl::Duration start = Now();
  Call(*worker->host, kSupervisor + 1 + worker->local_rank, &Async::Heartbeat,
       request, kHeartbeatTimeout,
       [this, worker, request, start](const absl::Status& status,
                                      const wire::HeartbeatResponse& response) {
         const wire::Wishes& wishes = response.wishes();
         bool leaves;
         {
           const std::lock_guard<std::mutex> lock(mutex_);
           heartbeats_.latencies.push_back(Now() - start);
           if (!status.ok()) ++heartbeats_.failed;
           if (!Speaks(*worker, request.worker())) return;
           worker->beating = false;
           if (!status.ok() && !absl::IsDeadlineExceeded(status)) Fail(status);
           leaves = status.ok() && request.generation() > 0 &&
                    request.generation() == worker->generation &&
                    (wishes.over() || wishes.regroup());
         }
         if (leaves) Join(worker);
       });
}

void Swarm::BeatAll() {
  const int num_workers = options_.hosts * options_.slots;
  absl::Duration due = Now();
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    // Spread evenly, and not host by host.
    for (int i = 0; i < num_workers; ++i) {
      // What a busy machine has kept back does not all come at once.
      due = std::max(due + options_.heartbeat / num_workers, Now() - kBehind);
      changed_.wait_for(lock, absl::ToChronoNanoseconds(due - Now()),
                        [this] { return stopping_; });
      if (stopping_) return;
      lock.unlock();
      Beat(&hosts_[i % options_.hosts]->workers[i / options_.hosts]);
      lock.lock();
    }
    ++step_;
  }
}

bool Swarm::Speaks(const Worker& worker, const wire::Worker& name) {
  return worker.alive && worker.incarnation == name.incarnation();
}

wire::Worker Swarm::Name(const Worker& worker) {
  wire::Worker name;
  name.set_host_id(worker.host->id);
  name.set_local_rank(worker.local_rank);
  name.set_incarnation(worker.incarnation);
  return name;
}

void Swarm::Fail(const absl::Status& status) {
  status_.Update(status);
  changed_.notify_all();
}

absl::StatusOr<absl::Duration> Swarm::AwaitGeneration(int64_t before,
                                                      absl::Duration start,
                                                      absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  const bool formed =
      changed_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [&] {
        return !status_.ok() ||
               (generation_ > before && num_placed_ == num_alive_);
      });
  if (!status_.ok()) return status_;
  if (!formed) {
    return absl::DeadlineExceededError(
        absl::StrCat(num_placed_, " of ", num_alive_,
                     " workers were told their places in "
                     "generation ",
                     generation_, ", the one before was ", before));
  }
  return Now() - start;
}

absl::StatusOr<absl::Duration> Swarm::Rendezvous(absl::Duration timeout) {
  const absl::Duration start = Now();
  for (const auto& host : hosts_) Register(host.get());
  return AwaitGeneration(0, start, timeout);
}

absl::StatusOr<absl::Duration> Swarm::Kill(int count, absl::Duration timeout) {
  std::vector<wire::ReportExitRequest> reports;
  std::vector<Host*> of;
  int64_t before;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    before = generation_;
    for (int i = 0; i < count; ++i, ++next_victim_) {
      Host* host = hosts_[next_victim_ % options_.hosts].get();
      Worker& victim = host->workers[next_victim_ % options_.slots];
      if (!victim.alive) continue;
      victim.alive = false;
      --num_alive_;
      wire::ReportExitRequest& report = reports.emplace_back();
      *report.mutable_worker() = Name(victim);
      report.set_message("signal 9 (Killed)");
      of.push_back(host);
    }
  }
  const absl::Duration start = Now();
  for (size_t i = 0; i < reports.size(); ++i) {
    Call(*of[i], kSupervisor, &Async::ReportExit, reports[i], kPatience,
         [this](const absl::Status& status,
                const wire::ReportExitResponse& /*response*/) {
           const std::lock_guard<std::mutex> lock(mutex_);
           if (!status.ok()) Fail(status);
         });
  }
  for (const auto& host : hosts_) {
    for (Worker& worker : host->workers) Join(&worker);
  }
  return AwaitGeneration(before, start, timeout);
}

absl::StatusOr<absl::Duration> Swarm::Replace(absl::Duration timeout) {
  std::vector<Worker*> dead;
  int64_t before;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    before = generation_;
    for (const auto& host : hosts_) {
      for (Worker& worker : host->workers) {
        if (worker.alive) continue;
        ++worker.incarnation;
        dead.push_back(&worker);
      }
    }
  }
  const absl::Duration start = Now();
  for (Worker* worker : dead) Start(worker);
  return AwaitGeneration(before, start, timeout);
}

Swarm::Heartbeats Swarm::TakeHeartbeats() {
  Heartbeats taken;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(taken, heartbeats_);
  }
  std::sort(taken.latencies.begin(), taken.latencies.end());
  return taken;
}

absl::Status Swarm::status() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

int64_t Swarm::generation() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return generation_;
}

int64_t Swarm::calls_under_way() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calls_under_way_;
}

}  // namespace charrnn
