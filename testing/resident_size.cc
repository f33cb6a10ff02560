#include "testing/resident_size.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace charrnn {
namespace {

// The value of a line such as "Rss:      12 kB", if it is of that name.
bool TakeBytes(absl::string_view line, absl::string_view name, int64_t* bytes) {
  int64_t kilobytes = 0;
  if (!absl::ConsumePrefix(&line, name) || !absl::ConsumeSuffix(&line, "kB") ||
      !absl::SimpleAtoi(line, &kilobytes)) {
    return false;
  }
  *bytes = 1024 * kilobytes;
  return true;
}

}  // namespace

ResidentSize ParseSmaps(absl::string_view smaps) {
  ResidentSize size;
  bool of_libtorch = false;
  int64_t resident = 0;  // of the mapping
  int64_t bytes = 0;
  for (const absl::string_view line : absl::StrSplit(smaps, '\n')) {
    if (TakeBytes(line, "Rss:", &bytes)) {
      resident = bytes;
    } else if (TakeBytes(line, "Anonymous:", &bytes)) {
      size.anonymous += bytes;
      (of_libtorch ? size.libtorch : size.files) += resident - bytes;
    } else if (!line.empty() && absl::StrContains(line.substr(0, 20), "-")) {
      // "7f00-7f01 r-xp 0 fe:00 12  /path": the next mapping begins.
      of_libtorch = absl::StrContains(line, "/libtorch/");
    }
  }
  return size;
}

}  // namespace charrnn
