#ifndef CHARRNN_DIST_WORKER_ENVIRONMENT_H_
#define CHARRNN_DIST_WORKER_ENVIRONMENT_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// What a supervisor tells a worker that it starts, beside the flags that both
// have. It travels in one variable of the environment, which unlike arguments
// only the same user can read.
struct WorkerEnvironment {
  pid_t supervisor = 0;  // with whom the worker ends
  std::string host_id;
  int local_rank = 0;
  int64_t incarnation = 0;
  std::string instruction_set;
  int threads = 1;      // to compute with
  std::string device;   // "cpu" or "cuda:N"
  std::string address;  // this host's, as other workers reach it; may be empty

  // The coordinator.
  std::string coordinator;
  std::string token;
  std::string tls_ca;  // in PEM
};

// The variables for the worker's process: what it is told, and what LibTorch's
// libraries have to know before they are loaded. `native` is the best
// instruction set that this machine's CPU has: only another one is asked for,
// because to ask for it changes bits of its own.
std::map<std::string, std::string> ToVariables(const WorkerEnvironment& worker,
                                               const std::string& native);

// What this process was told; none if no supervisor has started it.
// InvalidArgument if it makes no sense.
absl::StatusOr<std::optional<WorkerEnvironment>> ReadWorkerEnvironment(
    const std::map<std::string, std::string>& variables);

// The best instruction set of this machine's CPU that makes a difference to
// sums in `precision`: "amx", in bf16 alone, "avx512", "avx2" or "baseline".
std::string NativeInstructionSet(Precision precision);

// That of a machine whose fused kernels are to compute so; and the best that
// they may compute with where hosts have agreed on `instruction_set`.
std::string InstructionSetOf(const Arithmetic& arithmetic);
Isa BestIsaOf(const std::string& instruction_set, Precision precision);

}  // namespace charrnn

#endif  // CHARRNN_DIST_WORKER_ENVIRONMENT_H_
