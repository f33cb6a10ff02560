#include "cmd/run_summary.h"

#include <string>

#include "absl/status/status.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/run_start.h"
#include "cmd/training_flags.h"
#include "model/config.h"
#include "model/metrics/display.h"
#include "model/model_file.h"
#include "model/parameter_layout.h"

namespace charrnn {

void DescribeRun(const RunStart& run) {
  const TrainingRequest& request = run.request;
  for (const std::string& note : run.notes) CHARRNN_LOG(INFO) << note;
  CHARRNN_LOG(INFO) << "device   " << run.compute.description;
  CHARRNN_LOG(INFO) << "text     " << request.corpus->name() << ": "
                    << Counted(request.corpus->size(), "character") << ", "
                    << request.model.vocab_size << " different";
  CHARRNN_LOG(INFO) << "chunks   "
                    << WithThousands(run.plan.training.num_chunks())
                    << " to train on, "
                    << WithThousands(run.plan.validation.num_chunks())
                    << " to validate with; "
                    << Counted(run.plan.steps_per_epoch, "step") << " an epoch";
  CHARRNN_LOG(INFO) << "model    " << RnnTypeName(request.model.rnn_type)
                    << ", "
                    << WithThousands(
                           ParameterLayout(request.model).num_parameters())
                    << " parameters";
  CHARRNN_LOG(INFO) << "run      " << run.directory.path;
}

absl::Status ExportBest(FileSystem& files, const RunStart& run) {
  if (run.request.save_path.empty()) return absl::OkStatus();
  CHARRNN_ASSIGN_OR_RETURN(const NamedModel best,
                           FindAndLoadModel(files, run.directory.path));
  CHARRNN_RETURN_IF_ERROR(SaveModel(files, best.model, run.request.save_path));
  CHARRNN_LOG(INFO) << "export   " << run.request.save_path;
  return absl::OkStatus();
}

void NameReport(FileSystem& files, const RunStart& run) {
  const std::string report = JoinPath(run.directory.path, "report.html");
  if (files.Exists(report)) CHARRNN_LOG(INFO) << "report   " << report;
}

}  // namespace charrnn
