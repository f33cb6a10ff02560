#include "model/train_progress.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/strict_json.h"

namespace charrnn {
namespace {

using nlohmann::json;

constexpr char kFormat[] = "charrnn.trainer.1";

// Calls visit(name, field) for every field: the one place that knows them.
// `Progress` may be const.
template <typename Progress, typename Visitor>
void VisitFields(Progress& progress, const Visitor& visit) {
  visit("step", progress.step);
  visit("due", progress.due);
  visit("step_loss", progress.step_loss);
  visit("grad_norm", progress.grad_norm);
  visit("loss_sum", progress.loss_sum);
  visit("loss_targets", progress.loss_targets);
  visit("training_s", progress.training_s);
  visit("wall_s", progress.wall_s);
  visit("best_loss", progress.best_loss);
  visit("best_step", progress.best_step);
  visit("metrics_bytes", progress.records.metrics);
  visit("samples_bytes", progress.records.samples);
}

json FieldToJson(bool value) { return value; }
json FieldToJson(int64_t value) { return value; }
json FieldToJson(double value) {
  return std::isfinite(value) ? json(value) : json();
}

absl::Status FieldFromJson(const json& value, bool* field) {
  if (!value.is_boolean()) return absl::InvalidArgumentError("not a boolean");
  *field = value.get<bool>();
  return absl::OkStatus();
}
absl::Status FieldFromJson(const json& value, int64_t* field) {
  // Larger numbers than uint64_t holds are parsed as floating point.
  if (!value.is_number_unsigned() ||
      value.get<uint64_t>() >
          static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("not a count");
  }
  *field = value.get<int64_t>();
  return absl::OkStatus();
}
absl::Status FieldFromJson(const json& value, double* field) {
  if (!value.is_number() && !value.is_null()) {
    return absl::InvalidArgumentError("not a number");
  }
  *field = value.is_null() ? std::numeric_limits<double>::infinity()
                           : value.get<double>();
  if (!(*field >= 0)) return absl::InvalidArgumentError("negative");
  return absl::OkStatus();
}

}  // namespace

std::string ToJson(const TrainProgress& progress) {
  auto object = nlohmann::ordered_json::object();
  object["format"] = kFormat;
  VisitFields(progress, [&](const char* name, const auto& field) {
    object[name] = FieldToJson(field);
  });
  return object.dump(1) + "\n";
}

absl::StatusOr<TrainProgress> TrainProgressFromJson(absl::string_view text) {
  CHARRNN_ASSIGN_OR_RETURN(const json object,
                           ParseStrictJson(text, /*max_depth=*/1));
  const auto format = object.find("format");
  if (format == object.end() || *format != kFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat("its format is not '", kFormat, "'"));
  }
  TrainProgress progress;
  absl::Status status;
  size_t num_fields = 1;
  VisitFields(progress, [&](const char* name, auto& field) {
    ++num_fields;
    if (!status.ok()) return;
    const auto entry = object.find(name);
    status = entry == object.end() ? absl::InvalidArgumentError("missing")
                                   : FieldFromJson(*entry, &field);
    status = Annotate(status, absl::StrCat("key ", name));
  });
  CHARRNN_RETURN_IF_ERROR(status);
  if (object.size() != num_fields) {
    return absl::InvalidArgumentError(
        "it has keys that this program does not know");
  }
  if (progress.best_step > progress.step) {
    return absl::InvalidArgumentError("key best_step: after the last step");
  }
  return progress;
}

}  // namespace charrnn
