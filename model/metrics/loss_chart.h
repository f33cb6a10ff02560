#ifndef CHARRNN_MODEL_METRICS_LOSS_CHART_H_
#define CHARRNN_MODEL_METRICS_LOSS_CHART_H_

#include <cstdint>
#include <string>
#include <vector>

namespace charrnn {

// What a loss chart shows.
struct LossChart {
  struct Point {
    int64_t step;
    double loss;  // nats per character; not drawn unless finite
  };
  std::vector<Point> training;    // by rising step
  std::vector<Point> validation;  // by rising step
  int64_t total_steps = 0;        // the right end of the step axis, at least
  int64_t steps_per_epoch = 0;    // marked while epochs are few; 0: unknown
};

// Draws the curves as an SVG element with axes, a legend and the lowest
// validation loss marked; pointing at a point tells its numbers. Long curves
// are thinned to a few hundred points. Colours are left to the page, as CSS
// variables: --training, --validation, --grid, --ink and --paper.
std::string LossChartSvg(const LossChart& chart);

// Round values (1, 2 or 5 times a power of ten apart), about `count` of them,
// inside [low, high]; low < high. For axes.
std::vector<double> RoundTicks(double low, double high, int count);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_LOSS_CHART_H_
