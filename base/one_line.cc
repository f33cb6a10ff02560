#include "base/one_line.h"

#include <algorithm>
#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

std::string OneLine(absl::string_view text, size_t max_bytes) {
  std::string line(text.substr(0, max_bytes));
  std::replace_if(
      line.begin(), line.end(),
      [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, ' ');
  return line;
}

}  // namespace charrnn
