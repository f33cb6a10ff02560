#include "model/metrics/progress_line.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/terminal_line.h"
#include "model/metrics/display.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

// Faster than anyone reads; a step may take less than a millisecond.
constexpr absl::Duration kDrawingInterval = absl::Milliseconds(100);

// About the last twenty steps make up what is shown.
constexpr double kNewestShare = 0.05;

std::string Loss(double nats) {
  return absl::StrFormat("loss %.3f  %.3f bpc", nats, BitsPerChar(nats));
}

std::string Rate(double chars_per_s) {
  if (!std::isfinite(chars_per_s)) return "? chars/s";
  return absl::StrCat(WithThousands(std::llround(chars_per_s)), " chars/s");
}

}  // namespace

void ProgressLine::RecentMean::Add(double value) {
  sum_ += kNewestShare * (value - sum_);
  weight_ += kNewestShare * (1 - weight_);
}

double ProgressLine::RecentMean::value() const {
  return weight_ == 0 ? 0 : sum_ / weight_;
}

ProgressLine::ProgressLine(TerminalLine::Options options, Clock* clock)
    : clock_(*clock), line_(std::move(options)) {}

std::string ProgressLine::Position(int64_t epoch, int64_t step) const {
  std::string text = absl::StrCat("epoch ", epoch);
  if (plan_.steps_per_epoch > 0) {
    const int64_t epochs =
        (plan_.total_steps + plan_.steps_per_epoch - 1) / plan_.steps_per_epoch;
    absl::StrAppend(&text, "/", epochs);
  }
  absl::StrAppend(&text, "  step ", WithThousands(step), "/",
                  WithThousands(plan_.total_steps));
  return text;
}

std::string ProgressLine::TimeLeft(int64_t step) const {
  const int64_t steps = std::max<int64_t>(0, plan_.total_steps - step);
  if (steps > 0 && step_seconds_.value() == 0) return "? left";
  const double seconds = step_seconds_.value() * static_cast<double>(steps);
  return absl::StrCat(ShortDuration(absl::Seconds(seconds)), " left");
}

void ProgressLine::OnStart(const RunPlan& plan) {
  plan_ = plan;
  last_step_ = plan.start_step;
  step_began_ = clock_.Elapsed();
  next_drawing_ = step_began_;
}

void ProgressLine::OnStep(const StepReport& report) {
  const absl::Duration now = clock_.Elapsed();
  // Not every step is reported where others count them.
  const int64_t steps = std::max<int64_t>(report.step - last_step_, 1);
  last_step_ = report.step;
  // Who begins to watch later knows nothing of the first ones.
  if (steps == 1 || step_seconds_.value() > 0) {
    step_seconds_.Add(absl::ToDoubleSeconds(now - step_began_) /
                      static_cast<double>(steps));
  }
  targets_.Add(static_cast<double>(report.targets));
  loss_.Add(report.loss);
  step_began_ = now;
  if (!line_.is_terminal()) return;
  const bool last = report.step >= plan_.total_steps;
  if (now < next_drawing_ && !last) return;
  next_drawing_ = now + kDrawingInterval;

  std::string line = absl::StrCat(
      absl::StrFormat("%3d%%  ", 100 * report.step /
                                     std::max<int64_t>(plan_.total_steps, 1)),
      Position(report.epoch, report.step), "  ", Loss(loss_.value()), "  ",
      Rate(targets_.value() / step_seconds_.value()), "  ",
      TimeLeft(report.step));
  line_.Draw(std::move(line));
}

void ProgressLine::OnTrain(const TrainReport& report) {
  if (line_.is_terminal()) return;
  line_.Print(absl::StrCat(Position(report.epoch, report.step), "  ",
                           Loss(report.loss), "  ", Rate(report.chars_per_s),
                           "  ", TimeLeft(report.step), "\n"));
}

void ProgressLine::OnValidation(const ValidationReport& report) {
  const double bits = BitsPerByte(report.loss, report.chars, report.bytes);
  line_.Print(absl::StrCat(
      "epoch ", report.epoch, " validation  ", Loss(report.loss),
      std::isfinite(bits) ? absl::StrFormat("  %.3f bpb", bits) : "",
      report.best ? "  best so far" : "", "\n"));
  step_began_ = clock_.Elapsed();
}

void ProgressLine::OnSample(const SampleReport& report) {
  line_.Print(absl::StrCat(
      "sample at step ", WithThousands(report.step), ":\n  | ",
      absl::StrReplaceAll(DisplayText(report.text), {{"\n", "\n  | "}}), "\n"));
  step_began_ = clock_.Elapsed();
}

void ProgressLine::OnCheckpoint(const CheckpointReport&) {
  step_began_ = clock_.Elapsed();
}

void ProgressLine::OnEnd(const EndReport& report) {
  line_.Leave();
  // An error is the last line of the program, and needs no second one here.
  if (report.failed) return;
  line_.Print(absl::StrCat(report.reason, " at step ",
                           WithThousands(report.step), " after ",
                           ShortDuration(absl::Seconds(report.wall_s)), "\n"));
}

}  // namespace charrnn
