#include "model/metrics/progress_line.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/terminal_line.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_observer.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr char kClear[] = "\r\x1b[K";

class ProgressLineTest : public ::testing::Test {
 protected:
  std::unique_ptr<ProgressLine> Make(bool is_terminal) {
    TerminalLine::Options options;
    options.write = [this](absl::string_view text) {
      output_.append(text.data(), text.size());
    };
    options.is_terminal = is_terminal;
    options.width = [this] { return width_; };
    auto line = std::make_unique<ProgressLine>(std::move(options), &clock_);
    RunPlan plan;
    plan.total_steps = 1280;
    plan.steps_per_epoch = 256;
    line->OnStart(plan);
    return line;
  }

  // The next report, after steps that took `duration` each.
  void Step(ProgressLine* line, int64_t step, double loss = 2,
            absl::Duration duration = absl::Seconds(1)) {
    clock_.Advance(static_cast<double>(step - last_step_) * duration);
    last_step_ = step;
    StepReport report;
    report.step = step;
    report.epoch = 1 + (step - 1) / 256;
    report.loss = loss;
    report.targets = 16384;
    line->OnStep(report);
  }

  // What has been written since the last call.
  std::string Output() { return std::exchange(output_, ""); }

  FakeClock clock_;
  int64_t last_step_ = 0;
  int width_ = 120;
  std::string output_;
};

TEST_F(ProgressLineTest, TellsOnATerminalWhereTrainingIs) {
  const auto line = Make(/*is_terminal=*/true);
  Step(line.get(), 639);
  Output();
  Step(line.get(), 640);
  EXPECT_EQ(Output(),
            "\r\x1b[K 50%  epoch 3/5  step 640/1,280  loss 2.000  2.885 bpc  "
            "16,384 chars/s  10m 40s left");
}

TEST_F(ProgressLineTest, RewritesTheLineInPlace) {
  const auto line = Make(true);
  Step(line.get(), 1);
  Step(line.get(), 2);
  EXPECT_THAT(Output(), MatchesRegex("\r\x1b.K[^\n]*\r\x1b.K[^\n]*"));
}

TEST_F(ProgressLineTest, DrawsTenTimesASecondAndAtTheLastStep) {
  const auto line = Make(true);
  int drawings = 0;
  for (int64_t step = 1; step < 1000; ++step) {
    Step(line.get(), step, 2, absl::Milliseconds(1));
    drawings += Output().empty() ? 0 : 1;
  }
  EXPECT_EQ(drawings, 10);
  Step(line.get(), 1280, 2, absl::Milliseconds(1));
  EXPECT_THAT(Output(), HasSubstr("100%"));
}

TEST_F(ProgressLineTest, CutsTheLineToTheTerminalsWidth) {
  const auto line = Make(true);
  width_ = 20;
  Step(line.get(), 640);
  EXPECT_EQ(Output(), "\r\x1b[K 50%  epoch 3/5  st");
  width_ = 0;  // unknown: as good as endless
  Step(line.get(), 641);
  EXPECT_THAT(Output(), HasSubstr("left"));
}

TEST_F(ProgressLineTest, SmoothsTheLoss) {
  const auto line = Make(true);
  Step(line.get(), 1, 4);
  Output();
  Step(line.get(), 2, 2);
  // Weights 0.95 and 1, out of their sum.
  EXPECT_THAT(Output(), HasSubstr("loss 2.974"));
}

TEST_F(ProgressLineTest, DoesNotCountValidationAsTraining) {
  const auto line = Make(true);
  Step(line.get(), 1);
  clock_.Advance(absl::Hours(1));
  line->OnValidation({});
  clock_.Advance(absl::Hours(1));
  line->OnSample({});
  clock_.Advance(absl::Hours(1));
  line->OnCheckpoint({});
  Output();
  Step(line.get(), 2);
  EXPECT_THAT(Output(), HasSubstr("16,384 chars/s  21m 18s left"));
}

TEST_F(ProgressLineTest, DoesNotKnowHowLongStepsTookBeforeItWatched) {
  const auto line = Make(true);
  Step(line.get(), 640, 2, absl::Milliseconds(1));
  EXPECT_THAT(Output(), HasSubstr("? chars/s  ? left"));
  Step(line.get(), 641);
  EXPECT_THAT(Output(), HasSubstr("10m 39s left"));
}

TEST_F(ProgressLineTest, KnowsThatTheEndIsThere) {
  const auto line = Make(true);
  Step(line.get(), 1280, 4, absl::Milliseconds(1));
  EXPECT_THAT(Output(), HasSubstr("? chars/s  0.0s left"));
}

TEST_F(ProgressLineTest, CountsStepsThatAreNotReported) {
  const auto line = Make(true);
  Step(line.get(), 1);
  Output();
  Step(line.get(), 5);
  EXPECT_THAT(Output(), HasSubstr("16,384 chars/s  21m 15s left"));
}

TEST_F(ProgressLineTest, LetsLogLinesScrollByAboveTheLine) {
  const auto line = Make(true);
  CHARRNN_LOG(INFO) << "before";
  EXPECT_EQ(Output(), "before\n");
  Step(line.get(), 640);
  const std::string drawn = Output();
  CHARRNN_LOG(WARNING) << "disk is slow";
  EXPECT_EQ(Output(), kClear + std::string("warning: disk is slow\n") +
                          drawn.substr(drawn.find(" 50%")));
}

TEST_F(ProgressLineTest, LetsResultsScrollByAboveTheLine) {
  const auto line = Make(true);
  Step(line.get(), 640);
  const std::string drawn = Output();
  ValidationReport report;
  report.epoch = 2;
  report.loss = 1.5;
  report.chars = 100;
  report.bytes = 200;
  report.best = true;
  line->OnValidation(report);
  EXPECT_EQ(Output(),
            kClear +
                std::string("epoch 2 validation  loss 1.500  2.164 bpc  "
                            "1.082 bpb  best so far\n") +
                drawn.substr(drawn.find(" 50%")));
}

TEST_F(ProgressLineTest, ClaimsNoBitsPerByteWhereNobodyCountedBytes) {
  const auto line = Make(false);
  ValidationReport report;
  report.epoch = 2;
  report.loss = 1.5;
  report.chars = 100;
  line->OnValidation(report);
  EXPECT_EQ(Output(), "epoch 2 validation  loss 1.500  2.164 bpc\n");
}

TEST_F(ProgressLineTest, ShowsSamplesWithoutObeyingThem) {
  const auto line = Make(false);
  line->OnSample({1000, 1.5, "ROMEO:\n\x1b[2JWhe"});
  EXPECT_EQ(Output(),
            u8"sample at step 1,000:\n  | ROMEO:\n  | \ufffd[2JWhe\n");
}

TEST_F(ProgressLineTest, LeavesTheLastLineStandingAtTheEnd) {
  auto line = Make(true);
  Step(line.get(), 1280);
  Output();
  line->OnEnd({1280, 100, "finished"});
  EXPECT_EQ(Output(), "\nfinished at step 1,280 after 1m 40s\n");
  line->OnEnd({1280, 100, "an error", /*failed=*/true});
  EXPECT_EQ(Output(), "");
  CHARRNN_LOG(INFO) << "saved";
  EXPECT_EQ(Output(), "saved\n");
  line.reset();
  EXPECT_THAT(Output(), IsEmpty());
}

TEST_F(ProgressLineTest, GivesTheTerminalBackWhenItGoesEarly) {
  auto line = Make(true);
  Step(line.get(), 1);
  Output();
  line.reset();
  EXPECT_EQ(Output(), "\n");
  testing::internal::CaptureStderr();
  CHARRNN_LOG(INFO) << "to stderr again";
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "to stderr again\n");
  EXPECT_THAT(Output(), IsEmpty());
}

TEST_F(ProgressLineTest, WritesPlainLinesIntoAFile) {
  const auto line = Make(false);
  Step(line.get(), 1);
  EXPECT_THAT(Output(), IsEmpty());
  TrainReport report;
  report.step = 640;
  report.epoch = 3;
  report.loss = 1.75;
  report.chars_per_s = 1234567.8;
  line->OnTrain(report);
  EXPECT_EQ(Output(),
            "epoch 3/5  step 640/1,280  loss 1.750  2.525 bpc  "
            "1,234,568 chars/s  10m 40s left\n");
  line->OnEnd({640, 1, "stopped"});
  EXPECT_EQ(Output(), "stopped at step 640 after 1.0s\n");
}

TEST_F(ProgressLineTest, LeavesTheLogAloneInAFile) {
  const auto line = Make(false);
  testing::internal::CaptureStderr();
  CHARRNN_LOG(INFO) << "plain";
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "plain\n");
}

TEST_F(ProgressLineTest, KeepsReportsOffTheTerminalsLine) {
  const auto line = Make(true);
  line->OnTrain({});
  EXPECT_THAT(Output(), IsEmpty());
}

TEST_F(ProgressLineTest, SurvivesAPlanAndAClockThatSayNothing) {
  const auto line = Make(true);
  line->OnStart({});
  Step(line.get(), 1, 2, absl::ZeroDuration());
  EXPECT_THAT(Output(), HasSubstr("epoch 1  step 1/0"));
}

}  // namespace
}  // namespace charrnn
