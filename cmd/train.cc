// Trains a model in one process, on the CPU or on one GPU.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "cmd/device_flags.h"
#include "cmd/run_output.h"
#include "cmd/training_flags.h"
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/gradient_reducer.h"
#include "model/metrics/display.h"
#include "model/model_file.h"
#include "model/parameter_layout.h"
#include "model/run_directory.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/training_plan.h"

namespace charrnn {
namespace {

void Describe(const TrainingRequest& request, const TrainingPlan& plan,
              const Compute& compute, const std::string& run_dir) {
  for (const std::string& note : request.notes) CHARRNN_LOG(INFO) << note;
  CHARRNN_LOG(INFO) << "device   " << compute.description;
  CHARRNN_LOG(INFO) << "text     " << request.corpus->name() << ": "
                    << Counted(request.corpus->size(), "character") << ", "
                    << request.model.vocab_size << " different";
  CHARRNN_LOG(INFO) << "chunks   " << WithThousands(plan.training.num_chunks())
                    << " to train on, "
                    << WithThousands(plan.validation.num_chunks())
                    << " to validate with; "
                    << Counted(plan.steps_per_epoch, "step") << " an epoch";
  CHARRNN_LOG(INFO) << "model    " << RnnTypeName(request.model.rnn_type)
                    << ", "
                    << WithThousands(
                           ParameterLayout(request.model).num_parameters())
                    << " parameters";
  CHARRNN_LOG(INFO) << "run      " << run_dir;
}

// Copies the run's best model to where the user wants it.
absl::Status Export(FileSystem& files, const std::string& run_dir,
                    const std::string& save_path) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string best,
                           FindModelFile(files, run_dir));
  CHARRNN_ASSIGN_OR_RETURN(const std::string model, files.ReadFile(best));
  return WriteFileAtomically(files, save_path, model);
}

absl::Status Train(const CommandLine& command_line) {
  FileSystem& files = *FileSystem::Real();
  Clock& clock = *Clock::Real();
  CHARRNN_ASSIGN_OR_RETURN(const TrainingRequest request,
                           TrainingRequestFromFlags(files, command_line.typed));
  CHARRNN_ASSIGN_OR_RETURN(
      const TrainingPlan plan,
      MakeTrainingPlan(request.training, request.corpus->size()));
  CHARRNN_ASSIGN_OR_RETURN(const Compute compute, ComputeFromFlags());
  CHARRNN_ASSIGN_OR_RETURN(
      TrainState state,
      TrainState::Initial(ParameterLayout(request.model), request.training.seed,
                          compute.device));
  CHARRNN_ASSIGN_OR_RETURN(
      const std::string run_dir,
      CreateRunDirectory(files, clock, UserPath("runs"), request.run_dir));
  Describe(request, plan, compute, run_dir);

  CHARRNN_ASSIGN_OR_RETURN(const std::unique_ptr<RunOutput> output,
                           RunOutput::Open(&files, &clock, run_dir, request));
  CHARRNN_RETURN_IF_ERROR(MarkLatest(files, UserPath("runs"), run_dir));
  LocalCheckpointStore store(&files, run_dir,
                             request.training.keep_checkpoints);
  LocalReducer reducer(compute.pool.get());
  Trainer::Options options;
  options.model = request.model;
  options.training = request.training;
  options.sampling = request.sampling;
  Trainer trainer(options, plan,
                  {request.corpus.get(), compute.pool.get(), &reducer,
                   output.get(), &store, &clock},
                  &state);
  absl::Status status = trainer.Run();
  if (status.ok() && !request.save_path.empty()) {
    status = Export(files, run_dir, request.save_path);
    if (status.ok()) CHARRNN_LOG(INFO) << "export   " << request.save_path;
  }
  CHARRNN_LOG(INFO) << "report   " << JoinPath(run_dir, "report.html");
  if (status.ok()) status = output->status();
  // Whatever goes wrong from the first step on is no fault of the input.
  if (status.ok() || absl::IsCancelled(status)) return status;
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
