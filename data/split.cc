#include "data/split.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

absl::Status CheckFraction(absl::string_view flag, double fraction) {
  if (fraction >= 0 && fraction < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "--%s=%g: must be at least 0 and below 1", flag, fraction));
}

int64_t Share(int64_t n, double fraction) {
  return static_cast<int64_t>(static_cast<double>(n) * fraction);
}

}  // namespace

absl::Status CheckSplitFractions(const SplitFractions& fractions) {
  CHARRNN_RETURN_IF_ERROR(CheckFraction("val_fraction", fractions.validation));
  CHARRNN_RETURN_IF_ERROR(CheckFraction("test_fraction", fractions.test));
  if (fractions.validation + fractions.test < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "--val_fraction=%g and --test_fraction=%g: must be below 1 together, or "
      "nothing is left to train on",
      fractions.validation, fractions.test));
}

absl::StatusOr<Split> SplitCorpus(int64_t n, const SplitFractions& fractions) {
  CHARRNN_RETURN_IF_ERROR(CheckSplitFractions(fractions));
  Split split;
  split.validation_size = std::max<int64_t>(1, Share(n, fractions.validation));
  split.test_size = Share(n, fractions.test);
  split.train_size = n - split.validation_size - split.test_size;
  if (split.train_size < 2) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "a text of %d characters leaves %d to train on beside --val_fraction="
        "%g%s, fewer than 2: use a longer text or a smaller fraction",
        n, std::max<int64_t>(0, split.train_size), fractions.validation,
        fractions.test > 0
            ? absl::StrFormat(" and --test_fraction=%g", fractions.test)
            : ""));
  }
  return split;
}

}  // namespace charrnn
