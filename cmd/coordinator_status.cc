#include "cmd/coordinator_status.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "dist/coordinator/coordinator.pb.h"
#include "model/metrics/display.h"

namespace charrnn {
namespace {

using Member = wire::GetStatusResponse::Member;

// Older ones are in metrics.jsonl.
constexpr int kGenerations = 10;

std::string Name(const Member& member) {
  return absl::StrCat(member.host_name(), "/", member.worker().local_rank());
}

// Of those whose steps were measured, if there is another one to compare with.
const Member* Slowest(const wire::GetStatusResponse& status) {
  const Member* slowest = nullptr;
  int measured = 0;
  for (const Member& member : status.members()) {
    if (member.step_s() <= 0) continue;
    ++measured;
    if (slowest == nullptr || member.step_s() > slowest->step_s()) {
      slowest = &member;
    }
  }
  return measured > 1 ? slowest : nullptr;
}

std::string Lowercase(const std::string& name) {
  return absl::AsciiStrToLower(name);
}

std::string WorkerLines(const wire::GetStatusResponse& status) {
  std::vector<const Member*> members;
  size_t width = 6;
  for (const Member& member : status.members()) {
    members.push_back(&member);
    width = std::max(width, Name(member).size());
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const Member* a, const Member* b) {
                     // Those without a rank last.
                     return static_cast<uint32_t>(a->rank()) <
                            static_cast<uint32_t>(b->rank());
                   });
  const Member* const slowest = Slowest(status);
  std::string text =
      absl::StrFormat("%-4s  %-*s  %-9s  %-8s  %8s  %s\n", "rank", width,
                      "worker", "state", "phase", "step", "step time");
  for (const Member* member : members) {
    const std::string time =
        member->step_s() > 0 ? absl::StrFormat("%.3f s", member->step_s()) : "";
    std::string line =
        absl::StrFormat("%-4s  %-*s  %-9s  %-8s  %8s  %s",
                        member->rank() < 0 ? "-" : absl::StrCat(member->rank()),
                        width, Name(*member), member->state(),
                        Lowercase(wire::Phase_Name(member->phase())),
                        WithThousands(member->step()), time);
    if (member == slowest) line += "  slowest";
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace

std::string StatusText(const wire::GetStatusResponse& status) {
  std::set<std::string> hosts;
  int64_t step = status.committed_step();
  int num_members = 0;
  for (const Member& member : status.members()) {
    hosts.insert(member.worker().host_id());
    step = std::max(step, member.step());
    if (member.rank() >= 0) ++num_members;
  }
  std::string text =
      absl::StrCat("job       ", Lowercase(wire::JobState_Name(status.state())),
                   ", generation ", status.generation(), ", ",
                   Counted(num_members, "worker"), " of ",
                   Counted(static_cast<int64_t>(hosts.size()), "host"), " (",
                   status.min_hosts(), " to ", status.max_hosts(),
                   " wanted), step ", WithThousands(step), "\n");
  if (!status.error().empty()) {
    absl::StrAppend(&text, "error     ", status.error(), "\n");
  }
  absl::StrAppend(&text, "run       ", status.run_dir(), "\n");
  if (status.committed_step() > 0) {
    absl::StrAppend(&text, "saved     step ",
                    WithThousands(status.committed_step()));
    if (status.best_step() > 0) {
      absl::StrAppend(&text, ", the best one step ",
                      WithThousands(status.best_step()));
    }
    absl::StrAppend(&text, "\n");
  }
  if (status.members_size() > 0) {
    absl::StrAppend(&text, "\n", WorkerLines(status));
  }
  if (status.generations_size() > 0) text += "\ngenerations\n";
  for (int i = std::max(0, status.generations_size() - kGenerations);
       i < status.generations_size(); ++i) {
    const auto& generation = status.generations(i);
    absl::StrAppend(&text, "  ", generation.number(), "  ",
                    Counted(generation.world_size(), "worker"), " from step ",
                    WithThousands(generation.step()), ": ", generation.reason(),
                    "\n");
  }
  return text;
}

}  // namespace charrnn
