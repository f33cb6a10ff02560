#include "cmd/preset.h"

#include <set>
#include <string>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "model/kernels/arithmetic.h"

ABSL_FLAG(std::string, preset, "",
          "Other defaults, chosen by measurement: quick (a model as good as "
          "the usual ones make it, in a fraction of their time) or best (a "
          "better model of a small text, within a quarter of an hour on two "
          "cores); empty: the usual ones. Flags that are typed count more.");

namespace charrnn {
namespace {

struct Default {
  const char* flag;
  const char* value;
};

// model/README.md tells what was tried.
std::vector<Default> Quick() {
  return {{"data_order", "streams"}, {"batch_size", "16"},
          {"dropout", "0"},          {"learning_rate", "8e-3"},
          {"lr_schedule", "cosine"}, {"warmup_steps", "20"},
          {"num_epochs", "2"},       {"grains", "4"}};
}

std::vector<Default> Best(const std::set<std::string>& typed) {
  std::vector<Default> defaults = {
      {"hidden_dim", "512"},     {"num_layers", "2"},
      {"data_order", "streams"}, {"batch_size", "16"},
      {"dropout", "0.4"},        {"learning_rate", "1.5e-3"},
      {"lr_schedule", "cosine"}, {"warmup_steps", "100"},
      {"num_epochs", "12"},      {"grains", "2"}};
  // Where the CPU has it, and nobody has said how it is to compute.
  const bool free = typed.count("isa") + typed.count("kernels") == 0;
  if (free && CheckSupported({BestIsa(), Precision::kBf16}).ok()) {
    defaults.push_back({"precision", "bf16"});
  }
  return defaults;
}

}  // namespace

absl::StatusOr<std::set<std::string>> ApplyPreset(
    const std::set<std::string>& typed) {
  std::set<std::string> given;
  const std::string name = absl::GetFlag(FLAGS_preset);
  if (name.empty()) return given;
  if (name != "quick" && name != "best") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--preset=", name, ": must be quick or best, or left out"));
  }
  for (const Default& it : name == "quick" ? Quick() : Best(typed)) {
    if (typed.count(it.flag) > 0) continue;
    absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(it.flag);
    std::string error;
    CHARRNN_CHECK(flag != nullptr && flag->ParseFrom(it.value, &error))
        << "--" << it.flag << "=" << it.value << ": " << error;
    given.insert(it.flag);
  }
  return given;
}

}  // namespace charrnn
