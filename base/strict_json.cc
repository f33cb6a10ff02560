#include "base/strict_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {

absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               int max_depth) {
  using nlohmann::json;
  absl::Status status;
  std::vector<std::set<std::string>> open_objects;  // the keys seen in each
  const auto check = [&](int depth, json::parse_event_t event,
                         const json& value) {
    // Once refused, the rest is read for its grammar only and not kept.
    if (!status.ok()) return false;
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        // The parser counts the containers around a value.
        if (depth >= max_depth) {
          status = absl::InvalidArgumentError(
              absl::StrCat("JSON nested more than ", max_depth, " deep"));
          return false;
        }
        if (event == json::parse_event_t::object_start) {
          open_objects.emplace_back();
        }
        break;
      case json::parse_event_t::key: {
        const auto& key = value.get_ref<const std::string&>();
        if (!open_objects.back().insert(key).second) {
          status = absl::InvalidArgumentError(
              absl::StrCat("JSON with a duplicate key: ", value.dump()));
          return false;
        }
        break;
      }
      case json::parse_event_t::object_end:
        open_objects.pop_back();
        break;
      case json::parse_event_t::array_end:
      case json::parse_event_t::value:
        break;
    }
    return true;
  };
  json value = json::parse(text.begin(), text.end(), check,
                           /*allow_exceptions=*/false);
  if (!status.ok()) return status;
  if (value.is_discarded()) {
    return absl::InvalidArgumentError("not JSON");
  }
  return value;
}

}  // namespace charrnn
