#include "cmd/dist_worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/job_request.h"
#include "cmd/run_start.h"
#include "cmd/training_flags.h"
#include "dist/child_process.h"
#include "dist/coordinator/client.h"
#include "dist/probe.h"
#include "dist/worker/session.h"
#include "dist/worker/worker.h"
#include "dist/worker_environment.h"
#include "model/determinism.h"
#include "model/device.h"
#include "model/kernels/arithmetic.h"
#include "model/torch_threads.h"
#include "model/training_plan.h"

ABSL_DECLARE_FLAG(std::string, backend);
ABSL_DECLARE_FLAG(absl::Duration, collective_timeout);

namespace charrnn {
namespace {

// A worker that starts while the coordinator is away waits for it.
constexpr absl::Duration kPatience = absl::Minutes(10);

// How the worker computes, within what the hosts have agreed on.
absl::StatusOr<std::optional<Arithmetic>> KernelsOf(
    const WorkerEnvironment& environment, Precision precision) {
  CHARRNN_ASSIGN_OR_RETURN(std::optional<Isa> isa,
                           IsaFromFlags(environment.device));
  if (isa.has_value()) {
    isa = std::min(*isa, BestIsaOf(environment.instruction_set, precision));
    const std::string has = InstructionSetOf({*isa, precision});
    if (has != environment.instruction_set) {
      return absl::FailedPreconditionError(
          absl::StrCat("the hosts have agreed on ", environment.instruction_set,
                       ", and this process may use no more than ", has));
    }
  }
  return TrainingKernelsFor(isa, precision);
}

}  // namespace

absl::Status RunDistWorker(const WorkerEnvironment& environment,
                           const CommandLine& command_line, Probe probe) {
  DieWithParent(environment.supervisor);
  prctl(PR_SET_NAME, "train_dist");  // or `ps` would show "exe"
  CoordinatorClient::Options address;
  address.address = environment.coordinator;
  address.credentials.token = environment.token;
  address.credentials.tls_ca = environment.tls_ca;
  CoordinatorClient client(address);
  CHARRNN_ASSIGN_OR_RETURN(
      const JobRequest job,
      RequestFromJob(*FileSystem::Real(), client, kPatience, command_line.typed,
                     environment.device));
  const TrainingRequest& request = job.training;
  CHARRNN_ASSIGN_OR_RETURN(
      const TrainingPlan plan,
      MakeTrainingPlan(request.training, request.corpus->size()));
  const std::unique_ptr<ThreadPool> pool =
      MakeTorchThreadPool(environment.threads);

  WorkerSession::Options session_options;
  session_options.worker.set_host_id(environment.host_id);
  session_options.worker.set_local_rank(environment.local_rank);
  session_options.worker.set_incarnation(environment.incarnation);
  session_options.instruction_set = environment.instruction_set;
  WorkerSession session(&client, Clock::Real(), session_options);

  Worker::Options options;
  CHARRNN_ASSIGN_OR_RETURN(options.trainer.kernels,
                           KernelsOf(environment, request.precision));
  options.trainer.precision = request.precision;
  options.trainer.model = request.model;
  options.trainer.training = request.training;
  options.trainer.sampling = request.sampling;
  options.device = environment.device;
  options.backend = absl::GetFlag(FLAGS_backend);
  if (options.backend == "auto") options.backend.clear();
  options.overlap =
      ResolvedReduction(request.reduction, environment.device) == "overlap";
  options.trainer.invariant = !options.overlap;
  AllowTensorFloat32(environment.device);
  // The overlapping one computes a batch as one, with LibTorch's own threads.
  if (options.overlap) {
    SetTorchThreads(environment.threads);
  } else {
    ComputeDeterministically();
  }
  options.address = environment.address;
  options.collective_timeout = absl::GetFlag(FLAGS_collective_timeout);
  options.probe = std::move(probe);
  Worker::Parts parts;
  parts.corpus = request.corpus.get();
  parts.pool = pool.get();
  parts.client = &client;
  parts.clock = Clock::Real();
  parts.initial_state = [&] {
    return InitialState(request, environment.device);
  };
  Worker worker(options, plan, parts, &session);
  return worker.Run();
}

}  // namespace charrnn
