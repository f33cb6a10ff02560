#include "dist/launch_environment.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "dist/host_name.h"

namespace charrnn {
namespace {

using Kind = LaunchEnvironment::Kind;

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
constexpr int64_t kMaxPort = 65535;

// Step numbers from here on are Slurm's own: batch scripts, interactive shells.
constexpr int64_t kFirstSpecialStep = 0xfffffff0;

// Digits and nothing else, which absl::SimpleAtoi is not as strict about.
bool ParseNumber(absl::string_view text, int64_t* value) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isdigit(c); }) &&
         absl::SimpleAtoi(text, value);
}

// Environment variables, by name.
class Variables {
 public:
  explicit Variables(const std::map<std::string, std::string>& variables)
      : variables_(variables) {}

  // "" if it is not set.
  absl::string_view Get(absl::string_view name) const {
    const auto found = variables_.find(std::string(name));
    return found == variables_.end() ? absl::string_view() : found->second;
  }
  bool Has(absl::string_view name) const { return !Get(name).empty(); }

  // The first of two names that is set; the second if none is.
  absl::string_view Either(absl::string_view first,
                           absl::string_view second) const {
    return Has(first) ? first : second;
  }

  absl::StatusOr<absl::string_view> GetRequired(absl::string_view name) const {
    if (Has(name)) return Get(name);
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is missing among the launcher's variables"));
  }

  // A number of at least `min` and at most `max`.
  absl::StatusOr<int64_t> GetNumber(absl::string_view name, int64_t min,
                                    int64_t max) const {
    CHARRNN_ASSIGN_OR_RETURN(const absl::string_view text, GetRequired(name));
    int64_t value;
    if (ParseNumber(text, &value) && value >= min && value <= max) return value;
    return absl::InvalidArgumentError(absl::StrCat(
        name, "=", Quoted(text), " is not a number from ", min, " to ", max));
  }

 private:
  const std::map<std::string, std::string>& variables_;
};

// The variable `index_name`, a number below `size`, which `size_name` says.
absl::StatusOr<int> GetIndex(const Variables& variables,
                             absl::string_view index_name, int64_t size,
                             absl::string_view size_name) {
  CHARRNN_ASSIGN_OR_RETURN(const int64_t index,
                           variables.GetNumber(index_name, 0, kMaxInt));
  if (index < size) return static_cast<int>(index);
  return absl::InvalidArgumentError(absl::StrCat(
      index_name, "=", index, " is not below ", size_name, "=", size));
}

absl::StatusOr<std::string> GetHost(const Variables& variables,
                                    absl::string_view name) {
  CHARRNN_ASSIGN_OR_RETURN(const absl::string_view host,
                           variables.GetRequired(name));
  CHARRNN_RETURN_IF_ERROR(Annotate(CheckHostName(host), name));
  return std::string(host);
}

// MASTER_ADDR:MASTER_PORT; the next port if that one is taken.
absl::StatusOr<std::string> MasterAddress(const Variables& variables,
                                          bool port_is_taken) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string host,
                           GetHost(variables, "MASTER_ADDR"));
  const int next = port_is_taken ? 1 : 0;
  CHARRNN_ASSIGN_OR_RETURN(
      const int64_t port,
      variables.GetNumber("MASTER_PORT", 1, kMaxPort - next));
  return HostPort(host, static_cast<int>(port) + next);
}

// Reads num_hosts, host_rank, local_world_size and local_rank, as they are
// where each is a variable.
absl::Status ReadRanks(const Variables& variables, absl::string_view rank_name,
                       absl::string_view size_name,
                       absl::string_view local_rank_name,
                       absl::string_view local_size_name,
                       LaunchEnvironment* result) {
  CHARRNN_ASSIGN_OR_RETURN(result->num_hosts,
                           variables.GetNumber(size_name, 1, kMaxInt));
  CHARRNN_ASSIGN_OR_RETURN(
      result->host_rank,
      GetIndex(variables, rank_name, result->num_hosts, size_name));
  CHARRNN_ASSIGN_OR_RETURN(
      result->local_world_size,
      variables.GetNumber(local_size_name, 1, result->num_hosts));
  CHARRNN_ASSIGN_OR_RETURN(result->local_rank,
                           GetIndex(variables, local_rank_name,
                                    result->local_world_size, local_size_name));
  return absl::OkStatus();
}

absl::Status ReadTorchrun(const Variables& variables,
                          LaunchEnvironment* result) {
  CHARRNN_RETURN_IF_ERROR(ReadRanks(variables, "RANK", "WORLD_SIZE",
                                    "LOCAL_RANK", "LOCAL_WORLD_SIZE", result));
  CHARRNN_ASSIGN_OR_RETURN(
      result->coordinator,
      MasterAddress(variables,
                    variables.Get("TORCHELASTIC_USE_AGENT_STORE") == "True"));
  return absl::OkStatus();
}

absl::Status ReadOpenMpi(const Variables& variables,
                         LaunchEnvironment* result) {
  CHARRNN_RETURN_IF_ERROR(ReadRanks(
      variables, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
      "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", result));
  for (const absl::string_view name : {"MASTER_ADDR", "MASTER_PORT"}) {
    if (variables.Has(name)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        name,
        " is missing: Open MPI does not tell where rank 0 is, so name its host "
        "and a free port there: mpirun -x MASTER_ADDR=... -x MASTER_PORT=..."));
  }
  CHARRNN_ASSIGN_OR_RETURN(result->coordinator,
                           MasterAddress(variables, /*port_is_taken=*/false));
  return absl::OkStatus();
}

absl::Status ReadKubernetes(const Variables& variables,
                            LaunchEnvironment* result) {
  int64_t ignored;
  const absl::string_view size_name =
      ParseNumber(variables.Get("PET_NNODES"), &ignored) ? "PET_NNODES"
                                                         : "WORLD_SIZE";
  CHARRNN_ASSIGN_OR_RETURN(result->num_hosts,
                           variables.GetNumber(size_name, 1, kMaxInt));
  CHARRNN_ASSIGN_OR_RETURN(
      result->host_rank,
      GetIndex(variables, variables.Either("RANK", "JOB_COMPLETION_INDEX"),
               result->num_hosts, size_name));
  CHARRNN_ASSIGN_OR_RETURN(result->coordinator,
                           MasterAddress(variables, /*port_is_taken=*/false));
  return absl::OkStatus();
}

// Of a list of tasks by node as Slurm writes it, "4(x2),1", the entry of node
// number `node`; 0 if there is none or it is no such list.
int64_t TasksOfNode(absl::string_view list, int64_t node) {
  for (absl::string_view entry : absl::StrSplit(list, ',')) {
    int64_t repeats = 1;
    if (const size_t open = entry.find("(x"); open != absl::string_view::npos) {
      absl::string_view count = entry.substr(open + 2);
      if (!absl::ConsumeSuffix(&count, ")") || !ParseNumber(count, &repeats)) {
        return 0;
      }
      entry = entry.substr(0, open);
    }
    int64_t tasks;
    if (!ParseNumber(entry, &tasks)) return 0;
    if (node < repeats) return tasks;
    node -= repeats;
  }
  return 0;
}

// How many of the step's `num_tasks` are on this node.
absl::StatusOr<int> SlurmLocalSize(const Variables& variables, int num_tasks) {
  constexpr absl::string_view kTasks = "SLURM_STEP_TASKS_PER_NODE";
  if (variables.Has(kTasks)) {
    CHARRNN_ASSIGN_OR_RETURN(const int64_t node,
                             variables.GetNumber("SLURM_NODEID", 0, kMaxInt));
    const int64_t tasks = TasksOfNode(variables.Get(kTasks), node);
    if (tasks >= 1 && tasks <= num_tasks) return static_cast<int>(tasks);
    return absl::InvalidArgumentError(absl::StrCat(
        kTasks, "=", Quoted(variables.Get(kTasks)),
        " does not tell how many of ", num_tasks, " tasks are on node ", node));
  }
  // As Slurm deals them out unless it is told otherwise.
  CHARRNN_ASSIGN_OR_RETURN(const int64_t num_nodes,
                           variables.GetNumber("SLURM_NNODES", 1, kMaxInt));
  return static_cast<int>((num_tasks + num_nodes - 1) / num_nodes);
}

absl::StatusOr<std::string> SlurmCoordinator(const Variables& variables) {
  std::string host;
  if (variables.Has("MASTER_ADDR")) {
    CHARRNN_ASSIGN_OR_RETURN(host, GetHost(variables, "MASTER_ADDR"));
  } else {
    const absl::string_view name =
        variables.Either("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST");
    CHARRNN_ASSIGN_OR_RETURN(const absl::string_view nodelist,
                             variables.GetRequired(name));
    absl::StatusOr<std::string> first = FirstSlurmHost(nodelist);
    if (!first.ok()) return Annotate(first.status(), name);
    host = *first;
  }
  int64_t port;
  if (variables.Has("MASTER_PORT")) {
    CHARRNN_ASSIGN_OR_RETURN(port,
                             variables.GetNumber("MASTER_PORT", 1, kMaxPort));
  } else {
    CHARRNN_ASSIGN_OR_RETURN(const int64_t job,
                             variables.GetNumber("SLURM_JOB_ID", 0, kMaxInt));
    CHARRNN_ASSIGN_OR_RETURN(const int64_t step,
                             variables.GetNumber("SLURM_STEP_ID", 0, kMaxInt));
    // Jobs that run at the same time have numbers near one another, as have
    // steps of a job; a prime apart, they do not meet.
    constexpr int64_t kStepApart = 7919;
    port = 20000 + (job + kStepApart * step) % 10000;
  }
  return HostPort(host, static_cast<int>(port));
}

// Whether srun has started this process, and not a shell of Slurm's.
bool IsSlurmTask(const Variables& variables) {
  int64_t step;
  const bool is_special = ParseNumber(variables.Get("SLURM_STEP_ID"), &step) &&
                          step >= kFirstSpecialStep;
  return variables.Has("SLURM_STEP_ID") && !is_special &&
         variables.Has("SLURM_PROCID") &&
         (variables.Has("SLURM_STEP_NUM_TASKS") ||
          variables.Has("SLURM_NTASKS"));
}

absl::Status ReadSlurm(const Variables& variables, LaunchEnvironment* result) {
  const absl::string_view size_name =
      variables.Either("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS");
  CHARRNN_ASSIGN_OR_RETURN(result->num_hosts,
                           variables.GetNumber(size_name, 1, kMaxInt));
  CHARRNN_ASSIGN_OR_RETURN(
      result->host_rank,
      GetIndex(variables, "SLURM_PROCID", result->num_hosts, size_name));
  CHARRNN_ASSIGN_OR_RETURN(result->local_world_size,
                           SlurmLocalSize(variables, result->num_hosts));
  CHARRNN_ASSIGN_OR_RETURN(
      result->local_rank,
      GetIndex(variables, "SLURM_LOCALID", result->local_world_size,
               "the number of tasks on this node"));
  CHARRNN_ASSIGN_OR_RETURN(result->coordinator, SlurmCoordinator(variables));
  return absl::OkStatus();
}

Kind KindOf(const Variables& variables) {
  const bool has_rank = variables.Has("RANK") && variables.Has("WORLD_SIZE");
  if (has_rank && variables.Has("LOCAL_RANK")) return Kind::kTorchrun;
  if (variables.Has("OMPI_COMM_WORLD_RANK") &&
      variables.Has("OMPI_COMM_WORLD_SIZE")) {
    return Kind::kOpenMpi;
  }
  if (IsSlurmTask(variables)) return Kind::kSlurm;
  if (has_rank ||
      (variables.Has("JOB_COMPLETION_INDEX") && variables.Has("WORLD_SIZE"))) {
    return Kind::kKubernetes;
  }
  return Kind::kNone;
}

absl::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "no launcher";
    case Kind::kTorchrun:
      return "torchrun";
    case Kind::kKubernetes:
      return "Kubernetes";
    case Kind::kSlurm:
      return "Slurm";
    case Kind::kOpenMpi:
      return "Open MPI";
  }
  return "";
}

absl::Status Read(const Variables& variables, LaunchEnvironment* result) {
  switch (result->kind) {
    case Kind::kNone:
      return absl::OkStatus();
    case Kind::kTorchrun:
      return ReadTorchrun(variables, result);
    case Kind::kKubernetes:
      return ReadKubernetes(variables, result);
    case Kind::kSlurm:
      return ReadSlurm(variables, result);
    case Kind::kOpenMpi:
      return ReadOpenMpi(variables, result);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LaunchEnvironment> ReadLaunchEnvironment(
    const std::map<std::string, std::string>& variables) {
  const Variables wrapped(variables);
  LaunchEnvironment result;
  result.kind = KindOf(wrapped);
  if (result.kind == Kind::kNone) return result;
  const absl::string_view name = NameOf(result.kind);
  CHARRNN_RETURN_IF_ERROR(Annotate(Read(wrapped, &result), name));
  result.starts_coordinator = result.host_rank == 0;
  result.description =
      absl::StrCat(name, result.local_world_size > 1 ? ": worker " : ": host ",
                   result.host_rank + 1, " of ", result.num_hosts);
  if (result.local_world_size > 1) {
    absl::StrAppend(&result.description, " (", result.local_rank + 1, " of ",
                    result.local_world_size, " on this machine)");
  }
  absl::StrAppend(&result.description, ", coordinator ", result.coordinator);
  return result;
}

absl::StatusOr<std::string> FirstSlurmHost(absl::string_view nodelist) {
  const auto malformed = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(nodelist),
                     " is not a list of hosts such as 'gpu[01-03,07],login1'"));
  };
  std::string host;
  absl::string_view rest = nodelist;
  while (!rest.empty() && rest.front() != ',') {
    if (rest.front() != '[') {
      host += rest.front();
      rest.remove_prefix(1);
      continue;
    }
    // The first of a list of numbers and ranges of numbers.
    const size_t end = rest.find_first_of(",-]");
    const size_t close = rest.find(']');
    if (close == absl::string_view::npos) return malformed();
    const absl::string_view number = rest.substr(1, end - 1);
    if (int64_t ignored; !ParseNumber(number, &ignored)) return malformed();
    absl::StrAppend(&host, number);
    rest.remove_prefix(close + 1);
  }
  if (!CheckHostName(host).ok()) return malformed();
  return host;
}

std::map<std::string, std::string> CurrentEnvironment() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos) continue;
    // Of two of the same name getenv(3) finds the first.
    result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

}  // namespace charrnn
