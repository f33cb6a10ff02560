#include "model/metrics/loss_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "model/metrics/display.h"

namespace charrnn {
namespace {

using Point = LossChart::Point;

// The picture in its own units, which a page scales: the plot and around it
// the room for labels.
constexpr double kWidth = 960, kHeight = 400;
constexpr double kLeft = 52, kRight = 936, kTop = 40, kBottom = 352;

// More than can be told apart at this width.
constexpr size_t kMaxPoints = 400;
// Beyond this, lines between epochs would be a hatching.
constexpr int64_t kMaxEpochLines = 24;

std::vector<Point> Finite(std::vector<Point> points) {
  points.erase(
      std::remove_if(points.begin(), points.end(),
                     [](const Point& p) { return !std::isfinite(p.loss); }),
      points.end());
  return points;
}

// Of too many points, the means of equally many each: a curve keeps its course
// and loses its noise.
std::vector<Point> Thin(const std::vector<Point>& points) {
  const size_t group = (points.size() + kMaxPoints - 1) / kMaxPoints;
  if (group <= 1) return points;
  std::vector<Point> thinned;
  for (size_t begin = 0; begin < points.size(); begin += group) {
    const size_t end = std::min(begin + group, points.size());
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += points[i].loss;
    thinned.push_back({points[end - 1].step, sum / (end - begin)});
  }
  return thinned;
}

// Where values lie in the picture.
class Scale {
 public:
  Scale(const std::vector<Point>& training,
        const std::vector<Point>& validation, int64_t total_steps)
      : last_step_(std::max<int64_t>(total_steps, 1)) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const auto* points : {&training, &validation}) {
      for (const Point& point : *points) {
        low = std::min(low, point.loss);
        high = std::max(high, point.loss);
        last_step_ = std::max(last_step_, point.step);
      }
    }
    if (low > high) low = 0, high = 1;  // nothing to show yet
    // Some air, more of it where all losses are the same.
    const double margin =
        std::max((high - low) * 0.06, 1e-3 * std::max(1.0, high));
    low_ = std::max(low - margin, 0.0);
    high_ = high + margin;
  }

  double X(double step) const {
    return kLeft + (kRight - kLeft) * step / static_cast<double>(last_step_);
  }
  double Y(double loss) const {
    return kBottom - (kBottom - kTop) * (loss - low_) / (high_ - low_);
  }
  std::vector<double> StepTicks() const {
    return RoundTicks(0, static_cast<double>(last_step_), 8);
  }
  std::vector<double> LossTicks() const { return RoundTicks(low_, high_, 6); }
  int64_t last_step() const { return last_step_; }

 private:
  int64_t last_step_;
  double low_, high_;  // nats per character
};

void AppendLine(double x1, double y1, double x2, double y2,
                absl::string_view attributes, std::string* svg) {
  absl::StrAppendFormat(svg,
                        "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' %s/>\n",
                        x1, y1, x2, y2, attributes);
}

void AppendText(double x, double y, absl::string_view anchor,
                absl::string_view text, std::string* svg) {
  absl::StrAppendFormat(svg,
                        "<text x='%.1f' y='%.1f' text-anchor='%s' "
                        "fill='var(--ink)'>%s</text>\n",
                        x, y, anchor, text);
}

void AppendAxes(const Scale& scale, int64_t steps_per_epoch, std::string* svg) {
  const std::vector<double> losses = scale.LossTicks();
  const int decimals =
      losses.size() < 2 || losses[1] - losses[0] >= 0.0999 ? 1 : 3;
  for (const double loss : losses) {
    const double y = scale.Y(loss);
    AppendLine(kLeft, y, kRight, y, "stroke='var(--grid)'", svg);
    AppendText(kLeft - 8, y + 4, "end", absl::StrFormat("%.*f", decimals, loss),
               svg);
  }
  for (const double step : scale.StepTicks()) {
    if (step != std::floor(step)) continue;  // a run of a few steps
    const double x = scale.X(step);
    AppendLine(x, kBottom, x, kBottom + 5, "stroke='var(--ink)'", svg);
    AppendText(x, kBottom + 20, "middle", WithThousands(std::llround(step)),
               svg);
  }
  AppendLine(kLeft, kBottom, kRight, kBottom, "stroke='var(--ink)'", svg);
  AppendText((kLeft + kRight) / 2, kHeight - 8, "middle", "step", svg);
  AppendText(kLeft - 8, kTop - 18, "end", "loss", svg);

  if (steps_per_epoch <= 0 ||
      scale.last_step() / steps_per_epoch > kMaxEpochLines) {
    return;
  }
  for (int64_t step = steps_per_epoch; step < scale.last_step();
       step += steps_per_epoch) {
    const double x = scale.X(static_cast<double>(step));
    AppendLine(x, kTop, x, kBottom,
               "stroke='var(--grid)' stroke-dasharray='2 4'", svg);
  }
}

void AppendCurve(const std::vector<Point>& points, const Scale& scale,
                 absl::string_view name, double radius, std::string* svg) {
  absl::StrAppendFormat(svg,
                        "<g fill='var(--%s)'>\n<polyline fill='none' "
                        "stroke='var(--%s)' stroke-width='2' "
                        "stroke-linejoin='round' points='",
                        name, name);
  for (const Point& point : points) {
    absl::StrAppendFormat(svg, "%.1f,%.1f ", scale.X(point.step),
                          scale.Y(point.loss));
  }
  absl::StrAppend(svg, "'/>\n");
  // A dot that nobody sees is still there to be pointed at.
  for (const Point& point : points) {
    absl::StrAppendFormat(
        svg,
        "<circle cx='%.1f' cy='%.1f' r='%.1f'%s><title>%s, step %s\n"
        "loss %.4f, %.3f bpc</title></circle>\n",
        scale.X(point.step), scale.Y(point.loss), radius == 0 ? 6 : radius,
        radius == 0 ? " opacity='0'" : "", name, WithThousands(point.step),
        point.loss, BitsPerChar(point.loss));
  }
  absl::StrAppend(svg, "</g>\n");
}

void AppendBest(const std::vector<Point>& validation, const Scale& scale,
                std::string* svg) {
  if (validation.empty()) return;
  const Point best = *std::min_element(
      validation.begin(), validation.end(),
      [](const Point& a, const Point& b) { return a.loss < b.loss; });
  const double x = scale.X(best.step);
  const double y = scale.Y(best.loss);
  absl::StrAppendFormat(svg,
                        "<circle cx='%.1f' cy='%.1f' r='8' fill='none' "
                        "stroke='var(--validation)' stroke-width='2'/>\n",
                        x, y);
  // Validation curves fall: above a point, and not beyond the right end, is
  // room for words.
  absl::StrAppendFormat(
      svg,
      "<text x='%.1f' y='%.1f' text-anchor='%s' class='best' "
      "fill='var(--validation)' stroke='var(--paper)' stroke-width='4' "
      "paint-order='stroke'>best %.3f</text>\n",
      x, y - 16, x > kRight - 60 ? "end" : "middle", best.loss);
}

void AppendLegend(const std::vector<absl::string_view>& names,
                  std::string* svg) {
  double x = kRight + 18 - 104 * static_cast<double>(names.size());
  for (const absl::string_view name : names) {
    absl::StrAppendFormat(svg,
                          "<rect x='%.1f' y='%.1f' width='18' height='4' "
                          "rx='2' fill='var(--%s)'/>\n",
                          x, kTop - 25, name);
    AppendText(x + 26, kTop - 18, "start", name, svg);
    x += 104;
  }
}

}  // namespace

std::vector<double> RoundTicks(double low, double high, int count) {
  const double rough = (high - low) / std::max(count, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double digit = rough / power;  // in [1, 10)
  const double spacing = power * (digit < 1.5   ? 1
                                  : digit < 3.5 ? 2
                                  : digit < 7.5 ? 5
                                                : 10);
  std::vector<double> ticks;
  // Products instead of sums, so that no error builds up. An end of its own,
  // because far from zero the next number may be the same.
  const double first = std::ceil(low / spacing);
  for (int i = 0; i <= 2 * count && (first + i) * spacing <= high; ++i) {
    ticks.push_back((first + i) * spacing + 0.0);  // turns -0 into 0
  }
  return ticks;
}

std::string LossChartSvg(const LossChart& chart) {
  const std::vector<Point> training = Finite(chart.training);
  const std::vector<Point> validation = Finite(chart.validation);
  const Scale scale(training, validation, chart.total_steps);
  std::string svg = absl::StrFormat(
      "<svg viewBox='0 0 %.0f %.0f' role='img' "
      "aria-label='training and validation loss by step'>\n",
      kWidth, kHeight);
  AppendAxes(scale, chart.steps_per_epoch, &svg);
  AppendCurve(Thin(training), scale, "training", 0, &svg);
  // Many dots would hide their curve.
  AppendCurve(Thin(validation), scale, "validation",
              validation.size() <= 40 ? 3.5 : 0, &svg);
  AppendBest(validation, scale, &svg);
  std::vector<absl::string_view> names;
  if (!training.empty()) names.emplace_back("training");
  if (!validation.empty()) names.emplace_back("validation");
  AppendLegend(names, &svg);
  absl::StrAppend(&svg, "</svg>\n");
  return svg;
}

}  // namespace charrnn
