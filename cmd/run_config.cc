#include "cmd/run_config.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/training_flags.h"
#include "data/corpus.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/training_plan.h"

namespace charrnn {
namespace {

using nlohmann::json;

// An object of objects or lists.
constexpr int kDepth = 2;

// Which run, and how it goes on: never what an earlier session said. What a
// preset came to is said by the flags that it stands for.
const std::set<std::string>& OfThisSession() {
  static const auto* const names = new std::set<std::string>(
      {"allow_changes", "preset", "resume", "run_dir"});
  return *names;
}

// On which hosts, with what CPUs, and with how many processes: no part of a run
// at all, which may go on with one process or with many.
const std::set<std::string>& OfTheHosts() {
  static const auto* const names = new std::set<std::string>(
      {"address", "backend", "collective_timeout", "coordinator", "host_name",
       "insecure", "isa", "join_window", "nnodes", "nproc_per_node", "tls_ca",
       "tls_cert", "tls_key", "token_file"});
  return *names;
}

// What a run may change without anybody being told, because no number of it
// depends on it; under a constant learning rate, more epochs too.
bool IsFree(const std::string& field, const json& training) {
  static const auto* const free =
      new std::set<std::string>({"keep_checkpoints", "log_every", "max_steps",
                                 "sample_every", "save_every", "stop_loss"});
  return free->count(field) > 0 ||
         (field == "num_epochs" &&
          training.value("lr_schedule", json()) == "constant");
}

// The members of an earlier run's configuration that are compared.
absl::StatusOr<json> ParseRunConfig(absl::string_view text) {
  CHARRNN_ASSIGN_OR_RETURN(json config, ParseStrictJson(text, kDepth));
  for (const char* part : {"corpus", "model", "training", "flags"}) {
    if (!config.is_object() || !config.contains(part) ||
        !config[part].is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat("it has no object '", part, "'"));
    }
  }
  return config;
}

// A value as it would be typed.
std::string Text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// How a run goes on is compared with how it was: what there is to say of it.
struct Comparison {
  const json& training;                 // what the run had
  const std::set<std::string>& preset;  // flags that --preset has set
  bool allow_changes;
  std::vector<std::string> notes;

  // The flag `field` differs, and numbers depend on it.
  absl::Status Change(const std::string& field, const std::string& now,
                      const std::string& was);
  // One part of the configuration, such as "model", against what it is now.
  // What the run's version did not know yet was as `defaults` have it.
  absl::Status Part(const json& then, const std::string& now_json,
                    const std::string& defaults);
  // Says where the run computed, if that was elsewhere or its last bits differ.
  void Kernels(const json& then, const TrainingRequest& request,
               const std::string& device, bool same_precision);
};

absl::Status Comparison::Change(const std::string& field,
                                const std::string& now,
                                const std::string& was) {
  if (!allow_changes) {
    return absl::FailedPreconditionError(absl::StrCat(
        preset.count(field) > 0 ? "--preset has --" : "--", field, "=", now,
        ": the run to resume has ", was,
        ", and its numbers depend on it: leave the flag out, begin a new run, "
        "or say with --allow_changes that you mean it"));
  }
  notes.push_back(
      absl::StrCat("--", field, " is ", now, " from here on; it was ", was));
  return absl::OkStatus();
}

absl::Status Comparison::Part(const json& then, const std::string& now_json,
                              const std::string& defaults) {
  const json now = json::parse(now_json);
  json before = json::parse(defaults);
  before.update(then);
  for (const auto& [field, value] : now.items()) {
    if (before[field] == value || IsFree(field, training)) continue;
    CHARRNN_RETURN_IF_ERROR(Change(field, Text(value), Text(before[field])));
  }
  return absl::OkStatus();
}

void Comparison::Kernels(const json& then, const TrainingRequest& request,
                         const std::string& device, bool same_precision) {
  if (const json was = then.value("device", json(device)); was != device) {
    notes.push_back(absl::StrCat("the run goes on on ", device,
                                 ", no longer on ", Text(was),
                                 ": its last bits may differ"));
    return;
  }
  const std::string kernels = ResolvedKernels(request.kernels, device);
  const std::string old_kernels = Text(then.value("kernels", json("libtorch")));
  if (kernels != old_kernels) {
    notes.push_back(absl::StrCat("--kernels is ", kernels,
                                 " from here on, no longer ", old_kernels,
                                 ": the last bits may differ"));
    return;
  }
  const std::string bits = BitsOfKernels(device, request.precision);
  const std::string old_bits = Text(then.value("isa", json(bits)));
  // Other bits are no news beside another precision.
  if (same_precision && !bits.empty() && bits != old_bits) {
    notes.push_back(absl::StrCat("the CPU computes the bits of ", bits,
                                 " from here on, no longer those of ", old_bits,
                                 ": the last ones may differ"));
  }
}

}  // namespace

std::string RunConfigJson(const TrainingRequest& request,
                          const std::set<std::string>& typed,
                          const std::string& device) {
  nlohmann::ordered_json config;
  config["version"] = std::string(kVersion);
  config["corpus"] = {{"name", request.corpus->name()},
                      {"chars", request.corpus->size()},
                      {"fingerprint", request.corpus->fingerprint()}};
  config["device"] = device;
  config["reduction"] = ResolvedReduction(request.reduction, device);
  config["kernels"] = ResolvedKernels(request.kernels, device);
  config["isa"] = BitsOfKernels(device, request.precision);
  config["precision"] = std::string(PrecisionName(request.precision));
  config["model"] = nlohmann::ordered_json::parse(ToJson(request.model));
  config["training"] = nlohmann::ordered_json::parse(ToJson(request.training));
  config["sampling"] = nlohmann::ordered_json::parse(ToJson(request.sampling));
  auto flags = FlagValues();
  for (const std::string& name : OfTheHosts()) flags.erase(name);
  config["flags"] = flags;
  // Wherever the run is resumed from.
  for (const char* flag : {"data_path", "init_from", "save_path"}) {
    const std::string value = Text(config["flags"].value(flag, json()));
    const std::string path = UserPath(value);
    if (value.empty() ||
        (typed.count(flag) == 0 && !FileSystem::Real()->Exists(path))) {
      continue;
    }
    config["flags"][flag] = std::filesystem::absolute(path).string();
  }
  config["typed"] = json::array();
  for (const std::string& name : typed) {
    if (OfTheHosts().count(name) == 0) config["typed"].push_back(name);
  }
  // A path may be anything, and a report of it must not end the run.
  return config.dump(2, ' ', /*ensure_ascii=*/false,
                     json::error_handler_t::replace) +
         "\n";
}

absl::Status TakeOverFlags(absl::string_view config_json,
                           std::set<std::string>& typed) {
  CHARRNN_ASSIGN_OR_RETURN(const json config, ParseRunConfig(config_json));
  for (const auto& [name, value] : config["flags"].items()) {
    if (typed.count(name) > 0 || OfThisSession().count(name) > 0) continue;
    absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(name);
    std::string error;
    if (flag == nullptr || !value.is_string() ||
        !flag->ParseFrom(value.get<std::string>(), &error)) {
      return absl::InvalidArgumentError(absl::StrCat("its flag ",
                                                     json(name).dump(),
                                                     " is none of this "
                                                     "program's"));
    }
  }
  // A preset's choice by what the CPU has is none where a run goes on.
  if (config["flags"].contains("precision")) typed.insert("precision");
  const auto given = config.find("typed");
  if (given == config.end() || !given->is_array()) return absl::OkStatus();
  for (const json& name : *given) {
    if (name.is_string() && OfThisSession().count(name) == 0) {
      typed.insert(name.get<std::string>());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> CompareWithRun(
    absl::string_view config_json, const TrainingRequest& request,
    const std::string& device, bool allow_changes) {
  CHARRNN_ASSIGN_OR_RETURN(const json then, ParseRunConfig(config_json));
  Comparison comparison = {then["training"], request.preset, allow_changes, {}};
  std::vector<std::string>& notes = comparison.notes;
  if (then["corpus"].value("fingerprint", json()) !=
      request.corpus->fingerprint()) {
    if (!allow_changes) {
      return absl::FailedPreconditionError(absl::StrCat(
          "--data_path: ", request.corpus->name(),
          " is not the text of the run to resume (",
          Text(then["corpus"].value("name", json())),
          "), or it has changed since: name that one, begin a new run, or say "
          "with --allow_changes that you mean it"));
    }
    notes.push_back(absl::StrCat("the text is ", request.corpus->name(),
                                 " from here on, which is another one"));
  }
  CHARRNN_RETURN_IF_ERROR(comparison.Part(then["model"], ToJson(request.model),
                                          ToJson(ModelConfig())));
  CHARRNN_RETURN_IF_ERROR(comparison.Part(
      then["training"], ToJson(request.training), ToJson(TrainingConfig())));
  const std::string reduction = ResolvedReduction(request.reduction, device);
  if (const json earlier = then.value("reduction", json(reduction));
      earlier != reduction) {
    notes.push_back(absl::StrCat(
        "gradients are summed as --reduction=", reduction, ", no longer ",
        Text(earlier), ": the last bits may differ"));
  }
  const std::string precision(PrecisionName(request.precision));
  const std::string old_precision = Text(then.value("precision", json("fp32")));
  if (precision != old_precision) {
    CHARRNN_RETURN_IF_ERROR(
        comparison.Change("precision", precision, old_precision));
  }
  comparison.Kernels(then, request, device, precision == old_precision);
  return std::move(comparison).notes;
}

absl::Status CheckLimits(const TrainingConfig& training,
                         const TrainingPlan& plan,
                         const std::set<std::string>& typed, int64_t step) {
  const int64_t end = plan.total_steps;
  const char* const flag =
      training.max_steps == end ? "max_steps" : "num_epochs";
  if (end >= step || typed.count(flag) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": it ends the run at step ", end,
                   ", and the run is at step ", step,
                   " already: let it go on for longer, or leave the flag out"));
}

}  // namespace charrnn
