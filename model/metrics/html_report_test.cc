#include "model/metrics/html_report.h"

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/fault_injecting_files.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_observer.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TrainReport Train(int64_t step, double loss) {
  TrainReport report;
  report.step = step;
  report.loss = loss;
  report.chars_per_s = 1215331.4;
  return report;
}

ValidationReport Validation(int64_t step, int64_t epoch, double loss) {
  ValidationReport report;
  report.step = step;
  report.epoch = epoch;
  report.loss = loss;
  report.chars = 55680;
  report.bytes = 111360;
  return report;
}

ReportContent SomeContent() {
  ReportContent content;
  content.title = "A run";
  content.settings = {{"hidden_dim", "256"}, {"data_path", "my.txt"}};
  content.plan = {0, 320, 64};
  content.training = {Train(100, 2.1), Train(200, 1.8)};
  content.validation = {Validation(64, 1, 2.2), Validation(128, 2, 1.6553),
                        Validation(192, 3, 1.7)};
  content.samples = {{100, 2.1, "ROMEO:\nWhe"}};
  return content;
}

TEST(RenderHtmlReportTest, TellsResultsSamplesAndSettings) {
  const std::string html = RenderHtmlReport(SomeContent());
  EXPECT_THAT(html, AllOf(HasSubstr("<title>A run</title>"),
                          HasSubstr("when last written: step 200 of 320"),
                          HasSubstr("<b>1.6553</b><small>2.388 bits per "
                                    "character</small>"),
                          HasSubstr("<b>1,215,331</b>"),
                          HasSubstr("<tr class='lowest'><td>2</td>"),
                          HasSubstr("<td>2.388</td><td>1.194</td>"),
                          HasSubstr("<b>step 100</b><small>loss 2.100"),
                          HasSubstr("<pre>\nROMEO:\nWhe</pre>"),
                          HasSubstr("<dt>hidden_dim</dt><dd>256</dd>"),
                          HasSubstr("<svg")));
}

TEST(RenderHtmlReportTest, TellsHowTheRunEnded) {
  ReportContent content = SomeContent();
  content.end = EndReport{320, 102, "finished"};
  EXPECT_THAT(RenderHtmlReport(content),
              HasSubstr("finished at step 320 after 1m 42s"));
}

TEST(RenderHtmlReportTest, ClaimsNoBitsPerByteWhereNobodyCountedBytes) {
  ReportContent content = SomeContent();
  for (ValidationReport& report : content.validation) report.bytes = 0;
  EXPECT_THAT(RenderHtmlReport(content), HasSubstr("<td>2.388</td><td>?</td>"));
}

TEST(RenderHtmlReportTest, NeedsNoOtherFile) {
  const std::string html = RenderHtmlReport(SomeContent());
  for (const char* reference : {"http", "src=", "href", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(reference)));
  }
}

TEST(RenderHtmlReportTest, ShowsTextsInsteadOfObeyingThem) {
  constexpr char kHostile[] = "</pre><script>alert(\"1\" & '2')</script>\xff";
  constexpr char kShown[] =
      u8"&lt;/pre&gt;&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)"
      u8"&lt;/script&gt;\ufffd";
  ReportContent content = SomeContent();
  content.title = kHostile;
  content.settings = {{kHostile, kHostile}};
  content.samples = {{1, 1, kHostile}};
  content.end = EndReport{1, 1, kHostile};
  const std::string html = RenderHtmlReport(content);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  for (const char* place :
       {"<title>", "<h1>", "<dt>", "<dd>", "<pre>\n", "<p class='state'>"}) {
    EXPECT_THAT(html, HasSubstr(absl::StrCat(place, kShown)));
  }
}

TEST(RenderHtmlReportTest, ShowsTheFirstAndTheLastOfManySamples) {
  ReportContent content = SomeContent();
  content.samples.clear();
  for (int64_t step = 1; step <= 1000; ++step) {
    content.samples.push_back({step, 1, "x"});
  }
  const std::string html = RenderHtmlReport(content);
  EXPECT_THAT(html, HasSubstr("<b>step 1</b>"));
  EXPECT_THAT(html, HasSubstr("<b>step 1,000</b>"));
  EXPECT_LT(html.find("<b>step 1,000</b>"), html.find("<b>step 1</b>"));
  EXPECT_LT(html.size(), 20'000);
}

TEST(RenderHtmlReportTest, SurvivesARunOfWhichNothingIsKnown) {
  EXPECT_THAT(RenderHtmlReport(ReportContent()), HasSubstr("step 0 of 0"));
  ReportContent content;
  content.validation = {
      Validation(1, 1, std::numeric_limits<double>::quiet_NaN())};
  EXPECT_THAT(RenderHtmlReport(content), Not(HasSubstr("Best")));
}

class HtmlReportTest : public ::testing::Test {
 protected:
  FaultInjectingFileSystem files_{FileSystem::Real()};
  const TempDirectory directory_;
  const std::string path_ = directory_.File("report.html");
  HtmlReport report_{&files_, path_, "A run", {{"seed", "42"}}};
};

TEST_F(HtmlReportTest, IsWrittenAfterEachValidationAndAtTheEnd) {
  report_.OnStart({0, 320, 64});
  report_.OnTrain(Train(50, 2.5));
  report_.OnSample({50, 2.5, "Whe"});
  EXPECT_FALSE(files_.Exists(path_));
  report_.OnValidation(Validation(64, 1, 2.25));
  EXPECT_THAT(files_.ReadFile(path_),
              IsOkAndHolds(AllOf(HasSubstr("when last written: step 64 of 320"),
                                 HasSubstr("2.2500"), HasSubstr("Whe"))));
  report_.OnEnd({64, 1, "stopped"});
  EXPECT_THAT(files_.ReadFile(path_),
              IsOkAndHolds(HasSubstr("stopped at step 64")));
  EXPECT_THAT(report_.status(), IsOk());
}

TEST_F(HtmlReportTest, RemembersWhatItIsToldBeforeTheStart) {
  report_.OnTrain(Train(50, 2.5));
  report_.OnValidation(Validation(64, 1, 2.25));
  EXPECT_FALSE(files_.Exists(path_));
  report_.OnStart({64, 320, 64});
  report_.OnValidation(Validation(128, 2, 2.125));
  EXPECT_THAT(files_.ReadFile(path_),
              IsOkAndHolds(AllOf(HasSubstr("2.2500"), HasSubstr("2.1250"),
                                 HasSubstr("training, step 50"))));
}

TEST_F(HtmlReportTest, KeepsTheOldPageIfTheNewOneCannotBeWritten) {
  report_.OnStart({0, 320, 64});
  report_.OnValidation(Validation(64, 1, 2.25));
  const std::string page = files_.ReadFile(path_).value();
  Fault fault;
  fault.operation = 1;
  files_.Inject(fault);
  report_.OnValidation(Validation(128, 2, 2.125));
  EXPECT_THAT(report_.status(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(files_.ReadFile(path_), IsOkAndHolds(page));
  report_.OnValidation(Validation(192, 3, 2));
  EXPECT_THAT(report_.status(), IsOk());
}

}  // namespace
}  // namespace charrnn
