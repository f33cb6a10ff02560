#ifndef CHARRNN_TESTING_DIST_JOB_H_
#define CHARRNN_TESTING_DIST_JOB_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {

// A job on this machine: a coordinator of its own and hosts of workers, real
// processes on loopback, in a user's folder. Whatever is left of it ends with
// this object. Aborts if a process cannot be started. Not thread safe.
//
//   DistJob job(&workplace, "run");
//   auto coordinator = job.StartCoordinator();
//   auto host = job.StartHost({"--data_path=text.txt", "--nproc_per_node=2"});
//   kill(job.WorkerPids().front(), SIGKILL);
class DistJob {
 public:
  // `workplace` is not owned; the coordinator's run is in its folder `run_dir`.
  DistJob(const Workplace* workplace, std::string run_dir);

  // Starts the coordinator, again if it has ended, and returns once it listens.
  // Its number is in the folder's coordinator.pid.
  std::unique_ptr<Subprocess> StartCoordinator(
      const std::vector<std::string>& flags = {}) const;

  // Starts train_dist, or testing/faulty_train_dist if `environment` is not
  // empty.
  std::unique_ptr<Subprocess> StartHost(
      std::vector<std::string> flags,
      const std::map<std::string, std::string>& environment = {}) const;

  // Where the coordinator is, "host:port".
  std::string Address() const;

  // Asks the coordinator: `coordinator --status`, `--stop`.
  SubprocessResult Ask(const std::string& flag) const;

  // The workers' processes that are there now, in no order.
  std::vector<pid_t> WorkerPids() const;

  // All processes of the job that are there now, the coordinator aside.
  std::vector<pid_t> Pids() const;

 private:
  std::vector<pid_t> PidsWith(const std::string& variable) const;

  const Workplace* const workplace_;
  const std::string run_dir_;
  const int port_;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_DIST_JOB_H_
