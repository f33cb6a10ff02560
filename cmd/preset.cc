#include "cmd/preset.h"

#include <set>
#include <string>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"

ABSL_FLAG(std::string, preset, "",
          "Other defaults, chosen by measurement: quick (a model as good as "
          "the usual ones make it, in a fraction of their time); empty: the "
          "usual ones. Flags that are typed count more.");

namespace charrnn {
namespace {

struct Default {
  const char* flag;
  const char* value;
};

// model/README.md tells what was tried.
constexpr Default kQuick[] = {
    {"data_order", "streams"}, {"batch_size", "16"},
    {"dropout", "0"},          {"learning_rate", "8e-3"},
    {"lr_schedule", "cosine"}, {"warmup_steps", "20"},
    {"num_epochs", "2"},       {"grains", "4"},
};

}  // namespace

absl::StatusOr<std::set<std::string>> ApplyPreset(
    const std::set<std::string>& typed) {
  std::set<std::string> given;
  const std::string name = absl::GetFlag(FLAGS_preset);
  if (name.empty()) return given;
  if (name != "quick") {
    return absl::InvalidArgumentError(
        absl::StrCat("--preset=", name, ": must be quick, or left out"));
  }
  for (const Default& it : kQuick) {
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
