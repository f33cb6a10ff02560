#ifndef CHARRNN_BASE_ONE_LINE_H_
#define CHARRNN_BASE_ONE_LINE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// The beginning of `text`, which comes from elsewhere, as part of a line for a
// person: control characters, which could begin a line of their own or move a
// terminal's cursor, are blanks, and of more than `max_bytes` the rest is cut
// off.
std::string OneLine(absl::string_view text, size_t max_bytes = 1000);

}  // namespace charrnn

#endif  // CHARRNN_BASE_ONE_LINE_H_
