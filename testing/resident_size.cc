#include "testing/resident_size.h"

#include <cstddef>
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

ResidentSize Sum(const ResidentSize& a, const ResidentSize& b) {
  return {a.anonymous + b.anonymous, a.libtorch + b.libtorch,
          a.files + b.files};
}

}  // namespace

ResidentSize ParseSmaps(absl::string_view smaps) {
  ResidentSize all;      // mappings but the last
  ResidentSize mapping;  // the last
  absl::string_view begin;
  bool of_libtorch = false;
  int64_t resident = 0;
  int64_t anonymous = 0;
  for (const absl::string_view line : absl::StrSplit(smaps, '\n')) {
    if (TakeBytes(line, "Rss:", &resident)) continue;
    if (TakeBytes(line, "Anonymous:", &anonymous)) {
      mapping = {};
      mapping.anonymous = anonymous;
      (of_libtorch ? mapping.libtorch : mapping.files) = resident - anonymous;
      continue;
    }
    // "7f00-7f01 r-xp 0 fe:00 12  /path": the next mapping begins.
    const size_t dash = line.find('-');
    if (dash == absl::string_view::npos || line.find(' ') < dash) continue;
    // One that grows while the system writes this is there twice.
    if (line.substr(0, dash) != begin) all = Sum(all, mapping);
    mapping = {};
    begin = line.substr(0, dash);
    of_libtorch = absl::StrContains(line, "/libtorch/");
  }
  return Sum(all, mapping);
}

}  // namespace charrnn
