// Trains a model in one process, on the CPU or on one GPU.

#include <memory>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/stop_signal.h"
#include "cmd/command_line.h"
#include "cmd/run_start.h"
#include "cmd/run_summary.h"
#include "cmd/run_training.h"
#include "cmd/training_flags.h"
#include "data/corpus_error.h"
#include "model/metrics/run_output.h"
#include "model/train_progress.h"
#include "model/trainer.h"

namespace charrnn {
namespace {

absl::Status TrainToTheEnd(FileSystem& files, Clock& clock, RunStart& run,
                           RunOutput& output) {
  absl::Status status = RunTraining(clock, run, output, [] {
    return StopSignal::Received() ? Wish::kStop : Wish::kNone;
  });
  if (status.ok()) status = ExportBest(files, run);
  NameReport(files, run);
  return status.ok() ? output.status() : status;
}

absl::Status Train(const CommandLine& command_line) {
  FileSystem& files = *FileSystem::Real();
  Clock& clock = *Clock::Real();
  CHARRNN_ASSIGN_OR_RETURN(
      RunStart run,
      StartRun(files, clock, command_line,
               [](const RunStart& made) { return CheckText(made.request); }));
  StopSignal::Install(
      "train: stopping: this step is finished and saved; once more leaves at "
      "once");
  if (run.finished) {
    CHARRNN_LOG(INFO) << run.directory.path << ": finished at step "
                      << run.state.progress.step
                      << ": more --num_epochs or --max_steps let it go on";
    return ExportBest(files, run);
  }
  DescribeRun(run);
  const TrainProgress& progress = run.state.progress;
  CHARRNN_ASSIGN_OR_RETURN(
      const std::unique_ptr<RunOutput> output,
      RunOutput::Open(&files, &clock, run.directory.path, progress.records));
  if (progress.step > 0 && !progress.due) {
    // Recorded after the checkpoint, and so cut off with what followed. One
    // that was made for a stop is none of those that the run makes by itself.
    output->OnCheckpoint({progress.step, run.store->PathOf(progress.step),
                          progress.best_step == progress.step});
  }
  absl::Status status = TrainToTheEnd(files, clock, run, *output);
  // Whatever goes wrong from the first step on is no fault of the input, unless
  // the text turns out to be damaged where nobody has read it before.
  if (status.ok() || absl::IsCancelled(status) || IsCorpusError(status)) {
    return status;
  }
  return absl::InternalError(status.message());
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"train",
       "Trains a character-level recurrent language model on a text, on the "
       "CPU or on one GPU.",
       /*arguments=*/""},
      charrnn::Train);
}
