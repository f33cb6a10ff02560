#ifndef CHARRNN_DIST_COORDINATOR_COUNTS_H_
#define CHARRNN_DIST_COORDINATOR_COUNTS_H_

#include <cstdint>
#include <initializer_list>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace charrnn {

// The greatest number of a generation, an incarnation or a step that is
// believed: far more than any job reaches, and far from where counting on
// overflows.
inline constexpr int64_t kMostCount = int64_t{1} << 53;

// InvalidArgument if one of them is no such number.
inline absl::Status CheckCounts(std::initializer_list<int64_t> counts) {
  for (const int64_t count : counts) {
    if (count < 0 || count > kMostCount) {
      return absl::InvalidArgumentError(
          absl::StrCat("generations, incarnations and steps are numbers up to ",
                       kMostCount, ", and not ", count));
    }
  }
  return absl::OkStatus();
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_COUNTS_H_
