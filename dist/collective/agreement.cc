#include "dist/collective/agreement.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "dist/collective/collective.h"
#include "model/trainer.h"

namespace charrnn {
namespace {

// Where things lie in the control vector: two counts of those who wish it, the
// seconds that the step took each process, and the values. Each number is one
// process's alone, zero in all others, so that the sum is exact.
constexpr size_t kStop = 0;
constexpr size_t kYield = 1;
constexpr size_t kSeconds = 2;

// The others may have been busy for so many times as long as this process
// before they are taken for lost.
constexpr int kPatience = 2;

}  // namespace

absl::Status Agreement::Agree(absl::Span<double> values) {
  const auto rank = static_cast<size_t>(collective_->rank());
  const auto world_size = static_cast<size_t>(collective_->world_size());
  std::vector<double> control(kSeconds + world_size + values.size());
  const Wish local = local_wish_();
  control[kStop] = local == Wish::kStop ? 1 : 0;
  control[kYield] = local == Wish::kYield ? 1 : 0;
  const absl::Duration busy = clock_->Elapsed() - step_began_;
  control[kSeconds + rank] = absl::ToDoubleSeconds(busy);
  collective_->AllowFor(kPatience * busy);
  std::copy(values.begin(), values.end(),
            control.begin() + static_cast<int64_t>(kSeconds + world_size));
  CHARRNN_RETURN_IF_ERROR(collective_->Sum(absl::MakeSpan(control)));
  const auto seconds = control.begin() + kSeconds;
  const auto slowest =
      std::max_element(seconds, seconds + static_cast<int64_t>(world_size));
  slowest_rank_ = static_cast<int>(slowest - seconds);
  slowest_step_ = absl::Seconds(*slowest);
  wish_ = control[kStop] > 0    ? Wish::kStop
          : control[kYield] > 0 ? Wish::kYield
                                : Wish::kNone;
  std::copy(control.end() - static_cast<int64_t>(values.size()), control.end(),
            values.begin());
  return absl::OkStatus();
}

}  // namespace charrnn
