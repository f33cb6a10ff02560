// How a coordinator on one core bears thousands of workers:
//
//   bazel run //dist/coordinator:swarm_benchmark -- --workers=2048
//
// The coordinator is a process of its own on the machine's first core, with its
// folder on the disk; the workers are a Swarm in this one, on the other cores.

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "dist/child_process.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/server.h"
#include "dist/coordinator/swarm.h"
#include "testing/temp_directory.h"

ABSL_FLAG(int, workers, 2048, "Simulated workers.");
ABSL_FLAG(int, hosts, 256,
          "Simulated hosts, which the workers are spread over.");
ABSL_FLAG(int, connections, 0,
          "Connections of each host; 0: one for each of its processes.");
ABSL_FLAG(int, seconds, 20, "How long heartbeats are measured.");
ABSL_FLAG(int, rounds, 3, "How often workers die and are replaced.");
ABSL_FLAG(int, deaths, 3, "Workers that die at once.");
ABSL_FLAG(
    bool, pin, true,
    "Keep the coordinator on the first core and the swarm on the others.");
ABSL_FLAG(bool, json, false, "Print one line of JSON instead of a table.");
ABSL_FLAG(std::string, serve, "",
          "What the program gives itself: be the coordinator of this folder.");
ABSL_FLAG(int, parent, 0, "What the program gives itself: who started it.");

namespace charrnn {
namespace {

// Longer than anything worth a figure.
constexpr absl::Duration kTimeout = absl::Minutes(2);

// What a process must wait for its successor: about what a start takes.
constexpr absl::Duration kStart = absl::Seconds(1);

absl::Status Serve(const std::string& run_dir) {
  DieWithParent(absl::GetFlag(FLAGS_parent));
  Job::Options options;
  options.run_dir = run_dir;
  options.durable = true;
  options.membership.min_hosts = absl::GetFlag(FLAGS_hosts);
  options.membership.max_hosts = absl::GetFlag(FLAGS_hosts);
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<Job> job, Job::Open(options));
  CHARRNN_ASSIGN_OR_RETURN(const auto server,
                           CoordinatorServer::Start(std::move(job), {}));
  std::printf("%d\n", server->port());
  std::fflush(stdout);
  server->job().AwaitEnd(absl::Hours(1));
  return absl::OkStatus();
}

// Keeps this thread, and what it starts, on some of the machine's cores: on the
// first one, or on all others.
void KeepOn(bool first) {
  cpu_set_t cores;
  static const cpu_set_t all = [] {
    cpu_set_t set;
    CHARRNN_CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    return set;
  }();
  CPU_ZERO(&cores);
  bool seen_first = false;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &all)) continue;
    if (seen_first != first) CPU_SET(core, &cores);
    seen_first = true;
  }
  // A machine of one core: all share it.
  if (CPU_COUNT(&cores) == 0) return;
  CHARRNN_CHECK(sched_setaffinity(0, sizeof(cores), &cores) == 0);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

double LoadAverage() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

// What a process has used and has.
struct Use {
  double cpu_s = 0;
  double resident_mb = 0;
  int64_t threads = 0;
};

Use UseOf(pid_t pid) {
  Use use;
  const std::string folder = absl::StrCat("/proc/", pid, "/");
  const std::string stat = ReadAll(folder + "stat");
  // What follows the name, which may hold anything, begins with the 3rd field.
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(stat.rfind(')') + 2), ' ');
  for (const size_t field : {14, 15}) {
    double ticks = 0;
    CHARRNN_CHECK(absl::SimpleAtod(fields.at(field - 3), &ticks)) << stat;
    use.cpu_s += ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  for (const absl::string_view line :
       absl::StrSplit(ReadAll(folder + "status"), '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar("\t "), absl::SkipEmpty());
    int64_t number = 0;
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &number)) continue;
    if (words[0] == "VmRSS:") use.resident_mb = number / 1024.0;
    if (words[0] == "Threads:") use.threads = number;
  }
  return use;
}

absl::StatusOr<std::unique_ptr<ChildProcess>> StartCoordinator(
    const std::string& run_dir, int* port) {
  ChildProcessOptions options;
  options.program = "/proc/self/exe";
  options.arguments = {absl::StrCat("--serve=", run_dir),
                       absl::StrCat("--parent=", getpid()),
                       absl::StrCat("--hosts=", absl::GetFlag(FLAGS_hosts))};
  CHARRNN_ASSIGN_OR_RETURN(auto child, ChildProcess::Start(options));
  std::string said;
  while (!absl::EndsWith(said, "\n")) {
    pollfd event = {child->output_fd(OutputStream::kStdout), POLLIN, 0};
    if (event.fd < 0) {
      return absl::InternalError(
          absl::StrCat("the coordinator could not start: ",
                       child->TakeOutput(OutputStream::kStderr)));
    }
    poll(&event, 1, -1);
    said += child->TakeOutput(OutputStream::kStdout);
  }
  CHARRNN_CHECK(absl::SimpleAtoi(said, port)) << said;
  return child;
}

double Quantile(const std::vector<absl::Duration>& sorted, double quantile) {
  if (sorted.empty()) return 0;
  const auto last = static_cast<double>(sorted.size() - 1);
  return absl::ToDoubleMilliseconds(
      sorted[static_cast<size_t>(quantile * last)]);
}

nlohmann::ordered_json Figures(const Swarm::Heartbeats& heartbeats,
                               absl::Duration time) {
  nlohmann::ordered_json out;
  const double seconds = absl::ToDoubleSeconds(time);
  out["per_s"] = static_cast<double>(heartbeats.latencies.size()) / seconds;
  out["p50_ms"] = Quantile(heartbeats.latencies, 0.5);
  out["p99_ms"] = Quantile(heartbeats.latencies, 0.99);
  out["max_ms"] = Quantile(heartbeats.latencies, 1);
  out["failed"] = heartbeats.failed;
  out["omitted"] = heartbeats.omitted;
  return out;
}

absl::StatusOr<Swarm::Options> SwarmFromFlags() {
  const int workers = absl::GetFlag(FLAGS_workers);
  Swarm::Options options;
  options.hosts = absl::GetFlag(FLAGS_hosts);
  if (options.hosts < 1 || workers % options.hosts != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--workers=", workers,
                     ": must be a multiple of --hosts=", options.hosts));
  }
  options.slots = workers / options.hosts;
  options.connections = absl::GetFlag(FLAGS_connections);
  if (options.connections == 0) options.connections = options.slots + 1;
  options.max_workers = workers;
  return options;
}

// Lets workers die and be replaced, and tells how long the others need.
absl::Status MeasureDeaths(Swarm& swarm, nlohmann::ordered_json& out) {
  const absl::Duration start = Clock::Real()->Elapsed();
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
    CHARRNN_ASSIGN_OR_RETURN(const absl::Duration again,
                             swarm.Kill(absl::GetFlag(FLAGS_deaths), kTimeout));
    out["after_deaths_s"].push_back(absl::ToDoubleSeconds(again));
    absl::SleepFor(kStart);
    CHARRNN_ASSIGN_OR_RETURN(const absl::Duration replaced,
                             swarm.Replace(kTimeout));
    out["after_replacements_s"].push_back(absl::ToDoubleSeconds(replaced));
    absl::SleepFor(kStart);
  }
  out["heartbeats_meanwhile"] =
      Figures(swarm.TakeHeartbeats(), Clock::Real()->Elapsed() - start);
  return absl::OkStatus();
}

absl::StatusOr<nlohmann::ordered_json> Measure() {
  CHARRNN_ASSIGN_OR_RETURN(Swarm::Options options, SwarmFromFlags());
  const TempDirectory folder;
  const bool pin = absl::GetFlag(FLAGS_pin);
  if (pin) KeepOn(/*first=*/true);
  int port = 0;
  CHARRNN_ASSIGN_OR_RETURN(const std::unique_ptr<ChildProcess> coordinator,
                           StartCoordinator(folder.path(), &port));
  if (pin) KeepOn(/*first=*/false);
  options.address = absl::StrCat("127.0.0.1:", port);

  nlohmann::ordered_json out;
  out["workers"] = options.max_workers;
  out["hosts"] = options.hosts;
  out["connections"] = options.hosts * options.connections;
  out["cores"] = std::thread::hardware_concurrency();
  Swarm swarm(options);
  CHARRNN_ASSIGN_OR_RETURN(const absl::Duration rendezvous,
                           swarm.Rendezvous(kTimeout));
  out["rendezvous_s"] = absl::ToDoubleSeconds(rendezvous);
  out["rendezvous_cpu_s"] = UseOf(coordinator->pid()).cpu_s;

  // The heartbeats that all send as they get their places are not measured.
  absl::SleepFor(kStart);
  swarm.TakeHeartbeats();
  const Use before = UseOf(coordinator->pid());
  const absl::Duration start = Clock::Real()->Elapsed();
  absl::SleepFor(absl::Seconds(absl::GetFlag(FLAGS_seconds)));
  const absl::Duration time = Clock::Real()->Elapsed() - start;
  const Use after = UseOf(coordinator->pid());
  out["heartbeats"] = Figures(swarm.TakeHeartbeats(), time);
  out["coordinator_cores"] =
      (after.cpu_s - before.cpu_s) / absl::ToDoubleSeconds(time);
  out["coordinator_resident_mb"] = after.resident_mb;
  out["coordinator_threads"] = after.threads;

  CHARRNN_RETURN_IF_ERROR(MeasureDeaths(swarm, out));
  out["generations"] = swarm.generation();
  const Use end = UseOf(coordinator->pid());
  out["coordinator_resident_mb_at_end"] = end.resident_mb;
  out["coordinator_threads_at_end"] = end.threads;
  out["load_average"] = LoadAverage();
  CHARRNN_RETURN_IF_ERROR(swarm.status());
  return out;
}

std::string Seconds(const nlohmann::ordered_json& times) {
  std::string text;
  for (const double time : times) {
    absl::StrAppend(&text, text.empty() ? "" : ", ",
                    absl::StrFormat("%.2f", time));
  }
  return absl::StrCat(text, " s");
}

std::string Latencies(const nlohmann::ordered_json& of) {
  return absl::StrFormat(
      "p50 %.1f, p99 %.1f, max %.0f ms; %.0f a second, %d failed, %d omitted",
      double{of["p50_ms"]}, double{of["p99_ms"]}, double{of["max_ms"]},
      double{of["per_s"]}, int64_t{of["failed"]}, int64_t{of["omitted"]});
}

std::string Table(const nlohmann::ordered_json& out) {
  std::string text = absl::StrFormat(
      "%d workers on %d hosts, %d connections; %d cores, load average %.1f\n",
      int64_t{out["workers"]}, int64_t{out["hosts"]},
      int64_t{out["connections"]}, int64_t{out["cores"]},
      double{out["load_average"]});
  const auto line = [&text](absl::string_view what, const std::string& value) {
    absl::StrAppend(&text, absl::StrFormat("%-24s  %s\n", what, value));
  };
  line("rendezvous",
       absl::StrFormat("%.2f s (%.2f s of CPU)", double{out["rendezvous_s"]},
                       double{out["rendezvous_cpu_s"]}));
  line("after deaths", Seconds(out["after_deaths_s"]));
  line("after replacements", Seconds(out["after_replacements_s"]));
  line("heartbeats", Latencies(out["heartbeats"]));
  line("... while they regroup", Latencies(out["heartbeats_meanwhile"]));
  line("coordinator",
       absl::StrFormat("%.2f cores, %.0f MB, %d threads; "
                       "%.0f MB, %d threads at the end",
                       double{out["coordinator_cores"]},
                       double{out["coordinator_resident_mb"]},
                       int64_t{out["coordinator_threads"]},
                       double{out["coordinator_resident_mb_at_end"]},
                       int64_t{out["coordinator_threads_at_end"]}));
  return text;
}

absl::Status Run() {
  if (const std::string run_dir = absl::GetFlag(FLAGS_serve);
      !run_dir.empty()) {
    return Serve(run_dir);
  }
  CHARRNN_ASSIGN_OR_RETURN(const nlohmann::ordered_json out, Measure());
  std::cout << (absl::GetFlag(FLAGS_json) ? out.dump() + "\n" : Table(out));
  return absl::OkStatus();
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures a coordinator by a swarm of simulated workers.");
  absl::ParseCommandLine(argc, argv);
  if (const absl::Status status = charrnn::Run(); !status.ok()) {
    CHARRNN_LOG(ERROR) << status.message();
    return 1;
  }
  return 0;
}
