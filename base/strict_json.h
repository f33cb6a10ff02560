#ifndef CHARRNN_BASE_STRICT_JSON_H_
#define CHARRNN_BASE_STRICT_JSON_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// Parses one JSON value from a source that is not trusted. Beyond the grammar
// (RFC 8259, UTF-8 only, nothing behind the value), InvalidArgument if an
// object holds a key twice, which the parser alone would settle in silence in
// favour of the last, or if values are nested more than `max_depth` deep; a
// scalar has depth 0.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               int max_depth);

}  // namespace charrnn

#endif  // CHARRNN_BASE_STRICT_JSON_H_
