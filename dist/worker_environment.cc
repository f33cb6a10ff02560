#include "dist/worker_environment.h"

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {
namespace {

using nlohmann::json;

constexpr char kVariable[] = "CHARRNN_WORKER";

}  // namespace

std::map<std::string, std::string> ToVariables(const WorkerEnvironment& worker,
                                               const std::string& native) {
  const json told = {{"supervisor", worker.supervisor},
                     {"host_id", worker.host_id},
                     {"local_rank", worker.local_rank},
                     {"incarnation", worker.incarnation},
                     {"instruction_set", worker.instruction_set},
                     {"threads", worker.threads},
                     {"device", worker.device},
                     {"address", worker.address},
                     {"coordinator", worker.coordinator},
                     {"token", worker.token},
                     {"tls_ca", worker.tls_ca}};
  std::map<std::string, std::string> variables = {
      {kVariable, told.dump(-1, ' ', false, json::error_handler_t::replace)}};
  if (worker.instruction_set == native) return variables;
  // And `native` is AMX. (What oneDNN makes of bf16 below that is not the same
  // on all CPUs; the fused kernels are.)
  if (worker.instruction_set == "avx512") {
    variables["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_BF16";
    return variables;
  }
  const bool avx2 = worker.instruction_set == "avx2";
  variables["ATEN_CPU_CAPABILITY"] = avx2 ? "avx2" : "default";
  variables["MKL_ENABLE_INSTRUCTIONS"] = avx2 ? "AVX2" : "SSE4_2";
  variables["MKL_CBWR"] = avx2 ? "AVX2" : "SSE4_2";
  variables["ONEDNN_MAX_CPU_ISA"] = avx2 ? "AVX2" : "SSE41";
  return variables;
}

absl::StatusOr<std::optional<WorkerEnvironment>> ReadWorkerEnvironment(
    const std::map<std::string, std::string>& variables) {
  const auto variable = variables.find(kVariable);
  if (variable == variables.end()) return std::nullopt;
  WorkerEnvironment worker;
  absl::StatusOr<json> told = ParseStrictJson(variable->second, 1);
  CHARRNN_RETURN_IF_ERROR(
      Annotate(told.status(), absl::StrCat(kVariable,
                                           ", which supervisors "
                                           "set for their workers")));
  const auto read = [&](const char* name, auto* value) {
    const auto member = told->find(name);
    if (member == told->end()) return false;
    using Value = std::decay_t<decltype(*value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      if (!member->is_string()) return false;
    } else {
      // None of them is ever negative.
      if (!member->is_number_unsigned() ||
          member->template get<uint64_t>() >
              uint64_t{std::numeric_limits<Value>::max()}) {
        return false;
      }
    }
    *value = member->template get<Value>();
    return true;
  };
  if (!told->is_object() || !read("supervisor", &worker.supervisor) ||
      !read("host_id", &worker.host_id) ||
      !read("local_rank", &worker.local_rank) ||
      !read("incarnation", &worker.incarnation) ||
      !read("instruction_set", &worker.instruction_set) ||
      !read("threads", &worker.threads) || !read("device", &worker.device) ||
      !read("address", &worker.address) ||
      !read("coordinator", &worker.coordinator) ||
      !read("token", &worker.token) || !read("tls_ca", &worker.tls_ca)) {
    return absl::InvalidArgumentError(
        absl::StrCat(kVariable,
                     " is set and makes no sense: unset it, since only "
                     "supervisors set it for their workers"));
  }
  return worker;
}

std::string NativeInstructionSet(Precision precision) {
  return InstructionSetOf({BestIsa(), precision});
}

std::string InstructionSetOf(const Arithmetic& arithmetic) {
  if (arithmetic.isa == Isa::kPortable) return "baseline";
  if (arithmetic.isa == Isa::kAvx2) return "avx2";
  return UsesAmx(arithmetic) ? "amx" : "avx512";
}

Isa BestIsaOf(const std::string& instruction_set, Precision precision) {
  if (instruction_set == "baseline") return Isa::kPortable;
  if (instruction_set == "avx2") return Isa::kAvx2;
  return instruction_set == "avx512" && precision == Precision::kBf16
             ? Isa::kAvx512Bf16
             : Isa::kAmxBf16;
}

}  // namespace charrnn
