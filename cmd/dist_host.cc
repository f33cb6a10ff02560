#include "cmd/dist_host.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/stop_signal.h"
#include "base/usable_cores.h"
#include "cmd/command_line.h"
#include "cmd/coordinator_flags.h"
#include "cmd/device_flags.h"
#include "cmd/dist_flags.h"
#include "cmd/job_request.h"
#include "cmd/run_start.h"
#include "cmd/run_summary.h"
#include "cmd/training_flags.h"
#include "cmd/worker_devices.h"
#include "dist/child_process.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/server.h"
#include "dist/launch_environment.h"
#include "dist/local_address.h"
#include "dist/supervisor.h"
#include "dist/worker_environment.h"
#include "model/config.h"
#include "model/device.h"
#include "model/grains.h"
#include "model/kernels/arithmetic.h"
#include "model/metrics/display.h"

ABSL_DECLARE_FLAG(int, threads);

namespace charrnn {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);
constexpr absl::Duration kRetry = absl::Milliseconds(250);

// How long the coordinator in this process stays for hosts that have not heard
// of the job's end.
constexpr absl::Duration kFarewell = absl::Seconds(10);

// A host that starts before its coordinator waits for it; and one for which
// there is no place yet, for one.
constexpr absl::Duration kPatience = absl::Minutes(5);

WorkerDevices DevicesOf(const DistRequest& dist, const std::string& first) {
  WorkerDevices devices;
  devices.first = first;
  devices.backend = dist.backend;
  if (first != "cpu") devices.num_gpus = ProbeCuda().num_devices;
  return devices;
}

// How many workers this host has.
absl::StatusOr<int> NumWorkers(const DistRequest& dist,
                               const TrainingRequest& request,
                               const WorkerDevices& devices) {
  const int most = static_cast<int>(
      NumGrains(request.training.batch_size, request.training.grains));
  if (dist.nproc > 0) {
    CHARRNN_RETURN_IF_ERROR(devices.Check(dist.launch.local_rank, dist.nproc));
    if (dist.nproc * dist.job.min_hosts <= most) return dist.nproc;
    return absl::InvalidArgumentError(absl::StrCat(
        "--nproc_per_node=", dist.nproc, ": ", dist.nproc * dist.job.min_hosts,
        " workers are more than the ", most,
        " grains of a batch: lower it, or raise --grains or --batch_size"));
  }
  CHARRNN_RETURN_IF_ERROR(devices.Check(dist.launch.local_rank, 1));
  const int units =
      devices.first == "cpu" ? NumUsableCores() : devices.NumGpus();
  return std::max(1, std::min(units, most / dist.job.max_hosts));
}

// Where the coordinator in this process is to listen, and to whom.
CoordinatorServer::Options ServerOptions(const DistRequest& dist,
                                         const Credentials& credentials) {
  CoordinatorServer::Options server;
  server.credentials = credentials;
  if (dist.starts_coordinator) server.listen = dist.coordinator;
  return server;
}

// Whether this host has of the text what its workers will read for certain. One
// of several reads only some of the streams, and who is to read which turns out
// when the workers have met.
absl::Status CheckHostsText(const DistRequest& dist,
                            const TrainingRequest& request) {
  const bool reads_all = dist.job.max_hosts == 1 ||
                         request.training.data_order == DataOrder::kShuffled;
  return reads_all ? CheckText(request) : absl::OkStatus();
}

// Whether the workers and the coordinator of `run` can be on this host.
absl::Status CheckHost(const DistRequest& dist, const RunStart& run) {
  CHARRNN_RETURN_IF_ERROR(CheckHostsText(dist, run.request));
  CHARRNN_RETURN_IF_ERROR(
      TrainingKernelsFor(run.compute.isa, run.request.precision).status());
  CHARRNN_RETURN_IF_ERROR(
      NumWorkers(dist, run.request, DevicesOf(dist, run.compute.device))
          .status());
  if (dist.starts_coordinator) {
    CHARRNN_RETURN_IF_ERROR(CheckExposure(dist.coordinator, dist.credentials));
  }
  return CoordinatorServer::Check(ServerOptions(dist, dist.credentials));
}

// Starts the coordinator of `run` in this process.
absl::StatusOr<std::unique_ptr<CoordinatorServer>> StartCoordinator(
    const DistRequest& dist, const RunStart& run,
    const Credentials& credentials) {
  Job::Options job;
  job.run_dir = run.directory.path;
  job.membership = dist.job.ForMembership();
  CHARRNN_ASSIGN_OR_RETURN(auto opened, Job::Open(job));
  return CoordinatorServer::Start(std::move(opened),
                                  ServerOptions(dist, credentials));
}

// What the CPU computes in: on a GPU nothing but sums, in fp32.
Precision CpuPrecision(const Compute& compute, Precision precision) {
  return compute.device == "cpu" ? precision : Precision::kFp32;
}

std::string InstructionSetOf(const Compute& compute, Precision precision) {
  return compute.isa.has_value()
             ? InstructionSetOf(Arithmetic{*compute.isa, precision})
             : NativeInstructionSet(precision);
}

// A job as one of its hosts sees it.
struct Host {
  DistRequest dist;
  WorkerDevices devices;
  int num_workers = 1;
  int threads = 1;  // of each worker
  CoordinatorClient::Options coordinator;
  std::string config_json;
  Precision precision = Precision::kFp32;  // that its CPU computes in
  std::string instruction_set;             // the best that it may compute with
};

absl::StatusOr<wire::RegisterHostResponse> Register(const Host& host,
                                                    const std::string& id,
                                                    CoordinatorClient& client) {
  wire::RegisterHostRequest request;
  request.set_host_id(id);
  request.set_host_name(host.dist.host_name);
  request.set_slots(host.num_workers);
  request.set_config_json(host.config_json);
  request.set_instruction_set(host.instruction_set);
  const absl::Duration end = Clock::Real()->Elapsed() + kPatience;
  while (true) {
    auto response = client.RegisterHost(request, kCallTimeout);
    // It waits its turn behind checkpoints that are being written.
    const bool may_pass = absl::IsUnavailable(response.status()) ||
                          absl::IsDeadlineExceeded(response.status());
    if (!may_pass || StopSignal::Received() ||
        Clock::Real()->Elapsed() >= end) {
      return response;
    }
    absl::SleepFor(kRetry);
  }
}

ChildProcessOptions WorkerProcess(const Host& host,
                                  const std::vector<std::string>& arguments,
                                  WorkerEnvironment worker) {
  worker.supervisor = getpid();
  worker.threads = host.threads;
  worker.device =
      host.devices.Of(host.dist.launch.local_rank + worker.local_rank);
  worker.address = host.dist.address;
  worker.coordinator = host.coordinator.address;
  worker.token = host.coordinator.credentials.token;
  worker.tls_ca = host.coordinator.credentials.tls_ca;
  ChildProcessOptions options;
  // Also if a newer build has taken the file's place.
  options.program = "/proc/self/exe";
  options.name = "train_dist";
  options.arguments = arguments;
  options.environment =
      ToVariables(worker, NativeInstructionSet(host.precision));
  return options;
}

// Trains with the workers of this host, which is registered as `id`, until the
// job has ended.
absl::Status Supervise(Host host, const std::string& id,
                       const wire::RegisterHostResponse& registered,
                       CoordinatorClient& client,
                       const CommandLine& command_line) {
  if (host.dist.address.empty()) {
    CHARRNN_ASSIGN_OR_RETURN(host.dist.address,
                             LocalAddressTowards(host.coordinator.address));
  }
  Supervisor::Options options;
  options.host_id = id;
  options.host_name = host.dist.host_name;
  options.slots = host.num_workers;
  options.instruction_set = registered.instruction_set();
  options.wants_to_leave = StopSignal::Received;
  options.leaving_ends_the_job =
      host.dist.coordinator.empty() || host.dist.starts_coordinator;
  options.sink = [](OutputStream, absl::string_view line) {
    CHARRNN_LOG(INFO) << line;
  };
  options.child = [&](int local_rank, int64_t incarnation,
                      const std::string& instruction_set) {
    WorkerEnvironment worker;
    worker.host_id = id;
    worker.local_rank = local_rank;
    worker.incarnation = incarnation;
    worker.instruction_set = instruction_set;
    return WorkerProcess(host, command_line.arguments, std::move(worker));
  };
  Supervisor supervisor(&client, Clock::Real(), options);
  return supervisor.Run();
}

// Threads of each of this process's workers. Where a launcher has started
// others beside it they share the cores, unless it has given each its own.
int ThreadsOfEach(int num_workers, const LaunchEnvironment& launch) {
  const int typed = absl::GetFlag(FLAGS_threads);
  if (typed > 0) return typed;
  const int cores = NumUsableCores();
  const bool are_all = cores >= sysconf(_SC_NPROCESSORS_ONLN);
  const int sharing = are_all ? launch.local_world_size : 1;
  return std::max(1, cores / (num_workers * std::max(1, sharing)));
}

void Announce(const Host& host) {
  if (host.dist.launch.kind != LaunchEnvironment::Kind::kNone) {
    CHARRNN_LOG(INFO) << "launcher " << host.dist.launch.description;
  }
  CHARRNN_LOG(INFO) << "workers  " << host.num_workers << " on "
                    << host.dist.host_name << ", "
                    << Counted(host.threads, "thread") << " each";
}

// A host with the coordinator in this process, to which the run's folder
// belongs.
absl::Status RunWithCoordinator(DistRequest dist,
                                const CommandLine& command_line) {
  FileSystem& files = *FileSystem::Real();
  CHARRNN_ASSIGN_OR_RETURN(
      RunStart run,
      StartRun(files, *Clock::Real(), command_line,
               [&](const RunStart& made) { return CheckHost(dist, made); }));
  if (run.finished) {
    CHARRNN_LOG(INFO) << run.directory.path << ": finished at step "
                      << run.state.progress.step
                      << ": more --num_epochs or --max_steps let it go on";
    return ExportBest(files, run);
  }
  Host host;
  host.devices = DevicesOf(dist, run.compute.device);
  host.precision = CpuPrecision(run.compute, run.request.precision);
  host.instruction_set = InstructionSetOf(run.compute, host.precision);
  CHARRNN_ASSIGN_OR_RETURN(host.num_workers,
                           NumWorkers(dist, run.request, host.devices));
  host.threads = ThreadsOfEach(host.num_workers, dist.launch);
  run.compute.pool.reset();
  run.state = TrainState();
  CHARRNN_ASSIGN_OR_RETURN(
      host.config_json,
      files.ReadFile(JoinPath(run.directory.path, "config.json")));
  Credentials credentials = dist.credentials;
  if (credentials.token.empty() && !dist.starts_coordinator) {
    credentials.token = RandomToken();
  }
  CHARRNN_ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorServer> server,
                           StartCoordinator(dist, run, credentials));
  host.coordinator.address = dist.starts_coordinator
                                 ? dist.coordinator
                                 : absl::StrCat("127.0.0.1:", server->port());
  host.coordinator.credentials.token = credentials.token;
  host.coordinator.credentials.tls_ca = credentials.tls_ca;
  host.dist = std::move(dist);
  DescribeRun(run);
  Announce(host);
  CoordinatorClient client(host.coordinator);
  const std::string id = RandomToken();
  CHARRNN_ASSIGN_OR_RETURN(const wire::RegisterHostResponse registered,
                           Register(host, id, client));
  absl::Status status = Supervise(host, id, registered, client, command_line);
  server->job().AwaitEnd(absl::Seconds(1));
  server->job().AwaitFarewell(kFarewell);
  if (status.ok()) status = ExportBest(files, run);
  NameReport(files, run);
  return status;
}

absl::Status RunWithoutCoordinator(DistRequest dist,
                                   const CommandLine& command_line) {
  Host host;
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  host.devices = DevicesOf(dist, compute.device);
  host.coordinator.address = dist.coordinator;
  host.coordinator.credentials.token = dist.credentials.token;
  host.coordinator.credentials.tls_ca = dist.credentials.tls_ca;
  host.dist = std::move(dist);
  const std::string id = RandomToken();
  std::optional<std::string> refused_by;
  while (true) {
    CoordinatorClient client(host.coordinator);
    CHARRNN_ASSIGN_OR_RETURN(
        JobRequest job, RequestFromJob(*FileSystem::Real(), client, kPatience,
                                       command_line.typed, host.devices.first));
    CHARRNN_RETURN_IF_ERROR(CheckHostsText(host.dist, job.training));
    CHARRNN_RETURN_IF_ERROR(
        TrainingKernelsFor(compute.isa, job.training.precision).status());
    host.precision = CpuPrecision(compute, job.training.precision);
    host.instruction_set = InstructionSetOf(compute, host.precision);
    host.config_json = job.config_json;
    CHARRNN_ASSIGN_OR_RETURN(host.num_workers,
                             NumWorkers(host.dist, job.training, host.devices));
    host.threads = ThreadsOfEach(host.num_workers, host.dist.launch);
    const auto registered = Register(host, id, client);
    if (absl::IsFailedPrecondition(registered.status()) && !job.is_the_jobs &&
        refused_by != job.jobs_config_json) {
      // Another host may have been first, and what it has typed is the job's.
      refused_by = job.jobs_config_json;
      continue;
    }
    CHARRNN_RETURN_IF_ERROR(registered.status());
    if (command_line.typed.count("run_dir") > 0) {
      CHARRNN_LOG(WARNING) << "--run_dir is left alone here: the run's folder "
                              "is the coordinator's";
    }
    if (!job.training.save_path.empty()) {
      CHARRNN_LOG(WARNING) << "--save_path is left alone here: the run's "
                              "folder is the coordinator's, and `export` "
                              "writes its best model anywhere";
    }
    for (const std::string& note : job.training.notes) {
      CHARRNN_LOG(INFO) << note;
    }
    Announce(host);
    CHARRNN_RETURN_IF_ERROR(
        Supervise(host, id, *registered, client, command_line));
    CHARRNN_LOG(INFO) << "finished";
    return absl::OkStatus();
  }
}

}  // namespace

absl::Status RunDistHost(const CommandLine& command_line) {
  CHARRNN_ASSIGN_OR_RETURN(DistRequest dist,
                           DistRequestFromFlags(*FileSystem::Real()));
  if (!dist.address.empty() && !IsOwnAddress(dist.address)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--address=", dist.address,
        ": is no address of this host: leave it out, or name one that "
        "`hostname -I` shows"));
  }
  StopSignal::Install(
      "train_dist: stopping at a step's end; once more leaves at once");
  const bool own = dist.coordinator.empty() || dist.starts_coordinator;
  return own ? RunWithCoordinator(std::move(dist), command_line)
             : RunWithoutCoordinator(std::move(dist), command_line);
}

}  // namespace charrnn
