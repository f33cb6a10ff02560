#include "model/metrics/loss_chart.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;

int Count(absl::string_view text, absl::string_view part) {
  int count = 0;
  for (size_t i = text.find(part); i != absl::string_view::npos;
       i = text.find(part, i + 1)) {
    ++count;
  }
  return count;
}

LossChart SomeChart() {
  LossChart chart;
  chart.training = {{100, 2.5}, {200, 2}, {300, 1.75}};
  chart.validation = {{150, 2.125}, {300, 1.875}};
  chart.total_steps = 300;
  chart.steps_per_epoch = 150;
  return chart;
}

TEST(RoundTicksTest, AreRoundAndInside) {
  EXPECT_THAT(RoundTicks(0, 320, 8),
              ElementsAre(0, 50, 100, 150, 200, 250, 300));
  EXPECT_THAT(RoundTicks(1.55, 4.3, 6), ElementsAre(2, 2.5, 3, 3.5, 4));
  EXPECT_THAT(RoundTicks(0, 1, 5),
              Pointwise(DoubleNear(1e-12),
                        std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1}));
  EXPECT_THAT(RoundTicks(-3, 3, 3), ElementsAre(-2, 0, 2));
}

TEST(RoundTicksTest, AreNeverManyMoreThanAskedFor) {
  for (double high = 1e-3; high < 1e9; high *= 1.37) {
    const size_t count = RoundTicks(0, high, 6).size();
    EXPECT_GE(count, 3) << high;
    EXPECT_LE(count, 10) << high;
  }
}

TEST(LossChartTest, DrawsBothCurvesInsideThePlot) {
  const std::string svg = LossChartSvg(SomeChart());
  // A third of the way along the step axis (52 to 936), and its end.
  EXPECT_THAT(svg, HasSubstr("points='346.7,"));
  EXPECT_THAT(svg, HasSubstr(" 936.0,"));
  EXPECT_EQ(Count(svg, "<polyline"), 2);
  EXPECT_THAT(svg, HasSubstr("stroke='var(--training)'"));
  EXPECT_THAT(svg, HasSubstr("stroke='var(--validation)'"));
  EXPECT_THAT(svg, HasSubstr("<title>training, step 100\nloss 2.5000, "
                             "3.607 bpc</title>"));
}

TEST(LossChartTest, LabelsAxesAndLegend) {
  const std::string svg = LossChartSvg(SomeChart());
  for (const char* label : {">step<", ">loss<", ">training<", ">validation<",
                            ">250<", ">2.0<", ">2.4<"}) {
    EXPECT_THAT(svg, HasSubstr(label));
  }
}

TEST(LossChartTest, TheLegendNamesOnlyWhatIsShown) {
  LossChart chart = SomeChart();
  chart.validation.clear();
  const std::string svg = LossChartSvg(chart);
  EXPECT_THAT(svg, HasSubstr(">training<"));
  EXPECT_THAT(svg, Not(HasSubstr(">validation<")));
}

TEST(LossChartTest, LossesFarFromZeroAreDrawnToo) {
  LossChart chart = SomeChart();
  chart.training = {{1, 5e12}, {100, 5e12 + 1e-3}};
  chart.validation = {{50, 1e300}};
  EXPECT_EQ(Count(LossChartSvg(chart), "<polyline"), 2);
  chart.validation.clear();
  EXPECT_EQ(Count(LossChartSvg(chart), "<polyline"), 2);
  EXPECT_LT(RoundTicks(1e17, 1e17 + 64, 6).size(), 20);
}

TEST(LossChartTest, TheLossAxisBeginsAtZeroAtTheLowest) {
  LossChart chart = SomeChart();
  chart.training = {{1, 0.001}, {100, 4.0}};
  EXPECT_THAT(LossChartSvg(chart),
              AllOf(HasSubstr(">0.0<"), Not(HasSubstr(">-"))));
}

TEST(LossChartTest, MarksTheLowestValidationLoss) {
  LossChart chart = SomeChart();
  chart.validation = {{100, 2.125}, {200, 1.5}, {300, 1.625}};
  EXPECT_THAT(LossChartSvg(chart), HasSubstr(">best 1.500<"));
  chart.validation.clear();
  EXPECT_THAT(LossChartSvg(chart), Not(HasSubstr("best")));
}

TEST(LossChartTest, MarksEpochsWhileTheyAreFew) {
  LossChart chart = SomeChart();
  EXPECT_EQ(Count(LossChartSvg(chart), "stroke-dasharray"), 1);
  chart.steps_per_epoch = 30;
  EXPECT_EQ(Count(LossChartSvg(chart), "stroke-dasharray"), 9);
  chart.steps_per_epoch = 1;
  EXPECT_EQ(Count(LossChartSvg(chart), "stroke-dasharray"), 0);
  chart.steps_per_epoch = 0;
  EXPECT_EQ(Count(LossChartSvg(chart), "stroke-dasharray"), 0);
}

TEST(LossChartTest, LeavesOutWhatIsNotFinite) {
  LossChart chart = SomeChart();
  chart.training.push_back({310, std::numeric_limits<double>::quiet_NaN()});
  chart.validation.push_back({310, std::numeric_limits<double>::infinity()});
  const std::string svg = LossChartSvg(chart);
  EXPECT_EQ(svg, LossChartSvg(SomeChart()));
}

TEST(LossChartTest, DrawsAnEmptyPlotBeforeAnythingIsKnown) {
  for (const std::string& svg :
       {LossChartSvg(LossChart()), LossChartSvg({{{1, 2}}, {}, 0, 0})}) {
    EXPECT_THAT(svg, HasSubstr(">step<"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(LossChartTest, ThinsLongCurvesAndKeepsTheirMean) {
  LossChart chart;
  for (int64_t step = 1; step <= 100'000; ++step) {
    chart.training.push_back({step, step % 2 == 0 ? 1.0 : 3.0});
    chart.validation.push_back({step, step == 777 ? 0.5 : 2.0});
  }
  const std::string svg = LossChartSvg(chart);
  EXPECT_LT(svg.size(), 120'000);
  EXPECT_THAT(svg, HasSubstr("<title>training, step 250\nloss 2.0000"));
  // The lowest is not thinned away.
  EXPECT_THAT(svg, HasSubstr(">best 0.500<"));
}

}  // namespace
}  // namespace charrnn
