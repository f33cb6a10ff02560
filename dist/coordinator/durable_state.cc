#include "dist/coordinator/durable_state.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "dist/coordinator/membership.h"

namespace charrnn {
namespace {

using nlohmann::json;

constexpr char kFormat[] = "charrnn.coordinator.1";

// The object, its hosts, one of them, its lists.
constexpr int kDepth = 4;

// The names of the states in which a job has ended; "" if it has not.
const std::vector<std::pair<std::string, JobState>>& EndNames() {
  static const auto* const names =
      new std::vector<std::pair<std::string, JobState>>(
          {{"", JobState::kForming},
           {"finished", JobState::kFinished},
           {"stopped", JobState::kStopped},
           {"failed", JobState::kFailed},
           {"refused", JobState::kRefused}});
  return *names;
}

std::string EndName(JobState state) {
  for (const auto& [name, named] : EndNames()) {
    if (named == state) return name;
  }
  return "";
}

// Of a number, from which is counted on.
constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max() / 2;

// Reads an object's members, and keeps the first thing that is wrong.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {
    if (!object.is_object()) Wrong("an object");
  }

  int64_t Int(const char* name, int64_t min = 0, int64_t max = kGreatest) {
    return Int(Member(name), name, min, max);
  }
  // A value of the list `name`.
  int64_t Int(const json& value, const char* name, int64_t min = 0,
              int64_t max = kGreatest) {
    if (!value.is_number_integer()) return Wrong(name), min;
    const auto number = value.get<int64_t>();
    const bool wraps = value.is_number_unsigned() && number < 0;
    if (wraps || number < min || number > max) return Wrong(name), min;
    return number;
  }
  bool Bool(const char* name) {
    const json& value = Member(name);
    if (!value.is_boolean()) return Wrong(name), false;
    return value.get<bool>();
  }
  std::string String(const char* name) {
    const json& value = Member(name);
    if (!value.is_string()) return Wrong(name), "";
    return value.get<std::string>();
  }
  // An array; empty if it is none.
  json List(const char* name) {
    const json& value = Member(name);
    if (!value.is_array()) return Wrong(name), json::array();
    return value;
  }
  void Wrong(absl::string_view name) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat("'", name, "' is missing or makes no sense"));
    }
  }
  // Once all has been read: what is wrong, a member that nobody has asked for
  // too.
  absl::Status Finish() {
    for (const auto& member : object_.items()) {
      if (!status_.ok()) break;
      if (names_.count(member.key()) > 0) continue;
      status_ = absl::InvalidArgumentError(absl::StrCat(
          json(member.key()).dump(), " is nothing that it can have"));
    }
    return status_;
  }

 private:
  const json& Member(const char* name) {
    static const json* const kNone = new json;
    names_.insert(name);
    if (!object_.is_object()) return *kNone;
    const auto member = object_.find(name);
    return member == object_.end() ? *kNone : *member;
  }

  const json& object_;
  std::set<std::string> names_;  // that have been asked for
  absl::Status status_;
};

absl::StatusOr<Membership::Durable::Host> ReadHost(const json& object) {
  Reader reader(object);
  Membership::Durable::Host host;
  host.id = reader.String("id");
  host.name = reader.String("name");
  host.slots =
      static_cast<int>(reader.Int("slots", 1, std::numeric_limits<int>::max()));
  host.leaving = reader.Bool("leaving");
  for (const json& number : reader.List("incarnations")) {
    host.incarnations.push_back(reader.Int(number, "incarnations"));
  }
  for (const json& dead : reader.List("dead")) {
    if (!dead.is_boolean()) reader.Wrong("dead");
    host.dead.push_back(dead.is_boolean() && dead.get<bool>());
  }
  for (const json& number : reader.List("first_generations")) {
    host.first_generations.push_back(reader.Int(number, "first_generations"));
  }
  if (host.incarnations.size() != static_cast<size_t>(host.slots) ||
      host.dead.size() != host.incarnations.size() ||
      host.first_generations.size() != host.incarnations.size()) {
    reader.Wrong("slots");
  }
  CHARRNN_RETURN_IF_ERROR(reader.Finish());
  return host;
}

}  // namespace

std::string ToJson(const DurableState& state) {
  const Membership::Durable& membership = state.membership;
  nlohmann::ordered_json out;
  out["format"] = kFormat;
  out["instruction_set"] = state.instruction_set;
  out["generation"] = membership.generation;
  out["running"] = membership.running;
  out["source_rank"] = membership.source_rank.value_or(-1);
  out["committed_step_at_forming"] = membership.committed_step_at_forming;
  out["stop"] = membership.stop;
  out["ended"] = EndName(membership.ended);
  out["first_error"] = membership.first_error;
  out["hosts"] = json::array();
  for (const Membership::Durable::Host& host : membership.hosts) {
    nlohmann::ordered_json entry;
    entry["id"] = host.id;
    entry["name"] = host.name;
    entry["slots"] = host.slots;
    entry["leaving"] = host.leaving;
    entry["incarnations"] = host.incarnations;
    entry["dead"] = host.dead;
    entry["first_generations"] = host.first_generations;
    out["hosts"].push_back(std::move(entry));
  }
  out["members"] = json::array();
  for (const WorkerId& member : membership.members) {
    nlohmann::ordered_json entry;
    entry["host"] = member.slot.host_id;
    entry["local_rank"] = member.slot.local_rank;
    entry["incarnation"] = member.incarnation;
    out["members"].push_back(std::move(entry));
  }
  return out.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<DurableState> DurableStateFromJson(absl::string_view text) {
  CHARRNN_ASSIGN_OR_RETURN(const json object, ParseStrictJson(text, kDepth));
  Reader reader(object);
  if (reader.String("format") != kFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is not of the format ", kFormat));
  }
  DurableState state;
  Membership::Durable& membership = state.membership;
  state.instruction_set = reader.String("instruction_set");
  membership.generation = reader.Int("generation");
  membership.running = reader.Bool("running");
  const int64_t source =
      reader.Int("source_rank", -1, std::numeric_limits<int>::max());
  if (source >= 0) membership.source_rank = static_cast<int>(source);
  membership.committed_step_at_forming =
      reader.Int("committed_step_at_forming");
  membership.stop = reader.Bool("stop");
  membership.first_error = reader.String("first_error");
  const std::string ended = reader.String("ended");
  bool known = false;
  for (const auto& [name, end] : EndNames()) {
    if (name != ended) continue;
    membership.ended = end;
    known = true;
  }
  if (!known) reader.Wrong("ended");
  std::set<std::string> ids;
  for (const json& entry : reader.List("hosts")) {
    CHARRNN_ASSIGN_OR_RETURN(auto host, ReadHost(entry));
    if (!ids.insert(host.id).second) reader.Wrong("hosts");
    membership.hosts.push_back(std::move(host));
  }
  for (const json& entry : reader.List("members")) {
    Reader member(entry);
    WorkerId worker;
    worker.slot.host_id = member.String("host");
    worker.slot.local_rank = static_cast<int>(
        member.Int("local_rank", 0, std::numeric_limits<int>::max()));
    worker.incarnation = member.Int("incarnation");
    CHARRNN_RETURN_IF_ERROR(member.Finish());
    membership.members.push_back(std::move(worker));
  }
  CHARRNN_RETURN_IF_ERROR(reader.Finish());
  return state;
}

}  // namespace charrnn
