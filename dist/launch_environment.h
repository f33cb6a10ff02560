#ifndef CHARRNN_DIST_LAUNCH_ENVIRONMENT_H_
#define CHARRNN_DIST_LAUNCH_ENVIRONMENT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// What a launcher that starts this program many times tells each of them.
//
//   CHARRNN_ASSIGN_OR_RETURN(const LaunchEnvironment launch,
//                            ReadLaunchEnvironment(CurrentEnvironment()));
//   if (launch.starts_coordinator) StartCoordinator(launch.coordinator);
struct LaunchEnvironment {
  enum class Kind { kNone, kTorchrun, kKubernetes, kSlurm, kOpenMpi };

  Kind kind = Kind::kNone;

  // How many processes the launcher has started, and which of them this is.
  // Each is a host of the job to itself, also where several are on one machine.
  int num_hosts = 1;
  int host_rank = 0;

  // How many of them are on this machine, and which this is. Where they are
  // several, each is to be one worker; one that is alone has all of the
  // machine's devices and cores, and starts as many workers as it likes.
  int local_world_size = 1;
  int local_rank = 0;

  // Where the coordinator is, "host:port"; empty without a launcher. The
  // process of rank 0 runs there, and starts it.
  std::string coordinator;
  bool starts_coordinator = false;

  // One line for a person: "Slurm: host 2 of 4, coordinator gpu01:23817".
  std::string description = "no launcher";
};

// Reads what these have set, the first that is there, for they may be nested:
//
// - torchrun and the like: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE,
//   MASTER_ADDR, MASTER_PORT. Where TORCHELASTIC_USE_AGENT_STORE is "True",
//   torchrun itself listens at MASTER_PORT, and the coordinator takes the next.
// - Open MPI: OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE; beside
//   them MASTER_ADDR and MASTER_PORT, for it does not tell where rank 0 is.
// - Slurm, within a step of srun: SLURM_PROCID, SLURM_STEP_NUM_TASKS or
//   SLURM_NTASKS, SLURM_LOCALID, SLURM_STEP_TASKS_PER_NODE with SLURM_NODEID or
//   else SLURM_NNODES. The coordinator is on the first host of
//   SLURM_STEP_NODELIST or SLURM_JOB_NODELIST, at a port between 20000 and
//   29999 that follows from SLURM_JOB_ID and SLURM_STEP_ID; MASTER_ADDR and
//   MASTER_PORT, where they are set, have precedence. A batch script or
//   interactive shell is no step, although it has most of these.
// - Kubernetes, a PyTorchJob or an indexed job, or whoever else starts one
//   process a host: RANK or JOB_COMPLETION_INDEX, WORLD_SIZE, MASTER_ADDR,
//   MASTER_PORT; instead of WORLD_SIZE, which may count workers, PET_NNODES if
//   that is a number.
//
// A variable that is empty counts as not set, and one without those that make
// up a launcher (a rank and a number of processes) says nothing. Possible
// error: InvalidArgument, which names the variable and its value.
absl::StatusOr<LaunchEnvironment> ReadLaunchEnvironment(
    const std::map<std::string, std::string>& variables);

// The first host of a list as Slurm writes it: "gpu01" of
// "gpu[01-03,07],login1". Possible error: InvalidArgument.
absl::StatusOr<std::string> FirstSlurmHost(absl::string_view nodelist);

// This process's environment variables. Nobody may change them meanwhile.
std::map<std::string, std::string> CurrentEnvironment();

}  // namespace charrnn

#endif  // CHARRNN_DIST_LAUNCH_ENVIRONMENT_H_
