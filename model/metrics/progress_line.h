#ifndef CHARRNN_MODEL_METRICS_PROGRESS_LINE_H_
#define CHARRNN_MODEL_METRICS_PROGRESS_LINE_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/terminal_line.h"
#include "model/train_observer.h"

namespace charrnn {

// Tells a person how training goes. On a terminal one line is drawn again and
// again in its place, cut to the terminal's width, while validation results,
// samples and log lines scroll by above it:
//
//   epoch 2 validation  loss 1.837  2.650 bpc  2.643 bpb  best so far
//    34%  epoch 2/5  step 112/320  loss 1.802  2.599 bpc  1,215,331 chars/s ...
//
// Elsewhere, in a file or a pipe, each report is a line of its own.
//
// While it lives on a terminal it is the sink of base/log, whose lines may
// come from any thread; the observer's calls come from one.
class ProgressLine : public TrainObserver {
 public:
  // `clock` is not owned.
  explicit ProgressLine(TerminalLine::Options options,
                        Clock* clock = Clock::Real());

  void OnStart(const RunPlan& plan) override;
  void OnStep(const StepReport& report) override;
  void OnTrain(const TrainReport& report) override;
  void OnValidation(const ValidationReport& report) override;
  void OnSample(const SampleReport& report) override;
  void OnCheckpoint(const CheckpointReport& report) override;
  void OnEnd(const EndReport& report) override;

 private:
  // A mean in which older values count ever less.
  class RecentMean {
   public:
    void Add(double value);
    double value() const;

   private:
    double sum_ = 0;
    double weight_ = 0;
  };

  // Parts of the line, and of the lines that take its place elsewhere.
  std::string Position(int64_t epoch, int64_t step) const;
  std::string TimeLeft(int64_t step) const;

  Clock& clock_;
  TerminalLine line_;
  RunPlan plan_;
  RecentMean loss_;          // nats per character
  RecentMean targets_;       // characters in a step
  RecentMean step_seconds_;  // of training time
  // When the current step began; validation and the like come before it.
  absl::Duration step_began_;
  int64_t last_step_ = 0;  // that was reported
  absl::Duration next_drawing_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_PROGRESS_LINE_H_
