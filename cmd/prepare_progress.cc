#include "cmd/prepare_progress.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/terminal_line.h"
#include "data/prepare.h"
#include "model/metrics/display.h"

namespace charrnn {
namespace {

// Faster than anyone reads.
constexpr absl::Duration kDrawingInterval = absl::Milliseconds(100);
// Few enough for a log that is read afterwards, where what is done in a moment
// needs no line.
constexpr absl::Duration kFirstLine = absl::Seconds(1);
constexpr absl::Duration kLineInterval = absl::Seconds(10);

std::string Megabytes(double bytes) {
  return WithThousands(std::llround(bytes / 1e6));
}

}  // namespace

PrepareProgress::PrepareProgress(TerminalLine::Options options, Clock* clock)
    : clock_(*clock),
      start_(clock->Elapsed()),
      next_(start_ + (options.is_terminal ? absl::ZeroDuration() : kFirstLine)),
      line_(std::move(options)) {}

void PrepareProgress::Show(const PrepareOptions::Progress& progress) {
  const absl::Duration now = clock_.Elapsed();
  if (now < next_) return;
  next_ = now + (line_.is_terminal() ? kDrawingInterval : kLineInterval);

  // A text that grows is more than was expected.
  const auto of_pass =
      static_cast<double>(std::min(progress.bytes, progress.total_bytes));
  const auto total = static_cast<double>(progress.total_bytes);
  const double read = total * (progress.pass - 1) + of_pass;
  const double share = read / (total * progress.num_passes);
  const double seconds = absl::ToDoubleSeconds(now - start_);
  std::string line = absl::StrFormat("%3d%%  ", std::llround(100 * share));
  if (progress.num_passes > 1) {
    absl::StrAppend(&line, "pass ", progress.pass, " of ", progress.num_passes,
                    "  ");
  }
  absl::StrAppend(&line, Megabytes(of_pass), " of ", Megabytes(total), " MB");
  if (seconds > 0) {
    absl::StrAppend(&line, "  ", Megabytes(read / seconds), " MB/s  ",
                    ShortDuration(absl::Seconds(seconds * (1 - share) / share)),
                    " left");
  }
  if (line_.is_terminal()) {
    line_.Draw(std::move(line));
  } else {
    line_.Print(absl::StrCat(line, "\n"));
  }
}

}  // namespace charrnn
