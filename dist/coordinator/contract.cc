#include "dist/coordinator/contract.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/strict_json.h"

namespace charrnn {
namespace {

using nlohmann::json;

// An object of objects or lists.
constexpr int kDepth = 2;

std::string Text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

absl::Status Differs(absl::string_view what, const json& theirs,
                     const json& job, absl::string_view advice) {
  return absl::FailedPreconditionError(absl::StrCat(
      what, Text(theirs), ": the job has ", Text(job), ": ", advice));
}

absl::Status ComparePart(const json& job, const json& theirs) {
  json all = job;
  all.update(theirs);
  for (const auto& entry : all.items()) {
    const std::string& name = entry.key();
    const json expected = job.value(name, json());
    const json value = theirs.value(name, json());
    if (expected != value) {
      return Differs(absl::StrCat("--", name, "="), value, expected,
                     "leave the flag out, or give the same to all hosts");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<json> Parse(absl::string_view text) {
  CHARRNN_ASSIGN_OR_RETURN(json config, ParseStrictJson(text, kDepth));
  for (const char* part : {"corpus", "model", "training", "sampling"}) {
    if (!config.is_object() || !config.contains(part) ||
        !config[part].is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the configuration has no object '", part, "'"));
    }
  }
  return config;
}

}  // namespace

absl::Status CheckContract(absl::string_view job, absl::string_view theirs) {
  CHARRNN_ASSIGN_OR_RETURN(const json job_config, Parse(job));
  CHARRNN_ASSIGN_OR_RETURN(const json their_config, Parse(theirs));
  const json job_version = job_config.value("version", json());
  const json their_version = their_config.value("version", json());
  if (job_version != their_version) {
    return Differs("program version ", their_version, job_version,
                   "run the same build on all hosts");
  }
  const json& job_text = job_config["corpus"];
  const json& their_text = their_config["corpus"];
  if (job_text.value("fingerprint", json()) !=
      their_text.value("fingerprint", json())) {
    return Differs("--data_path: the text ", their_text.value("name", json()),
                   job_text.value("name", json()),
                   "which is another text: give all hosts the same one");
  }
  for (const char* part : {"model", "training", "sampling"}) {
    CHARRNN_RETURN_IF_ERROR(ComparePart(job_config[part], their_config[part]));
  }
  const json job_reduction = job_config.value("reduction", json());
  const json their_reduction = their_config.value("reduction", json());
  if (job_reduction != their_reduction) {
    return Differs("--reduction=", their_reduction, job_reduction,
                   "leave the flag out, or give the same to all hosts");
  }
  // What hosts of an earlier build have not said, they have as it was then.
  for (const auto& [name, before_there_was_one] :
       {std::pair("kernels", "libtorch"), std::pair("precision", "fp32")}) {
    const json of_job = job_config.value(name, json(before_there_was_one));
    const json of_them = their_config.value(name, json(before_there_was_one));
    if (of_job != of_them) {
      return Differs(absl::StrCat("--", name, "="), of_them, of_job,
                     "leave the flag out, or give the same to all hosts");
    }
  }
  // Not which GPU of a host, only whether it is one.
  const auto device_type = [](const json& config) {
    const std::string device = Text(config.value("device", json()));
    return json(device.substr(0, device.find(':')));
  };
  if (device_type(job_config) != device_type(their_config)) {
    return Differs("--device=", device_type(their_config),
                   device_type(job_config),
                   "all hosts must compute on the same kind of device");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CommonInstructionSet(absl::string_view a,
                                                 absl::string_view b) {
  constexpr std::array<absl::string_view, 4> kOrder = {"baseline", "avx2",
                                                       "avx512", "amx"};
  for (const absl::string_view name : {a, b}) {
    if (std::find(kOrder.begin(), kOrder.end(), name) == kOrder.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown instruction set '", name,
                       "': it must be baseline, avx2, avx512 or amx"));
    }
  }
  return std::string(*std::find_if(
      kOrder.begin(), kOrder.end(),
      [&](absl::string_view name) { return name == a || name == b; }));
}

}  // namespace charrnn
