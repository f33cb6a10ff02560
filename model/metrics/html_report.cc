#include "model/metrics/html_report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "model/metrics/display.h"
#include "model/metrics/loss_chart.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

constexpr absl::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --page: #f5f6f8; --text: #1c2330; --ink: #667085;
  --grid: #e3e6ec; --training: #8aa4c8; --validation: #d9480f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #181c24; --page: #0f1218; --text: #e6e9ef; --ink: #97a1b3;
    --grid: #2a303c; --training: #5f7fb0; --validation: #ff8a4c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1040px; padding: 40px 24px 64px;
  background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
}
h1 { margin: 0; font-size: 28px; letter-spacing: -0.02em; }
h2 { margin: 40px 0 12px; font-size: 17px; }
.state { margin: 4px 0 24px; color: var(--ink); }
.card {
  background: var(--paper); border: 1px solid var(--grid);
  border-radius: 12px; padding: 16px 20px;
}
.figures {
  display: grid; gap: 12px; margin-bottom: 12px;
  grid-template-columns: repeat(auto-fit, minmax(170px, 1fr));
}
.figures b { display: block; font-size: 26px; letter-spacing: -0.02em; }
.figures span, .figures small { color: var(--ink); font-size: 13px; }
svg { display: block; width: 100%; min-width: 600px; font-size: 13px; }
svg .best { font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 6px 12px 6px 0; text-align: right; }
th { color: var(--ink); font-weight: 500; font-size: 13px; }
th:first-child, td:first-child { text-align: left; }
th:last-child, td:last-child { padding-right: 0; }
tr + tr td { border-top: 1px solid var(--grid); }
tr.lowest td { color: var(--validation); font-weight: 600; }
dl {
  display: grid; gap: 0 40px; margin: 0;
  grid-template-columns: repeat(auto-fill, minmax(280px, 1fr));
}
dl div {
  display: flex; justify-content: space-between; gap: 16px;
  padding: 5px 0; border-bottom: 1px solid var(--grid);
}
dt { color: var(--ink); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
.sample { display: grid; grid-template-columns: 130px 1fr; gap: 16px; }
.sample + .sample { margin-top: 12px; }
.sample small { display: block; color: var(--ink); }
pre {
  margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 13.5px/1.55 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
}
@media (max-width: 560px) { .sample { grid-template-columns: 1fr; } }
)css";

// Enough to see a model learn; samples.txt has them all.
constexpr size_t kMaxSamples = 12;

std::string Escape(absl::string_view text) {
  return absl::StrReplaceAll(DisplayText(text), {{"&", "&amp;"},
                                                 {"<", "&lt;"},
                                                 {">", "&gt;"},
                                                 {"\"", "&quot;"},
                                                 {"'", "&#39;"}});
}

std::string Bits(double nats) {
  return absl::StrFormat("%.3f bits per character", BitsPerChar(nats));
}

// The validation with the lowest loss; null if there is none.
const ValidationReport* Best(const ReportContent& content) {
  const ValidationReport* best = nullptr;
  for (const ValidationReport& report : content.validation) {
    if (std::isfinite(report.loss) &&
        (best == nullptr || report.loss < best->loss)) {
      best = &report;
    }
  }
  return best;
}

int64_t LastStep(const ReportContent& content) {
  int64_t step = content.plan.start_step;
  if (!content.training.empty()) {
    step = std::max(step, content.training.back().step);
  }
  if (!content.validation.empty()) {
    step = std::max(step, content.validation.back().step);
  }
  return step;
}

std::string State(const ReportContent& content) {
  if (content.end.has_value()) {
    return absl::StrCat(Escape(content.end->reason), " at step ",
                        WithThousands(content.end->step), " after ",
                        ShortDuration(absl::Seconds(content.end->wall_s)));
  }
  // Nobody is left to say so once a run has been killed.
  return absl::StrCat("when last written: step ",
                      WithThousands(LastStep(content)), " of ",
                      WithThousands(content.plan.total_steps));
}

void AppendFigure(absl::string_view name, absl::string_view value,
                  absl::string_view note, std::string* html) {
  absl::StrAppend(html, "<div class='card'><span>", name, "</span><b>", value,
                  "</b><small>", note, "</small></div>\n");
}

void AppendFigures(const ReportContent& content, std::string* html) {
  absl::StrAppend(html, "<div class='figures'>\n");
  if (const ValidationReport* best = Best(content)) {
    AppendFigure("Best validation loss", absl::StrFormat("%.4f", best->loss),
                 Bits(best->loss), html);
    AppendFigure("Perplexity", absl::StrFormat("%.2f", std::exp(best->loss)),
                 absl::StrCat("at step ", WithThousands(best->step)), html);
  }
  if (!content.training.empty()) {
    const TrainReport& last = content.training.back();
    AppendFigure("Training loss", absl::StrFormat("%.4f", last.loss),
                 Bits(last.loss), html);
    AppendFigure("Speed",
                 std::isfinite(last.chars_per_s)
                     ? WithThousands(std::llround(last.chars_per_s))
                     : "?",
                 "characters a second", html);
  }
  absl::StrAppend(html, "</div>\n");
}

void AppendChart(const ReportContent& content, std::string* html) {
  LossChart chart;
  for (const TrainReport& report : content.training) {
    chart.training.push_back({report.step, report.loss});
  }
  for (const ValidationReport& report : content.validation) {
    chart.validation.push_back({report.step, report.loss});
  }
  // A run that has ended early needs no room for what it did not do.
  chart.total_steps =
      content.end.has_value() ? content.end->step : content.plan.total_steps;
  chart.steps_per_epoch = content.plan.steps_per_epoch;
  absl::StrAppend(html, "<div class='card scroll'>\n", LossChartSvg(chart),
                  "</div>\n");
}

void AppendResults(const ReportContent& content, std::string* html) {
  if (content.validation.empty()) return;
  const ValidationReport* best = Best(content);
  absl::StrAppend(html,
                  "<h2>Validation</h2>\n<div class='card scroll'><table>\n"
                  "<tr><th>Epoch</th><th>Step</th><th>Loss</th>"
                  "<th>Bits per character</th><th>Bits per byte</th>"
                  "<th>Perplexity</th>"
                  "<th>Characters</th></tr>\n");
  for (const ValidationReport& report : content.validation) {
    const double bits = BitsPerByte(report.loss, report.chars, report.bytes);
    absl::StrAppendFormat(
        html,
        "<tr%s><td>%d</td><td>%s</td><td>%.4f</td><td>%.3f</td>"
        "<td>%s</td><td>%.2f</td><td>%s</td></tr>\n",
        &report == best ? " class='lowest'" : "", report.epoch,
        WithThousands(report.step), report.loss, BitsPerChar(report.loss),
        std::isfinite(bits) ? absl::StrFormat("%.3f", bits) : "?",
        std::exp(report.loss), WithThousands(report.chars));
  }
  absl::StrAppend(html, "</table></div>\n");
}

// The newest first, then evenly spaced ones down to the very first.
void AppendSamples(const ReportContent& content, std::string* html) {
  const size_t total = content.samples.size();
  if (total == 0) return;
  absl::StrAppend(html, "<h2>Samples</h2>\n");
  const size_t shown = std::min(total, kMaxSamples);
  for (size_t i = shown; i-- > 0;) {
    const size_t index = shown == 1 ? 0 : i * (total - 1) / (shown - 1);
    const SampleReport& sample = content.samples[index];
    absl::StrAppendFormat(
        html,
        "<div class='card sample'><div><b>step %s</b><small>loss %.3f</small>"
        "</div><pre>\n%s</pre></div>\n",
        WithThousands(sample.step), sample.loss, Escape(sample.text));
  }
}

void AppendSettings(const ReportContent& content, std::string* html) {
  absl::StrAppend(html, "<h2>Settings</h2>\n<div class='card'><dl>\n");
  for (const auto& [name, value] : content.settings) {
    absl::StrAppend(html, "<div><dt>", Escape(name), "</dt><dd>", Escape(value),
                    "</dd></div>\n");
  }
  absl::StrAppend(html, "</dl></div>\n");
}

}  // namespace

std::string RenderHtmlReport(const ReportContent& content) {
  const std::string title = Escape(content.title);
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width'>\n<title>",
      title, "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<h1>",
      title, "</h1>\n<p class='state'>", State(content), "</p>\n");
  AppendFigures(content, &html);
  AppendChart(content, &html);
  AppendResults(content, &html);
  AppendSamples(content, &html);
  AppendSettings(content, &html);
  absl::StrAppend(&html, "</body>\n</html>\n");
  return html;
}

HtmlReport::HtmlReport(
    FileSystem* files, std::string path, std::string title,
    std::vector<std::pair<std::string, std::string>> settings)
    : files_(files), path_(std::move(path)) {
  content_.title = std::move(title);
  content_.settings = std::move(settings);
}

void HtmlReport::OnStart(const RunPlan& plan) {
  content_.plan = plan;
  started_ = true;
}

void HtmlReport::OnTrain(const TrainReport& report) {
  content_.training.push_back(report);
}

void HtmlReport::OnValidation(const ValidationReport& report) {
  content_.validation.push_back(report);
  if (started_) Write();
}

void HtmlReport::OnSample(const SampleReport& report) {
  content_.samples.push_back(report);
}

void HtmlReport::OnEnd(const EndReport& report) {
  content_.end = report;
  Write();
}

void HtmlReport::Write() {
  status_ = WriteFileAtomically(*files_, path_, RenderHtmlReport(content_));
}

}  // namespace charrnn
